"""Standard input, output and error: closed ones, encodings that lack characters, and native libraries that write to
them."""

from __future__ import annotations

import codecs
import io
import json
import logging
import os
import sys
import threading
from contextlib import suppress
from typing import TextIO


def prepare(debug: bool) -> None:
    """Make the three streams what commands take them for; unless ``debug``, ``hide_internals``."""
    _open_closed()
    if not debug:
        hide_internals()
    codecs.register_error("mbl-escape", _escape)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in ("strict", "surrogateescape"):
        # File names may hold bytes that are not UTF-8, and a terminal may support ASCII only.
        sys.stdout.reconfigure(errors="mbl-escape")


def discard_output() -> None:
    """Keep the interpreter from failing again when it flushes standard output at exit."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.close(sink)


def _open_closed() -> None:
    """Nothing else may get the number of a standard stream that is closed: native code would write into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(sink := os.open(os.devnull, os.O_RDWR), number)
            if sink > 2:
                os.close(sink)
    sys.stdout, sys.stderr = (_opened(stream, number) for number, stream in ((1, sys.stdout), (2, sys.stderr)))


def _opened(stream: TextIO | None, number: int) -> TextIO:
    # Python has None for a stream that was closed when it started.
    return os.fdopen(number, "w", encoding="utf-8", closefd=False) if stream is None else stream


def hide_internals() -> None:
    """Hide what native libraries write directly to file descriptor 2, TensorFlow's advice to programmers, and
    tracebacks of threads and of objects that are collected; Python's sys.stderr still works."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    threading.excepthook = lambda arguments: None
    sys.unraisablehook = lambda unraisable: None
    with suppress(OSError):  # nobody reads it any more
        sys.stderr.flush()
    kept = os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    os.close(sink)
    sys.stderr = os.fdopen(kept, "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")


def _escape(error: UnicodeError) -> tuple[str, int]:
    """What the encoding lacks, as JSON writes it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start:error.end])[1:-1], error.end
