"""The command ``mbl``, also as ``python -m mobilebert_lite``."""

from __future__ import annotations

import signal
import sys

# Until the command line watches for signals, Ctrl-C ends the process as it ends any other: without a traceback.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> None:
    """Run the command that the arguments of the process name; see ``cli.main``."""
    try:
        from mobilebert_lite import cli
    except (ImportError, OSError, MemoryError) as error:
        if "--debug" in sys.argv:
            raise
        sys.exit(f"Error: mbl cannot be loaded: {' '.join(str(error).split()) or type(error).__name__}; free memory or "
                 "raise the limits of this shell (ulimit -a), or install mobilebert-lite again")
    cli.main()


if __name__ == "__main__":
    main()
