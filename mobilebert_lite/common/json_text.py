"""JSON that strangers wrote: read within a budget, and so that it can be gone through and written again."""

from __future__ import annotations

import json
import re
from json import JSONDecodeError
from typing import Any

from mobilebert_lite.common.budget import OBJECT, Budget
from mobilebert_lite.errors import DataError, MblError

# JSON's escape for a character beyond U+FFFF, or for half of one.
HALF = re.compile(r"\\u[dD][89a-fA-F]")
# Lists and objects inside each other. What we read has 12 at most; Python itself gives up between 200 and 10,000.
_DEEPEST = 100
_DECODER = json.JSONDecoder()
# What begins an object of JSON, or parts it from the next one; in a text it costs as much.
_MARKS = ",:[{"


def parse(text: str | bytes, where: str, error: type[MblError] = DataError, halves: bool = False) -> Any:
    """The value of ``text``; ``where`` names the text in errors.

    Raises ``error`` for what ``decode`` refuses, and for more objects than a text of its size may hold.
    """
    try:
        text = _text(text)
        check(text, where, error)
        return decode(text, halves)
    except JSONDecodeError as problem:
        raise error(f"{where} is not readable JSON: {problem}") from None


def check(text: str, where: str, error: type[MblError] = DataError) -> None:
    """Raise ``error`` where ``text`` holds more objects than JSON of its size may."""
    Budget(len(text), error).keep(sum(map(text.count, _MARKS)), OBJECT, where)


def decode(text: str | bytes, halves: bool = False) -> Any:
    """The value of ``text``.

    Raises JSONDecodeError for what is no JSON, nested too deeply, or holds a number of thousands of digits; unless
    ``halves`` are allowed, also for half of a surrogate pair, which no file can hold. ``bytes`` are UTF-8.
    """
    text = _text(text)
    start = len(text) - len(text.lstrip(" \t\r\n"))
    value, end = parse_at(text, start)
    if rest := text[end:].lstrip(" \t\r\n"):
        raise JSONDecodeError("more after its end", text, len(text) - len(rest))
    if not halves and (found := HALF.search(text)):
        _refuse_halves(value, text, found.start())
    return value


def parse_at(text: str, start: int) -> tuple[Any, int]:
    """The value that begins at ``start``, and where it ends. Raises as ``parse``, but takes halves."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except JSONDecodeError:
        raise
    except RecursionError:
        raise JSONDecodeError(_TOO_DEEP, text, start) from None
    except ValueError:  # int() of more digits than Python reads
        raise JSONDecodeError("a number of thousands of digits", text, start) from None
    # Nothing is deeper than it has brackets.
    if text.count("[", start, end) + text.count("{", start, end) > _DEEPEST and _is_deep(value):
        raise JSONDecodeError(_TOO_DEEP, text, start)
    return value, end


def _text(text: str | bytes) -> str:
    try:
        return text if isinstance(text, str) else text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise JSONDecodeError(f"not UTF-8 at byte {error.start}", "", 0) from None


_TOO_DEEP = f"lists or objects inside each other, more than {_DEEPEST} of them"


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for one in level if isinstance(one, dict | list)
                 for inner in (one.values() if isinstance(one, dict) else one) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _refuse_halves(value: Any, text: str, place: int) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise JSONDecodeError("half of a character, an escape from \\ud800 to \\udfff without its other half", text,
                              place) from None
