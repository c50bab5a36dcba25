"""A double-array trie in the layout of Darts-clone, which tensorflow-text reads its tables from.

Every unit is 32 bits. A node at place p with offset o has its child for byte c at p ^ o ^ c, and its value, if it has
one (bit 8), at p ^ o. Bits 0 to 7 of a node are the byte that leads to it; bits 10 to 30 are o, in units of 256 where
bit 9 is set. A value has bit 31 set. Source: ``DoubleArrayUnit`` in darts.h of s-yata/darts-clone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_HAS_VALUE, _IS_VALUE, _OFFSET_BIT, _MOST = 1 << 8, 1 << 31, 10, 1 << 21
# Places that are looked at together.
_CHUNK = 2048
# The pseudo-byte under which a node's own value stands.
_VALUE = -1

# A node's children: (byte, number of the child's own block), and (-1, value).
_Block = tuple[tuple[int, int], ...]


def build(table: Mapping[bytes, int]) -> np.ndarray:
    """uint32 [n]: the trie of ``table``, whose keys are not empty and hold no zero byte; values are below 2**31.

    Equal subtrees are stored once. Raises ValueError when the trie is too large for its offsets.
    """
    blocks: dict[_Block, int] = {}
    root = _number(_tree(table), blocks)
    units = _Units()
    units.occupy(0)
    bases: list[int] = []
    valued = [block[0][0] == _VALUE for block in blocks]
    for block in blocks:  # children stand before their parents
        bases.append(units.place(block, bases, valued))
    # The root stands at 0 and is nobody's child.
    units.words[0] = node(0, 0, bases[root], False)
    return units.words[:units.end]


def _tree(table: Mapping[bytes, int]) -> dict[int, Any]:
    root: dict[int, Any] = {}
    for key, value in table.items():
        node = root
        for byte in key:
            node = node.setdefault(byte, {})
        node[_VALUE] = value
    return root


def _number(node: dict[int, Any], blocks: dict[_Block, int]) -> int:
    """The number of the block for ``node``, which is added unless an equal one is there."""
    block = tuple(sorted((byte, child if byte == _VALUE else _number(child, blocks)) for byte, child in node.items()))
    return blocks.setdefault(block, len(blocks))


class _Units:
    """The array while it is filled."""

    def __init__(self) -> None:
        self.words = np.zeros(_MOST, np.uint32)
        self.free = np.ones(_MOST, bool)
        # Two blocks at one base would find each other's children.
        self.base = np.zeros(_MOST, bool)
        self.first, self.end = 0, 256

    def occupy(self, place: int) -> None:
        """Take one unit."""
        self.free[place] = False
        self.end = max(self.end, (place | 255) + 1)

    def place(self, block: _Block, bases: list[int], valued: Sequence[bool]) -> int:
        """Store ``block`` and return the base that its parents point to; ``valued`` says which blocks hold a value."""
        labels = np.array([max(byte, 0) for byte, _ in block])
        base = self._find(labels)
        self.base[base] = True
        for byte, content in block:
            place = base ^ max(byte, 0)
            self.occupy(place)
            self.words[place] = (content | _IS_VALUE if byte == _VALUE
                                 else node(place, byte, bases[content], valued[content]))
        return base

    def _find(self, labels: np.ndarray) -> int:
        """The first base at which all labels are free."""
        while not self.free[self.first]:
            self.first += 1
        for start in range(self.first, _MOST - _CHUNK, _CHUNK):
            bases = (np.flatnonzero(self.free[start:start + _CHUNK]) + start) ^ labels[0]
            bases = bases[~self.base[bases]]
            fitting = self.free[bases[:, None] ^ labels].all(axis=1)
            if fitting.any():
                return int(bases[fitting.argmax()])
        raise ValueError("the table is too large for one trie")


def node(place: int, byte: int, base: int, valued: bool) -> int:
    """The unit of a node at ``place``, reached by ``byte``, whose children are at ``base``."""
    return (place ^ base) << _OFFSET_BIT | (_HAS_VALUE if valued else 0) | byte
