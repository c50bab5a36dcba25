"""The least error within a budget: one choice for each part, over all parts of the network at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Steps that the budget is divided into.
_STEPS = 2000


@dataclass(frozen=True)
class Part:
    """One part of a block that can be made smaller: what each of its sizes costs, and the error that it leaves.

    costs, errors: float64 [sizes].
    """

    costs: np.ndarray
    errors: np.ndarray


@dataclass(frozen=True)
class Item:
    """A block: its parts, what it costs beside them, and the error of leaving it out whole (infinite: it must stay)."""

    parts: Sequence[Part]
    cost: float
    dropped: float


def solve(items: Sequence[Item], budget: float) -> list[tuple[int, ...] | None] | None:
    """For each item the chosen size of each part, or None where it is left out; None where nothing fits ``budget``.

    Costs are rounded to steps of the budget, so a budget that the rounding exceeds is tried a little smaller.
    """
    allowed = budget
    for _ in range(40):
        if (found := _solve(items, allowed, budget / _STEPS)) is None:
            return None
        if total(items, found) <= budget:
            return found
        allowed -= budget / _STEPS
    return None


def total(items: Sequence[Item], chosen: Sequence[tuple[int, ...] | None]) -> float:
    """What ``chosen`` costs."""
    return sum(item.cost + sum(float(part.costs[i]) for part, i in zip(item.parts, sizes, strict=True))
               for item, sizes in zip(items, chosen, strict=True) if sizes is not None)


def _solve(items: Sequence[Item], budget: float, step: float) -> list[tuple[int, ...] | None] | None:
    """Dynamic programming. ``best[b]`` is the least error of the items so far at a cost of exactly b steps."""
    size = int(budget / step) + 1
    best = np.full(size, np.inf)
    best[0] = 0.0
    stages = []
    for item in items:
        inside = _shifted(best, round(item.cost / step))
        choices = []
        for part in item.parts:
            inside, chosen = _with(part, inside, step)
            choices.append(chosen)
        without = best + item.dropped
        stages.append((choices, without <= inside))
        best = np.minimum(inside, without)
    if not np.isfinite(best).any():
        return None
    return _traced(items, stages, int(best.argmin()), step)


def _with(part: Part, before: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """The errors after ``part``, and which of its sizes gives them. *Shape:* [steps] → [steps], int [steps]"""
    rows = np.array([_shifted(before, round(cost / step)) + error
                     for cost, error in zip(part.costs, part.errors, strict=True)])
    chosen = rows.argmin(axis=0)
    return rows[chosen, np.arange(len(before))], chosen


def _traced(items: Sequence[Item], stages: Sequence[tuple[list[np.ndarray], np.ndarray]], at: int,
            step: float) -> list[tuple[int, ...] | None]:
    found: list[tuple[int, ...] | None] = []
    for item, (choices, without) in zip(items[::-1], stages[::-1], strict=True):
        if without[at]:
            found.append(None)
            continue
        sizes = []
        for part, chosen in zip(item.parts[::-1], choices[::-1], strict=True):
            sizes.append(int(chosen[at]))
            at -= round(float(part.costs[sizes[-1]]) / step)
        at -= round(item.cost / step)
        found.append(tuple(sizes[::-1]))
    return found[::-1]


def _shifted(values: np.ndarray, steps: int) -> np.ndarray:
    moved = np.full_like(values, np.inf)
    if steps < len(values):
        moved[steps:] = values[:len(values) - steps]
    return moved
