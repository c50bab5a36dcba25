"""A model of throughput: how many cycles a core needs for a block of instructions that runs again and again.

Each block takes as long as the resource that it keeps busiest: the width of the core, its vector units, its ports for
loads and stores, its branch units. Nothing waits: no caches, no latencies, no mispredicted branches. Widths and slots
follow Arm's software optimization guides of the two cores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mobilebert_lite.cost.instructions import BRANCH, INTEGER, KINDS, LOAD, STORE, VECTOR

_RESOURCES = {kind.name: kind.resource for kind in KINDS}


@dataclass(frozen=True)
class Core:
    """What a core does in a cycle."""

    # QEMU's name of the processor.
    name: str
    # Phones that have such a core.
    title: str
    # Instructions.
    width: int
    # Vector instructions.
    vectors: int
    # Loads and stores together.
    memory: int
    stores: int
    branches: int
    integers: int
    # Kind of instruction -> how many slots of its resource one takes; 1 for those that are not named.
    slots: Mapping[str, int] = field(default_factory=dict)

    def cycles(self, counts: Mapping[str, float]) -> float:
        """For one run of a block that has ``counts`` of each kind of instruction."""
        used = dict.fromkeys((VECTOR, LOAD, STORE, BRANCH, INTEGER), 0.0)
        for kind, count in counts.items():
            used[_RESOURCES[kind]] += count * self.slots.get(kind, 1)
        return max(sum(counts.values()) / self.width, used[VECTOR] / self.vectors,
                   (used[LOAD] + used[STORE]) / self.memory, used[STORE] / self.stores,
                   used[BRANCH] / self.branches, used[INTEGER] / self.integers)

    def describe(self) -> str:
        """The assumptions, in one line."""
        slots = ", ".join(f"{kind} {slots}" for kind, slots in self.slots.items())
        return (f"{self.name} ({self.title}): per cycle {self.width} instructions, {self.vectors} vector, "
                f"{self.memory} loads or stores, {self.stores} stores, {self.branches} branches, "
                f"{self.integers} integer; slots other than 1: {slots}")


_PAIRS = {"load vector pair": 2, "store vector pair": 2, "store pair": 2}
CORES = {core.name: core for core in (
    Core("cortex-a76", "Pixel 4 and 5", width=4, vectors=2, memory=2, stores=1, branches=1, integers=3,
         slots={"convert int": 4, "convert float": 2, "narrow": 2, "multiply high": 4, **_PAIRS}),
    Core("neoverse-v1", "with i8mm: as Cortex-X2 and X3, Pixel 8 and later", width=6, vectors=4, memory=3, stores=2,
         branches=2, integers=4, slots={"convert int": 2, "convert float": 2, "narrow": 2, "multiply high": 2,
                                        **_PAIRS}),
)}
