"""The sorted table that TensorFlow keeps the index of a checkpoint in; safe on hostile bytes.

TensorFlow's own reader trusts what stands in it: numbers of a damaged index end the process. Every offset is checked
here, and each block is read once. Format: LevelDB's table (tensorflow/core/lib/io/format.cc, block_builder.cc), which
TensorFlow writes without compression.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_FOOTER, _TRAILER = 48, 5
# Of a number of 64 bits, seven in each byte.
_LONGEST_NUMBER = 10


class TableError(ValueError):
    """What a table holds and must not."""


def read(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of every entry; keys rise. Raises TableError for a damaged table."""
    if len(content) < _FOOTER or not content.endswith(_MAGIC):
        raise TableError("it does not end as an index does")
    footer = content[-_FOOTER:]
    place = 0
    for _ in range(2):  # a list of other tables, which is empty
        _, place = _number(footer, place)
    left, last = len(content), None
    for _, handle in _entries(_block(content, footer, place)):
        block = _block(content, handle, 0)
        left -= len(block)
        if left < 0:
            raise TableError("its blocks are larger than the file")
        for key, value in _entries(block):
            if last is not None and key <= last:
                raise TableError("its names are not in order")
            last = key
            yield key, value


def _block(content: bytes, handle: bytes, place: int) -> bytes:
    """The block whose offset and size stand in ``handle``."""
    offset, place = _number(handle, place)
    size, _ = _number(handle, place)
    if offset + size + _TRAILER > len(content) or size < 4:
        raise TableError("an offset leads outside it")
    if content[offset + size]:
        raise TableError("a block is compressed, as TensorFlow writes none")
    return content[offset:offset + size]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Of one block: keys are told by what they share with the key before."""
    (restarts,) = struct.unpack("<I", block[-4:])
    end, place, key = len(block) - 4 - 4 * restarts, 0, b""
    if end < 0:
        raise TableError("a block is shorter than it says")
    while place < end:
        shared, place = _number(block, place)
        more, place = _number(block, place)
        size, place = _number(block, place)
        if shared > len(key) or place + more + size > end:
            raise TableError("an entry goes on after its block")
        key = key[:shared] + block[place:place + more]
        place += more + size
        yield key, block[place - size:place]


def _number(content: bytes, place: int) -> tuple[int, int]:
    """(a number of seven bits a byte, where it ends)."""
    value = 0
    for i, byte in enumerate(content[place:place + _LONGEST_NUMBER]):
        value |= (byte & 127) << 7 * i
        if byte < 128:
            return value, place + i + 1
    raise TableError("a number in it does not end")
