"""Kinds of A64 instructions, by their encoding (Arm Architecture Reference Manual, C4.1 and C7.2).

Only what the throughput model tells apart has a kind of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

# What an instruction occupies.
VECTOR, LOAD, STORE, BRANCH, INTEGER = "vector", "load", "store", "branch", "integer"


@dataclass(frozen=True)
class Opcodes:
    """Instructions that the model treats alike."""

    name: str
    # VECTOR, LOAD and so on.
    resource: str
    # An instruction is of this kind if word & mask == value for one of these.
    forms: tuple[tuple[int, int], ...]

    def holds(self, word: int) -> bool:
        """Whether ``word`` is one."""
        return any(word & mask == value for mask, value in self.forms)


# The first kind that fits counts: special ones come before the groups that they are in.
KINDS = (
    Opcodes("sdot", VECTOR, ((0xBFE0FC00, 0x0E809400), (0xBFC0F400, 0x0F80E000))),
    Opcodes("smmla", VECTOR, ((0xFFE0FC00, 0x4E80A400),)),
    Opcodes("fmla f32", VECTOR, ((0xBFE0FC00, 0x0E20CC00), (0xBFC0F400, 0x0F801000))),
    Opcodes("fmla f16", VECTOR, ((0xBFE0FC00, 0x0E400C00), (0xBFC0F400, 0x0F001000))),
    # FCVT{N,P,M,Z,A}{S,U}, SCVTF, UCVTF, in single and in half precision.
    Opcodes("convert int", VECTOR, ((0x9F3FEC00, 0x0E21A800), (0x9F3FEC00, 0x0E21C800),
                                    (0x9F7FEC00, 0x0E79A800), (0x9F7FEC00, 0x0E79C800))),
    Opcodes("convert float", VECTOR, ((0x9F3FEC00, 0x0E216800),)),  # FCVTN, FCVTL
    Opcodes("narrow", VECTOR, ((0x9F3FFC00, 0x0E214800),)),  # SQXTN, UQXTN
    Opcodes("multiply high", VECTOR, ((0x9F20FC00, 0x0E20B400),)),  # SQDMULH, SQRDMULH
    Opcodes("sve", VECTOR, ((0x1E000000, 0x04000000),)),
    Opcodes("load vector", LOAD, ((0xBE400000, 0x0C400000), (0x3C400000, 0x3C400000), (0x3F000000, 0x1C000000))),
    Opcodes("store vector", STORE, ((0xBE400000, 0x0C000000), (0x3C400000, 0x3C000000))),
    Opcodes("load vector pair", LOAD, ((0x3C400000, 0x2C400000),)),
    Opcodes("store vector pair", STORE, ((0x3C400000, 0x2C000000),)),
    Opcodes("load pair", LOAD, ((0x3C400000, 0x28400000),)),
    Opcodes("store pair", STORE, ((0x3C400000, 0x28000000),)),
    Opcodes("store", STORE, ((0x3EC00000, 0x38000000), (0x3F400000, 0x08000000))),
    Opcodes("load", LOAD, ((0x0A000000, 0x08000000),)),
    Opcodes("vector", VECTOR, ((0x0E000000, 0x0E000000),)),
    Opcodes("branch", BRANCH, ((0x1C000000, 0x14000000),)),
    Opcodes("integer", INTEGER, ((0, 0),)),
)


@cache
def kind_of(word: int) -> Opcodes:
    """What the instruction ``word`` is."""
    return next(kind for kind in KINDS if kind.holds(word))
