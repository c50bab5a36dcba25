"""Reading flatbuffers without a generated schema, safe on hostile bytes.

Every offset is checked against the end of the bytes, and the work is bounded: offsets may lead many parents to one
child, so that a few kilobytes could unfold into more tables than a machine can hold.
Format: "FlatBuffers Internals" (flatbuffers.dev/internals).
"""

from __future__ import annotations

import struct

from mobilebert_lite.common.budget import Budget
from mobilebert_lite.errors import ModelFileError


class Flatbuffer:
    """The bytes of a flatbuffer, and how much reading is left before it counts as hostile."""

    def __init__(self, content: bytes) -> None:
        self.content, self._budget = content, Budget(len(content))

    def root(self) -> Table:
        """The outermost table. Raises ModelFileError, as all reading does, when an offset leads outside."""
        return Table(self, self.number("<I", 0))

    def has_identifier(self, identifier: bytes) -> bool:
        """Whether the four bytes that name the schema are ``identifier``."""
        return self.content[4:8] == identifier

    def number(self, form: str, place: int) -> int | float:
        """The scalar of ``struct`` format ``form`` at ``place``."""
        if not 0 <= place <= len(self.content) - struct.calcsize(form):
            raise ModelFileError("the flatbuffer is damaged: an offset leads outside the file")
        value: int | float = struct.unpack_from(form, self.content, place)[0]
        return value

    def span(self, start: int, size: int) -> bytes:
        """``size`` bytes from ``start``."""
        self._budget.copy(size, "the flatbuffer")
        if start + size > len(self.content):
            raise ModelFileError("the flatbuffer is damaged: a vector ends outside the file")
        return self.content[start:start + size]

    def spend(self, steps: int) -> None:
        """Count ``steps`` of work. Raises ModelFileError when they are more than any real file needs."""
        self._budget.step(steps, "the flatbuffer")


class Table:
    """A table of a flatbuffer; fields are asked for by slot, their place in the schema counted from 0."""

    def __init__(self, source: Flatbuffer, position: int | float) -> None:
        source.spend(1)
        self._source, self._position = source, int(position)

    def _slot(self, slot: int) -> int:
        """Where the value of ``slot`` stands; 0 when it is absent."""
        number = self._source.number
        vtable = self._position - int(number("<i", self._position))
        where = 4 + 2 * slot
        if where + 2 > number("<H", vtable):
            return 0
        offset = int(number("<H", vtable + where))
        return self._position + offset if offset else 0

    def uint(self, slot: int) -> int:
        """An unsigned 32-bit scalar, 0 by default."""
        where = self._slot(slot)
        return int(self._source.number("<I", where)) if where else 0

    def byte(self, slot: int) -> int:
        """An enumeration or the kind of a union, 0 by default."""
        where = self._slot(slot)
        return int(self._source.number("<B", where)) if where else 0

    def table(self, slot: int) -> Table | None:
        """A table, or the value of a union."""
        where = self._slot(slot)
        return Table(self._source, where + self._source.number("<I", where)) if where else None

    def _vector(self, slot: int) -> tuple[int, int]:
        """Where the elements of the vector of ``slot`` begin, and how many there are."""
        where = self._slot(slot)
        if not where:
            return 0, 0
        start = where + int(self._source.number("<I", where))
        return start + 4, int(self._source.number("<I", start))

    def bytes(self, slot: int) -> bytes:
        """A string or a vector of bytes."""
        return self._source.span(*self._vector(slot))

    def text(self, slot: int) -> str:
        """A string; bytes that are not UTF-8 become U+FFFD."""
        return self.bytes(slot).decode("utf-8", "replace")

    def ints(self, slot: int) -> tuple[int, ...]:
        """A vector of int32."""
        start, count = self._vector(slot)
        self._source.spend(count)
        return tuple(int(self._source.number("<i", start + 4 * i)) for i in range(count))

    def floats(self, slot: int) -> tuple[float, ...]:
        """A vector of float32."""
        start, count = self._vector(slot)
        self._source.spend(count)
        return tuple(float(self._source.number("<f", start + 4 * i)) for i in range(count))

    def _targets(self, slot: int) -> list[int]:
        """Where each element of a vector of offsets stands."""
        start, count = self._vector(slot)
        self._source.spend(count)
        return [place + int(self._source.number("<I", place)) for place in range(start, start + 4 * count, 4)]

    def vector(self, slot: int) -> list[Table]:
        """A vector of tables."""
        return [Table(self._source, place) for place in self._targets(slot)]

    def texts(self, slot: int) -> tuple[str, ...]:
        """A vector of strings."""
        return tuple(self._source.span(place + 4, int(self._source.number("<I", place))).decode("utf-8", "replace")
                     for place in self._targets(slot))
