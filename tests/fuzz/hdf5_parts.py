"""``tf_model.h5`` by its structure: superblock, object headers and their messages, trees, leaves and names of groups.

Format: "HDF5 File Format Specification Version 3.0", what h5py writes by default (superblock 0, object headers 1).
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator, Sequence

from hostile_values import Case, damaged_bytes, number

NAME = "tf_model.h5"
# (offset, size) of the numbers of each part.
SUPERBLOCK = ((8, 1), (9, 1), (10, 1), (13, 1), (14, 1), (16, 2), (18, 2), (20, 4), (24, 8), (32, 8), (40, 8), (48, 8),
              (56, 8), (64, 8), (72, 4), (80, 8), (88, 8))
TREE = ((4, 1), (5, 1), (6, 2), (8, 8), (16, 8), (24, 8), (32, 8), (40, 8))
HEAP = ((4, 1), (8, 8), (16, 8), (24, 8))
ENTRY = ((0, 8), (8, 8), (16, 4), (24, 8), (32, 8))
LEAF = ((4, 1), (6, 2), *((8 + 40 * i + at, size) for i in range(2) for at, size in ENTRY))
HEADER = ((0, 1), (2, 2), (4, 4), (8, 4))
MESSAGE = ((0, 2), (2, 2), (4, 1))
DATASPACE, DATATYPE, LAYOUT = 1, 3, 8
# Messages of kinds that files of weights do not have.
KINDS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 15, 16, 17, 18, 21, 0xFFFF)


def mutate(rng: random.Random, case: Case) -> tuple[str, Case]:
    """The file of ``case`` damaged."""
    content = case[NAME]
    change = rng.choice(CHANGES)
    return change.__name__.strip("_"), {**case, NAME: change(rng, content)}


def _found(content: bytes, signature: bytes) -> list[int]:
    places, place = [], content.find(signature)
    while place >= 0:
        places.append(place)
        place = content.find(signature, place + 4)
    return places


def headers(content: bytes) -> list[int]:
    """Addresses of object headers: the root's, and those that the leaves of groups lead to."""
    found = [struct.unpack_from("<Q", content, 64)[0]]
    for leaf in _found(content, b"SNOD"):
        (count,) = struct.unpack_from("<H", content, leaf + 6)
        found += [struct.unpack_from("<Q", content, leaf + 16 + 40 * i)[0] for i in range(count)]
    return found


def messages(content: bytes, header: int) -> Iterator[tuple[int, int, int]]:
    """(place, kind, length) of the messages in the first block of an object header."""
    (size,) = struct.unpack_from("<I", content, header + 8)
    place, end = header + 16, header + 16 + size
    while place + 8 <= end:
        kind, length = struct.unpack_from("<HH", content, place)
        yield place, kind, length
        place += 8 + length


def _put(content: bytes, place: int, size: int, value: int) -> bytes:
    return content[:place] + (value & (1 << 8 * size) - 1).to_bytes(size, "little") + content[place + size:]


def _field(rng: random.Random, content: bytes, places: Sequence[int], fields: Sequence[tuple[int, int]]) -> bytes:
    """Another number for one of the fields, or for one of each part: also an address of another part."""
    addresses = [*_found(content, b"TREE"), *_found(content, b"HEAP"), *_found(content, b"SNOD"), *headers(content)]
    for place in rng.sample(places, min(len(places), rng.choice((1, 1, 1, 3)))):
        offset, size = rng.choice(fields)
        value = rng.choice(addresses) if size == 8 and rng.random() < 0.4 else number(rng, place, len(content))
        content = _put(content, place + offset, size, value)
    return content


def _superblock(rng: random.Random, content: bytes) -> bytes:
    return _field(rng, content, [0], SUPERBLOCK)


def _tree(rng: random.Random, content: bytes) -> bytes:
    return _field(rng, content, _found(content, b"TREE"), TREE)


def _heap(rng: random.Random, content: bytes) -> bytes:
    return _field(rng, content, _found(content, b"HEAP"), HEAP)


def _leaf(rng: random.Random, content: bytes) -> bytes:
    return _field(rng, content, _found(content, b"SNOD"), LEAF)


def _header(rng: random.Random, content: bytes) -> bytes:
    return _field(rng, content, headers(content), HEADER)


def _message(rng: random.Random, content: bytes) -> bytes:
    """Kind, length or flags of a message."""
    place, _, _ = rng.choice([one for header in headers(content) for one in messages(content, header)])
    if rng.random() < 0.5:
        return _put(content, place, 2, rng.choice(KINDS))
    return _field(rng, content, [place], MESSAGE)


def _body(kind: int) -> Callable[[random.Random, bytes], bytes]:
    """Numbers inside messages of ``kind``: ranks and lengths, classes and sizes of types, places."""
    def change(rng: random.Random, content: bytes) -> bytes:
        found = [one for header in headers(content) for one in messages(content, header) if one[1] == kind]
        for place, _, length in rng.sample(found, min(len(found), rng.choice((1, 1, len(found))))):
            size = rng.choice((1, 1, 2, 4, 8))
            at = rng.randrange(0, max(length - size, 0) + 1)
            at -= at % size if size < 8 or rng.random() < 0.5 else 0
            content = _put(content, place + 8 + at, size, number(rng, length, len(content)))
        return content
    change.__name__ = {DATASPACE: "shape", DATATYPE: "type", LAYOUT: "place"}[kind]
    return change


def _names(rng: random.Random, content: bytes) -> bytes:
    """Names of objects: of other characters, without an end, or leading to each other."""
    changed = bytearray(content)
    heap = rng.choice(_found(content, b"HEAP"))
    size, _, place = struct.unpack_from("<QQQ", content, heap + 8)
    for _ in range(rng.choice((1, 3, 20))):
        changed[place + rng.randrange(max(size, 1))] = rng.choice(b"\0\x1b\xff/.\nx")
    if rng.random() < 0.2:
        changed[place:place + size] = b"x" * size
    return bytes(changed)


def _raw(rng: random.Random, content: bytes) -> bytes:
    return damaged_bytes(rng, content)[1]


CHANGES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _superblock, _tree, _heap, _leaf, _leaf, _header, _message, _message, _body(DATASPACE), _body(DATATYPE),
    _body(LAYOUT), _names, _raw)
