"""Which function of which library an address belongs to, from the symbols of ELF files (64-bit, little-endian)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

_SECTION = np.dtype([("name", "<u4"), ("type", "<u4"), ("flags", "<u8"), ("address", "<u8"), ("offset", "<u8"),
                     ("size", "<u8"), ("link", "<u4"), ("info", "<u4"), ("align", "<u8"), ("entry", "<u8")])
_SEGMENT = np.dtype([("type", "<u4"), ("flags", "<u4"), ("offset", "<u8"), ("address", "<u8"), ("physical", "<u8"),
                     ("file_size", "<u8"), ("memory_size", "<u8"), ("align", "<u8")])
_SYMBOL = np.dtype([("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"),
                    ("size", "<u8")])
_SYMBOL_TABLES = (2, 11)  # SHT_SYMTAB, SHT_DYNSYM
_LOAD, _FUNCTION = 1, 2


@dataclass(frozen=True)
class Library:
    """An ELF file."""

    content: bytes

    @cached_property
    def functions(self) -> tuple[list[int], list[str]]:
        """Addresses in ascending order, and the names there; of several names of one address, the first by alphabet."""
        found: dict[int, str] = {}
        sections = self._table(40, _SECTION)
        for section in sections[np.isin(sections["type"], _SYMBOL_TABLES)]:
            start, names = int(section["offset"]), int(sections[section["link"]]["offset"])
            symbols = np.frombuffer(self.content, _SYMBOL, int(section["size"]) // _SYMBOL.itemsize, start)
            for symbol in symbols[(symbols["info"] & 15 == _FUNCTION) & (symbols["section"] != 0)]:
                begin = names + int(symbol["name"])
                name = self.content[begin:self.content.index(b"\0", begin)].decode()
                address = int(symbol["value"])
                found[address] = min(name, found.get(address, name))
        return sorted(found), [found[address] for address in sorted(found)]

    def function(self, offset: int) -> str:
        """The function at ``offset`` in the file; "?" where no symbol says."""
        for segment in self._table(32, _SEGMENT):
            place = offset - int(segment["offset"])
            if segment["type"] == _LOAD and 0 <= place < segment["file_size"]:
                addresses, names = self.functions
                before = bisect_right(addresses, int(segment["address"]) + place) - 1
                return names[before] if before >= 0 else "?"
        return "?"

    def _table(self, place: int, form: np.dtype) -> np.ndarray:
        """The segments or the sections; ``place`` is where the header of the file has their offset."""
        offset = int.from_bytes(self.content[place:place + 8], "little")
        counted = 56 if form is _SEGMENT else 60
        return np.frombuffer(self.content, form, int.from_bytes(self.content[counted:counted + 2], "little"), offset)


@dataclass(frozen=True)
class Mapped:
    """A part of a file in the memory of a process."""

    start: int
    end: int
    offset: int
    path: str


class AddressSpace:
    """What lies where in a process, from its ``/proc/self/maps``."""

    def __init__(self, maps: str) -> None:
        self.parts = sorted(_parts(maps), key=lambda part: part.start)
        self.starts = [part.start for part in self.parts]

    def function(self, address: int) -> tuple[str, str]:
        """(name of the library, name of the function); empty names for memory of no file."""
        place = bisect_right(self.starts, address) - 1
        if place < 0 or address >= self.parts[place].end or not self.parts[place].path.startswith("/"):
            return "", ""
        part = self.parts[place]
        return Path(part.path).name, _library(part.path).function(address - part.start + part.offset)


@cache
def _library(path: str) -> Library:
    return Library(Path(path).read_bytes())


def _parts(maps: str) -> Iterator[Mapped]:
    for line in maps.splitlines():
        span, _, offset, _, _, *path = line.split(maxsplit=5)
        start, end = (int(side, 16) for side in span.split("-"))
        yield Mapped(start, end, int(offset, 16), path[0] if path else "")
