"""JSON into frozen dataclasses, checked field by field against their annotations."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from mobilebert_lite.common.fields import read_object
from mobilebert_lite.errors import DataError, shorten

T = TypeVar("T")


def record(kind: type[T], raw: Any, where: str) -> T:
    """``raw`` as a ``kind``, a dataclass of records, numbers, texts, tuples and mappings of these.

    Raises DataError naming the place inside for a missing field, an unknown one, or a value of another type.
    """
    value = read_object(raw, where)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(value) - set(fields)):
        raise DataError(f"{where}: unknown field {shorten(unknown)}; it has {shorten(list(fields), 99)}")
    missing = [name for name, field in fields.items() if name not in value and _required(field)]
    if missing:
        raise DataError(f"{where}: no {shorten(missing)}")
    hints = typing.get_type_hints(kind)
    values = {name: _value(hints[name], item, f"{where}.{name}") for name, item in value.items()}
    try:
        return kind(**values)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _value(kind: Any, raw: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        [inner] = [one for one in arguments if one is not types.NoneType]
        return None if raw is None else _value(inner, raw, where)
    if origin is tuple:
        if not isinstance(raw, list):
            raise DataError(f"{where}: {type(raw).__name__}, not a list")
        return tuple(_value(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(raw))
    if origin is dict:
        return {name: _value(arguments[1], item, f"{where}.{name}") for name, item in read_object(raw, where).items()}
    if dataclasses.is_dataclass(kind):
        return record(typing.cast(type, kind), raw, where)
    return _PLAIN[kind](raw, where)


def _plain(kind: type, said: str) -> Callable[[Any, str], Any]:
    def check(raw: Any, where: str) -> Any:
        if not isinstance(raw, kind) or (kind is not bool and isinstance(raw, bool)):
            raise DataError(f"{where} is {_shown(raw)}; it must be {said}")
        return raw
    return check


def _number(raw: Any, where: str) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
        raise DataError(f"{where} is {_shown(raw)}; it must be a finite number")
    return float(raw)


def _shown(raw: Any) -> str:
    text = repr(raw)
    return text if len(text) <= 60 else f"{text[:60]}…"


_PLAIN: dict[Any, Callable[[Any, str], Any]] = {
    str: _plain(str, "a text"), int: _plain(int, "a whole number"), bool: _plain(bool, "true or false"),
    float: _number}
