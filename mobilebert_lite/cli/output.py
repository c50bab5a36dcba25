"""Progress, pages and standard streams of all commands."""

from __future__ import annotations

import io
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from mobilebert_lite.cli import signals
from mobilebert_lite.errors import OutputError, one_line


def print_lines(*lines: str) -> None:
    """Each of ``lines`` as one line on standard output, whatever names it holds. Everything that commands print goes
    through here, ``print_json`` or ``tell``. Raises OutputError when it cannot be written."""
    _print("\n".join(map(one_line, lines)))


def print_text(text: str) -> None:
    """``print_lines`` of a text that we laid out ourselves."""
    print_lines(*text.removesuffix("\n").split("\n"))


def print_json(value: Any, indent: int | None = 2) -> None:
    """``value`` as JSON on standard output; strings in it are escaped where a terminal would obey them."""
    from mobilebert_lite.common.files import to_json

    _print(to_json(value, indent))


def _print(text: str) -> None:
    with own_output():
        print(text, flush=True)


@contextmanager
def own_output() -> Iterator[None]:
    """Blame what cannot be written in the block on standard output. Raises OutputError."""
    try:
        yield
    except BrokenPipeError:
        raise  # nobody reads it any more, which is no failure of ours
    except OSError as error:
        raise OutputError(f"standard output: {error.strerror or error}") from None


def tell(line: str, end: str = "\n") -> None:
    """One line on standard error."""
    click.echo(one_line(line) + end, err=True, nl=False)


def progress(message: str) -> None:
    """One line of progress on stderr."""
    tell(f"· {message}")


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
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if not sys.stderr.isatty():
        yield _Lines(message)
        return
    columns = (TextColumn("· {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr)) as bar:
        task = bar.add_task(escape(one_line(message)), total=None)
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
