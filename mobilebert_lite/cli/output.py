"""What commands print besides results."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

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


def head_room(provenance: Mapping[str, Any]) -> str | None:
    """How far the file's activations stay from the ends of float16; None for files that are not for GPUs."""
    found = provenance.get("float16")
    if not found:
        return None
    above, below = found["bits_above"], found["bits_below"]
    return (f"in float16: largest activation {found['largest']:.4g} ({found['largest_in']}), "
            + (f"{above:.1f} bits below overflow" if above >= 0 else "OVERFLOWS; let GPUs compute in float32")
            + f"; smallest typical {found['smallest_typical']:.2g} ({found['smallest_in']}), {below:.1f} bits above "
              "underflow")
