"""Progress, pages and standard streams of all commands."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from mobilebert_lite.cli import signals


def progress(message: str) -> None:
    """One line of progress on stderr."""
    click.echo(f"· {message}", err=True)


def stage(message: str) -> None:
    """``progress``, for work in native code: raises an interruption that the native code swallowed."""
    signals.again()
    progress(message)


def read_input() -> str:
    """The text on standard input. Raises DataError if it is closed or not UTF-8."""
    from mobilebert_lite.errors import DataError

    if sys.stdin is None:
        raise DataError("standard input is closed; give the text itself in place of -")
    try:
        return io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8").read()  # whatever the locale
    except UnicodeDecodeError as error:
        raise DataError(f"standard input is not UTF-8 text (byte {error.start})") from None


def write_page(path: Path, html: str) -> None:
    """Write a page for the browser. Raises OutputError if that fails."""
    from mobilebert_lite.common.files import write_atomically

    write_atomically(path, html.encode("utf-8", "replace"))
    progress(f"wrote {path}")


def hide_native_logs() -> None:
    """Hide what native libraries write directly to file descriptor 2; Python's sys.stderr still works."""
    sys.stderr.flush()
    kept = os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    os.close(sink)
    sys.stderr = os.fdopen(kept, "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")


def escape_unprintable() -> None:
    """Escape characters that the encoding of standard output lacks, as JSON does, in place of failing: file names may
    hold bytes that are not UTF-8, and a terminal may support ASCII only."""
    codecs.register_error("mbl-escape", _escape)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="mbl-escape")


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start:error.end])[1:-1], error.end


# Bits of head room below which it is worth a word.
_LITTLE = 1.0


def head_room(provenance: Mapping[str, Any], always: bool = False) -> str | None:
    """Headroom of the activations in float16; None for files that are not for GPUs, and unless ``always``, where there
    is enough and the mode is not fp16."""
    found = provenance.get("float16")
    if not found:
        return None
    little = min(found["bits_above"], found["bits_below"]) < _LITTLE
    if not (always or little or provenance.get("recipe", {}).get("name") == "fp16"):
        return None
    above, below = found["bits_above"], found["bits_below"]
    return (f"in float16: largest activation {found['largest']:.4g} ({found['largest_in']}), "
            + (f"{above:.1f} bits below overflow" if above >= 0 else "OVERFLOWS; let GPUs compute in float32")
            + f"; smallest typical {found['smallest_typical']:.2g} ({found['smallest_in']}), {below:.1f} bits above "
              "underflow")


def channel_ranges(provenance: Mapping[str, Any]) -> str | None:
    """Ranges of channels before and after equalization, averaged over the blocks; None if no channel was scaled."""
    from mobilebert_lite.fusion.channel_ranges import imbalance

    found = imbalance(provenance.get("channel_ranges"))
    told = ", ".join(f"{part} {before:.1f} → {after:.1f}" for part, (before, after) in found.items())
    return f"largest to median channel range, before and after equalization: {told}" if found else None


@contextmanager
def counted(message: str) -> Iterator[Callable[[int, int], None]]:
    """Progress over a known number of items, with the time left: a bar on a terminal, lines elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if not sys.stderr.isatty():
        yield _Lines(message)
        return
    columns = (TextColumn("· {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr)) as bar:
        task = bar.add_task(message, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Lines:
    """Prints a line at the start, every ten seconds, and at the end."""

    SECONDS = 10.0

    def __init__(self, message: str) -> None:
        self.message, self.next = message, 0.0
        # (time, done) of the last lines: what came first may have been slower (compiling) or not counted (resumed).
        self.marks: deque[tuple[float, int]] = deque(maxlen=7)

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now < self.next and done < total:
            return
        self.next = now + self.SECONDS
        self.marks.append((now, done))
        began, before = self.marks[0]
        left = f", {(now - began) / (done - before) * (total - done):.0f} s left" if before < done < total else ""
        progress(f"{self.message}: {done} of {total}{left}")
