"""The sorted table that TensorFlow keeps the index of a checkpoint in, read and written with sums that are right.

Format: LevelDB's table (tensorflow/core/lib/io/format.cc, block_builder.cc): blocks of entries, then a block that lists
the blocks, then a footer. TensorFlow packs none of them.
"""

from __future__ import annotations

import struct
from functools import cache

MAGIC = 0xDB4775248B80FB57
FOOTER = 48


@cache
def _sums() -> tuple[int, ...]:
    """What each byte does to a CRC-32C."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


def masked_sum(content: bytes) -> int:
    """CRC-32C, turned as TensorFlow stores it."""
    table, value = _sums(), 0xFFFFFFFF
    for byte in content:
        value = value >> 8 ^ table[value & 255 ^ byte]
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    parts = []
    while value >= 128:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def read_varint(content: bytes, place: int) -> tuple[int, int]:
    """(the number, where it ends)."""
    value = shift = 0
    while content[place] & 128:
        value, shift, place = value | (content[place] & 127) << shift, shift + 7, place + 1
    return value | content[place] << shift, place + 1


def read(content: bytes) -> list[tuple[bytes, bytes]]:
    """(key, value) of every entry, in their order."""
    place = len(content) - FOOTER
    for _ in range(2):  # the list of other tables, which is empty, and the list of blocks
        _, place = read_varint(content, place)
        _, place = read_varint(content, place)
    _, start = read_varint(content, len(content) - FOOTER)
    _, start = read_varint(content, start)
    offset, start = read_varint(content, start)
    size, _ = read_varint(content, start)
    found = []
    for _, handle in _block(content[offset:offset + size]):
        offset, place = read_varint(handle, 0)
        size, _ = read_varint(handle, place)
        found += _block(content[offset:offset + size])
    return found


def _block(content: bytes) -> list[tuple[bytes, bytes]]:
    (restarts,) = struct.unpack("<I", content[-4:])
    end, place, key, found = len(content) - 4 - 4 * restarts, 0, b"", []
    while place < end:
        shared, place = read_varint(content, place)
        more, place = read_varint(content, place)
        size, place = read_varint(content, place)
        key = key[:shared] + content[place:place + more]
        found.append((key, content[place + more:place + more + size]))
        place += more + size
    return found


def write(entries: list[tuple[bytes, bytes]], packing: int = 0, restarts: int | None = None,
          shared: int = 0) -> bytes:
    """A table of one block. ``packing``, ``restarts`` and ``shared`` are what the block says, wrong or not."""
    content = b""
    last = entries[-1][0] + b"\xff" if entries else b"\xff"
    handles = []
    for block, kind in ((_written(entries, restarts, shared), packing), (_written([]), 0)):
        handles.append(varint(len(content)) + varint(len(block)))
        content += _closed(block, kind)
    index = _written([(last, handles[0])])
    handles.append(varint(len(content)) + varint(len(index)))
    return content + _closed(index, 0) + (handles[1] + handles[2]).ljust(FOOTER - 8, b"\0") + struct.pack("<Q", MAGIC)


def _written(entries: list[tuple[bytes, bytes]], restarts: int | None = None, shared: int = 0) -> bytes:
    body = b"".join(varint(shared if i else 0) + varint(len(key)) + varint(len(value)) + key + value
                    for i, (key, value) in enumerate(entries))
    starts, place = [], 0
    for i, (key, value) in enumerate(entries):
        starts.append(place)
        place += len(varint(shared if i else 0) + varint(len(key)) + varint(len(value)) + key + value)
    starts = starts or [0]
    count = len(starts) if restarts is None else restarts & 0xFFFFFFFF
    return body + struct.pack(f"<{len(starts)}I", *starts) + struct.pack("<I", count)


def _closed(block: bytes, packing: int) -> bytes:
    kind = bytes([packing])
    return block + kind + struct.pack("<I", masked_sum(block + kind))
