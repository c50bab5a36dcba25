"""JSON of unknown origin: read within a budget, and every fault of it one error."""

from __future__ import annotations

import json
from typing import Any

from mobilebert_lite.common.budget import OBJECT, Budget
from mobilebert_lite.errors import DataError, MblError

# What begins an object of JSON, or parts it from the next one; in a text it costs as much.
_MARKS = ",:[{"


def parse(text: str | bytes, where: str, error: type[MblError] = DataError) -> Any:
    """The value in ``text``; ``where`` names the text in errors.

    Raises ``error`` for what is no JSON, is nested too deeply, holds an integer of more digits than Python reads, half
    a character where ``text`` is bytes, or more objects than a text of its size may.
    """
    try:
        text = text if isinstance(text, str) else text.decode("utf-8-sig")
        check(text, where, error)
        return json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise error(f"{where} is not readable JSON: {fault(problem)}") from None


def check(text: str, where: str, error: type[MblError] = DataError) -> None:
    """Raise ``error`` where ``text`` holds more objects than JSON of its size may."""
    Budget(len(text), error).keep(sum(map(text.count, _MARKS)), OBJECT, where)


def fault(problem: ValueError | RecursionError) -> str:
    """What is wrong, in a few words."""
    if isinstance(problem, RecursionError):
        return "it is nested too deeply"
    if isinstance(problem, json.JSONDecodeError | UnicodeDecodeError):
        return str(problem)
    return "an integer in it has thousands of digits"
