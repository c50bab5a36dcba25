"""What commands print besides results."""

from __future__ import annotations

import os
import sys

import click


def progress(message: str) -> None:
    """One line of progress on stderr."""
    click.echo(f"· {message}", err=True)


def hide_native_logs() -> None:
    """Keep what native libraries write straight to file descriptor 2 from the user; our own stderr stays."""
    sys.stderr.flush()
    kept = os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    os.close(sink)
    sys.stderr = os.fdopen(kept, "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
