"""Fields of JSON objects, checked; errors name the place and the value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mobilebert_lite.errors import DataError, shorten

# Digits of numbers that are written as texts; a place or an id has no more.
_DIGITS = 18


def is_whole(text: str) -> bool:
    """Whether ``text`` is digits that ``int`` reads: not ², and not thousands of them."""
    return text.isdecimal() and len(text) <= _DIGITS


def read_object(value: Any, where: str) -> Mapping[str, Any]:
    """``value``, which must be an object. Raises DataError, as the others do."""
    if not isinstance(value, dict):
        raise DataError(f"{where}: a JSON {type(value).__name__}, not an object")
    return value


def read_list(raw: Any, name: str, where: str) -> list[Any]:
    """Field ``name``, which must be a list."""
    value = read_object(raw, where).get(name)
    if not isinstance(value, list):
        raise DataError(f"{where}: {name} is missing or no list")
    return value


def read_string(raw: Any, name: str, where: str) -> str:
    """Field ``name``, which must be a text that is not empty."""
    value = read_object(raw, where).get(name)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where}: {name} is {value!r}; it must be a text that is not empty" if name in raw
                        else f"{where}: no {name}; it has {shorten(sorted(raw)) or 'nothing'}")
    return value
