"""The datasets of an HDF5 file, of the layout that h5py writes by default; safe on hostile bytes.

HDF5's own library is a large reader of trusted files: it follows links into other files, unpacks what is small into
what is not, and has crashed on damaged bytes. Weights need little of the format: groups of named numbers that stand in
one piece. Every offset is checked, each object is read once, and the steps are bounded.
Format: "HDF5 File Format Specification Version 3.0" (superblock 0 and 1, object headers 1, B-trees 1).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_NOWHERE = (1 << 64) - 1
# A checkpoint of 24 blocks has some 1,200 datasets, each in groups of its own: 50,000 steps.
_MOST_STEPS, _DEEPEST, _MOST_AXES = 1_000_000, 32, 32
# Types of messages in an object header.
_DATASPACE, _LINKS, _DATATYPE, _LINK, _EXTERNAL, _LAYOUT, _FILTERS, _CONTINUED, _GROUP = 1, 2, 3, 6, 7, 8, 11, 16, 17
_SYMBOLIC = 2  # kind of an entry of a group: the name of another place
# Class of a datatype; (precision, places and sizes of exponent and mantissa, bias) -> type.
_INTEGER, _FLOAT = 0, 1
_FLOATS = {(16, 10, 5, 0, 10, 15): "float16", (16, 7, 8, 0, 7, 127): "bfloat16",
           (32, 23, 8, 0, 23, 127): "float32", (64, 52, 11, 0, 52, 1023): "float64"}
_NEWER = ("has a layout of HDF5 that transformers does not write (libver, compression, chunks or links); load it with "
          "transformers, or copy its datasets with h5py's defaults")


class Hdf5Error(ValueError):
    """What a file holds and must not; the text follows its name."""


def read(path: Path) -> dict[str, np.ndarray]:
    """Every dataset of numbers, as float32, by its path, such as ``mobilebert/pooler/dense/kernel:0``.

    Raises Hdf5Error when the file is damaged or has another layout, OSError when it cannot be opened.
    """
    file = _File(path.read_bytes())
    return dict(file.datasets())


class _File:
    """The bytes of a file, and how much reading is left before it counts as hostile."""

    def __init__(self, content: bytes) -> None:
        self._content, self._left, self._unread, self._seen = content, _MOST_STEPS, len(content), set[int]()

    def datasets(self) -> Iterator[tuple[str, np.ndarray]]:
        """(path, numbers), from the root."""
        if not self._content.startswith(_SIGNATURE):
            raise Hdf5Error("is no HDF5 file; download it again")
        version, offsets, lengths = (self._number("<B", place) for place in (8, 13, 14))
        if version > 1 or (offsets, lengths) != (8, 8):
            raise Hdf5Error(_NEWER)
        start = 24 if version == 0 else 28
        base, end = self._number("<Q", start), self._number("<Q", start + 16)
        if base or end > len(self._content):
            raise Hdf5Error("is damaged: it ends early; download it again")
        # The superblock ends with the entry of the root group.
        yield from self._object("", self._number("<Q", start + 40), 0)

    def _object(self, path: str, address: int, depth: int) -> Iterator[tuple[str, np.ndarray]]:
        if address in self._seen or depth > _DEEPEST:
            raise Hdf5Error("is damaged: an object in it is at two places")
        self._seen.add(address)
        messages = dict(self._messages(address))
        if messages.keys() & {_LINKS, _LINK, _EXTERNAL, _FILTERS}:
            raise Hdf5Error(_NEWER)
        if _GROUP in messages:
            tree, heap = struct.unpack_from("<QQ", self._filled(messages[_GROUP], 16))
            for name, child in self._entries(tree, self._heap(heap), depth):
                yield from self._object(f"{path}/{name}" if path else name, child, depth + 1)
        elif path:
            yield path, self._array(path, messages)

    def _messages(self, address: int) -> Iterator[tuple[int, bytes]]:
        """(type, content) of the object header at ``address``, and of the blocks that go on with it."""
        if self._number("<B", address) != 1:
            raise Hdf5Error(_NEWER)
        blocks = [(address + 16, self._number("<I", address + 8))]
        for place, size in blocks:
            end = place + size
            while place + 8 <= end:
                self._spend()
                kind, length, flags = struct.unpack("<HHB", self._span(place, 5))
                content = self._span(place + 8, length)
                place += 8 + length
                if flags & 2:  # stands elsewhere
                    raise Hdf5Error(_NEWER)
                if kind == _CONTINUED:
                    blocks.append(struct.unpack("<QQ", self._filled(content, 16)))
                yield kind, content

    def _heap(self, address: int) -> tuple[int, int]:
        """Place and size of the names of a group."""
        self._expect(address, b"HEAP")
        size, place = self._number("<Q", address + 8), self._number("<Q", address + 24)
        self._span(place, size)
        return place, size

    def _entries(self, address: int, heap: tuple[int, int], depth: int) -> Iterator[tuple[str, int]]:
        """(name, object header) of a group: the leaves of its tree."""
        if address in self._seen or depth > _DEEPEST:
            raise Hdf5Error("is damaged: a part of a group is at two places")
        self._seen.add(address)
        self._expect(address, b"TREE")
        kind, level, count = struct.unpack("<BBH", self._span(address + 4, 4))
        if kind:
            raise Hdf5Error("is damaged: the tree of a group is another one")
        for i in range(count):
            child = self._number("<Q", address + 24 + 8 + 16 * i)
            yield from self._entries(child, heap, depth + 1) if level else self._leaf(child, heap)

    def _leaf(self, address: int, heap: tuple[int, int]) -> Iterator[tuple[str, int]]:
        self._expect(address, b"SNOD")
        for i in range(self._number("<H", address + 6)):
            self._spend()
            name, header, kind = struct.unpack("<QQI", self._span(address + 8 + 40 * i, 20))
            if kind == _SYMBOLIC:
                raise Hdf5Error(_NEWER)
            yield self._name(name, heap), header

    def _name(self, offset: int, heap: tuple[int, int]) -> str:
        place, size = heap
        end = self._content.find(b"\0", place + min(offset, size), place + size)
        if end < 0:
            raise Hdf5Error("is damaged: a name in it does not end")
        try:
            return self._content[place + offset:end].decode()
        except UnicodeDecodeError:
            raise Hdf5Error("is damaged: a name in it is no text") from None

    def _array(self, path: str, messages: dict[int, bytes]) -> np.ndarray:
        if not {_DATASPACE, _DATATYPE, _LAYOUT} <= messages.keys():
            raise Hdf5Error("is damaged: an object in it is neither a group nor a dataset")
        shape, dtype = _shape(messages[_DATASPACE]), _dtype(messages[_DATATYPE])
        if dtype is None:
            raise Hdf5Error(f"holds {path[:200]!a}, which are no numbers of a type that weights have")
        count = math.prod(shape)
        size = count * (2 if dtype == "bfloat16" else np.dtype(dtype).itemsize)
        self._unread -= size
        if self._unread < 0 or max(shape, default=0) > len(self._content):
            raise Hdf5Error("is damaged: its datasets are larger than the file")
        content = self._stored(messages[_LAYOUT], size)
        if dtype == "bfloat16":  # the upper half of a float32
            return (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
        with np.errstate(over="ignore"):
            return np.frombuffer(content, dtype).astype(np.float32).reshape(shape)

    def _stored(self, layout: bytes, size: int) -> bytes:
        """The bytes of a dataset: within its header, or in one piece elsewhere."""
        version, kind = self._filled(layout, 4)[:2]
        if version not in (3, 4) or kind > 1:
            raise Hdf5Error(_NEWER)
        if not size:
            return b""
        if kind == 0:
            (held,), content = struct.unpack_from("<H", layout, 2), layout[4:4 + size]
            if held != size or len(content) != size:
                raise Hdf5Error("is damaged: a dataset is not as long as its shape says")
            return content
        address, held = struct.unpack_from("<QQ", self._filled(layout, 18), 2)
        if address == _NOWHERE or held != size:
            raise Hdf5Error("is damaged: a dataset was never written, or not as long as its shape says")
        return self._span(address, size)

    def _expect(self, address: int, signature: bytes) -> None:
        self._spend()
        if self._span(address, 4) != signature:
            raise Hdf5Error("is damaged: an offset leads elsewhere; download it again")

    def _number(self, form: str, place: int) -> int:
        value: int = struct.unpack(form, self._span(place, struct.calcsize(form)))[0]
        return value

    def _span(self, start: int, size: int) -> bytes:
        if start + size > len(self._content):
            raise Hdf5Error("is damaged: an offset leads outside the file; download it again")
        return self._content[start:start + size]

    def _filled(self, message: bytes, size: int) -> bytes:
        if len(message) < size:
            raise Hdf5Error("is damaged: a part of a header is too short")
        return message

    def _spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Hdf5Error("is damaged: it refers to itself")


def _shape(message: bytes) -> tuple[int, ...]:
    """Of a dataspace message: version 1 has four bytes more before the lengths."""
    version, rank = message[:2] if len(message) >= 4 else (0, 0)
    start = {1: 8, 2: 4}.get(version)
    null = version == 2 and message[3] == 2
    if start is None or null or rank > _MOST_AXES or len(message) < start + 8 * rank:
        raise Hdf5Error("is damaged: a dataset has no shape")
    return struct.unpack_from(f"<{rank}Q", message, start)


def _dtype(message: bytes) -> str | None:
    """NumPy's name of a datatype message, or None for one that is no plain number."""
    if len(message) < 12:
        return None
    kind, order, size = message[0] & 15, ">" if message[1] & 1 else "<", int.from_bytes(message[4:8], "little")
    if kind == _INTEGER and size in (1, 2, 4, 8) and struct.unpack_from("<HH", message, 8) == (0, 8 * size):
        return f"{order}{'i' if message[1] & 8 else 'u'}{size}"
    if kind != _FLOAT or len(message) < 20 or message[1] & 0x40:
        return None
    offset, *form = struct.unpack_from("<HHBBBBI", message, 8)
    name = _FLOATS.get(tuple(form))
    if offset or name is None or size != (2 if name == "bfloat16" else np.dtype(name).itemsize):
        return None
    if name == "bfloat16":
        return name if order == "<" else None
    return f"{order}f{size}"
