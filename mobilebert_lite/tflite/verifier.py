"""A flatbuffer read with every offset checked, before anything that trusts it sees the bytes.

The checks are those of ``flatbuffers::Verifier`` (google/flatbuffers, verifier.h), which tflite-runtime 2.14 does not
call, nor anything that reads a file in Python: tables, their layouts, vectors and strings lie inside the file and are
aligned. A budget bounds what they unfold into where offsets meet in one place. No table of the schema contains itself,
so depth needs no bound.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

import numpy as np

from mobilebert_lite.common.budget import Budget
from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.tflite.schema_tables import TABLES, UNIONS

_SCALARS = {"i8": "<b", "u8": "<B", "bool": "<?", "u16": "<H", "i32": "<i", "u32": "<I", "f32": "<f", "i64": "<q",
            "u64": "<Q"}
_READERS = {kind: struct.Struct(form) for kind, form in _SCALARS.items()}
_U16, _I32, _U32 = struct.Struct("<H"), struct.Struct("<i"), struct.Struct("<I")

# Field name -> value: numbers, bytes (strings), NumPy views of the file (vectors of numbers), tables, lists of tables
# or strings. Absent fields are absent.
Fields = dict[str, Any]


def read_tables(content: bytes) -> Fields:
    """The table Model of ``content``, and what hangs on it. Raises ModelFileError for a damaged flatbuffer."""
    return _Reader(content).root()


@cache
def _slots(table: str) -> tuple[tuple[str, str], ...]:
    """(name, kind) of each slot; empty names for those that are not used."""
    pairs = (field.partition(":") for field in TABLES.get(table, "").split())
    return tuple(("" if name == "-" else name, kind) for name, _, kind in pairs)


class _Reader:
    def __init__(self, content: bytes) -> None:
        self.content, self.size = content, len(content)
        self.budget = Budget(len(content))
        # Writers share layouts between tables of one kind, so most are checked once.
        self.layouts: dict[tuple[str, int, int], tuple[int, list[tuple[str, int, str]]]] = {}

    def root(self) -> Fields:
        if self.size < 8:
            raise _damaged("Model", "the file ends before it")
        return self.table("Model", self.target(0, "Model"))

    def target(self, where: int, name: str) -> int:
        """The place that the offset at ``where`` leads to."""
        offset = _U32.unpack_from(self.content, where)[0]
        if offset == 0 or where + offset + 4 > self.size:
            raise _damaged(name, f"an offset of {offset} leads outside the file")
        return int(where + offset)

    def table(self, table: str, position: int) -> Fields:
        self.budget.step(1, "the flatbuffer")
        if position % 4:
            raise _damaged(table, f"it starts at byte {position}, which is not a multiple of 4")
        layout = position - _I32.unpack_from(self.content, position)[0]
        key = table, layout, position % 8
        if key not in self.layouts:
            self.layouts[key] = self.layout(table, layout, position)
        size, fields = self.layouts[key]
        if position + size > self.size:
            raise _damaged(table, "it goes on after the end of the file")
        values: Fields = {}
        for name, offset, kind in fields:
            reader = _READERS.get(kind)
            values[name] = (reader.unpack_from(self.content, position + offset)[0] if reader is not None
                            else self.follow(table, name, kind, position + offset, values))
        return values

    def layout(self, table: str, layout: int, position: int) -> tuple[int, list[tuple[str, int, str]]]:
        """Size of a table, and (name, offset, kind) of the fields that it has."""
        if layout % 2 or not 0 <= layout <= self.size - 4:
            raise _damaged(table, "its layout is outside the file")
        length, size = _U16.unpack_from(self.content, layout)[0], _U16.unpack_from(self.content, layout + 2)[0]
        if length < 4 or length % 2 or size < 4 or layout + length > self.size:
            raise _damaged(table, "its layout is malformed")
        fields = []
        for slot, (name, kind) in enumerate(_slots(table)[:length // 2 - 2]):
            offset = _U16.unpack_from(self.content, layout + 4 + 2 * slot)[0]
            if offset and name:
                width = _READERS[kind].size if kind in _READERS else 4
                if offset < 4 or offset + width > size or (position + offset) % width:
                    raise _damaged(f"{table}.{name}", "it stands outside its table, or unaligned")
                fields.append((name, offset, kind))
        return size, fields

    def follow(self, table: str, name: str, kind: str, where: int, values: Fields) -> Any:
        """What the offset at ``where`` leads to."""
        label = f"{table}.{name}"
        if kind in UNIONS:
            members = _members(kind)
            member = values.get(f"{name}_type", 0)
            if member == 0:
                return None
            # One that a later schema added has a place like any other table.
            return self.table(members[member] if member < len(members) else "", self.target(where, label))
        target = self.target(where, label)
        if kind == "string":
            return self.string(target, label)
        return self.vector(kind[1:-1], target, label) if kind[0] == "[" else self.table(kind, target)

    def string(self, start: int, label: str) -> bytes:
        count = self.length(start, 1, label)
        self.budget.copy(count, "the flatbuffer")
        if start + 4 + count >= self.size or self.content[start + 4 + count]:
            raise _damaged(label, "a text without its end")
        return self.content[start + 4:start + 4 + count]

    def vector(self, kind: str, start: int, label: str) -> Any:
        if kind in _READERS:
            width = _READERS[kind].size
            count = self.length(start, width, label)
            # One vector may hang on many tables, so it costs each of them: bytes are copied when the file is written
            # anew, indices and shapes are looked at one by one, and scales by NumPy.
            if kind == "u8":
                self.budget.copy(count, "the flatbuffer")
            else:
                self.budget.step(count // (4 if kind == "i32" else 64), "the flatbuffer")
            if (start + 4) % width and count:
                raise _damaged(label, f"its numbers start at byte {start + 4}, which is not a multiple of {width}")
            return np.frombuffer(self.content, _SCALARS[kind], count, start + 4)
        count = self.length(start, 4, label)
        self.budget.step(count, "the flatbuffer")
        places = (self.target(place, label) for place in range(start + 4, start + 4 + 4 * count, 4))
        return [self.string(place, label) if kind == "string" else self.table(kind, place) for place in places]

    def length(self, start: int, width: int, label: str) -> int:
        """The number of elements of the vector at ``start``."""
        count: int = _U32.unpack_from(self.content, start)[0]
        if start % 4 or start + 4 + count * width > self.size:
            raise _damaged(label, f"{count:,} elements from byte {start} on go on after the end of the file")
        return count


@cache
def _members(union: str) -> tuple[str, ...]:
    return tuple(UNIONS[union].split())


def _damaged(name: str, what: str) -> ModelFileError:
    return ModelFileError(f"the flatbuffer is damaged at {name}: {what}")
