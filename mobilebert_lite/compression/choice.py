"""What to keep of each block, so that the answers change least at a given cost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mobilebert_lite.architecture.shape import Block
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.compression.cost import Prices, block_prices, multiplications, outside
from mobilebert_lite.compression.cutting import Kept
from mobilebert_lite.compression.knapsack import Item, Part, solve
from mobilebert_lite.compression.statistics import BranchStatistics
from mobilebert_lite.compression.surgeon import Curve, curve
from mobilebert_lite.errors import RequestError
from mobilebert_lite.tasks import Task

UNITS, HEADS, BLOCKS = "units", "heads", "blocks"
STRUCTURES = (UNITS, HEADS, BLOCKS)
# Hidden units are kept in multiples of this: XNNPACK's int8 kernels compute 8 or 16 outputs at once, on ARM and x86.
MULTIPLE = 16


@dataclass(frozen=True)
class Ranking:
    """In which order the parts of a network can go, and what each costs in the answers.

    curves: of each branch, by its name.
    dropped: error of leaving out each block whole; infinite where it cannot be.
    """

    weights: Weights
    curves: dict[str, Curve]
    dropped: list[float]


def rank(weights: Weights, statistics: BranchStatistics,
         progress: Callable[[int, int], None] = lambda done, total: None) -> Ranking:
    """By what ``statistics`` say."""
    curves: dict[str, Curve] = {}
    dropped: list[float] = []
    tensors, blocks = weights.tensors, weights.config.blocks
    for block in blocks:
        scopes = [(scope, 1) for scope in block.networks]
        if block.heads:
            scopes.append((f"{block.name}.attention", block.head_size))
        for scope, group in scopes:
            curves[scope] = curve(statistics.covariance(scope), tensors[f"{scope}.output.kernel"].astype(np.float64),
                                  statistics.metric(scope), group)
        output = f"{block.name}.output"
        if f"{output}.kernel" in tensors and weights.config.normalization_type == "no_norm":
            kernel = tensors[f"{output}.kernel"].astype(np.float64)
            error = kernel.T @ statistics.covariance(output) @ kernel
            dropped.append(float(np.sum(error * statistics.metric(output))))
        else:
            dropped.append(float("inf"))
        progress(len(dropped), len(blocks))
    return Ranking(weights, curves, dropped)


def choose(ranking: Ranking, task: Task, length: int, speedup: float,
           structures: Collection[str] = STRUCTURES) -> list[Kept]:
    """What to keep so that the network takes ``speedup`` times fewer multiplications.

    Raises RequestError where it cannot.
    """
    weights = ranking.weights
    fixed = outside(weights, task, length)
    budget = multiplications(weights, task, length) / speedup - fixed
    priced = list(zip(weights.config.blocks, block_prices(weights.config, task, length), strict=True))
    made = [_item(ranking, block, price, ranking.dropped[i], structures) for i, (block, price) in enumerate(priced)]
    chosen = solve([item for item, _ in made], budget) if budget > 0 else None
    if chosen is None or not any(sizes is not None for sizes in chosen):
        raise RequestError(f"--speedup {speedup:g} cannot be reached by leaving out {', '.join(sorted(structures))}: "
                           "too much of the network stands outside of them; ask for less")
    return [_kept(ranking, block, counts, sizes)
            for (block, _), (_, counts), sizes in zip(priced, made, chosen, strict=True)]


def _item(ranking: Ranking, block: Block, price: Prices, dropped: float, structures: Collection[str]
          ) -> tuple[Item, list[list[int]]]:
    """The block for the knapsack, and the counts that the sizes of its parts stand for."""
    whole = ranking.weights.config.normalization_type == "no_norm"
    parts, counts = [], []
    if block.heads:
        errors = ranking.curves[f"{block.name}.attention"].errors
        allowed = list(range(0 if whole else 1, block.heads + 1)) if HEADS in structures else [block.heads]
        counts.append(allowed)
        parts.append(_part(allowed, errors, lambda count: (price.attention if count else 0) + price.head * count))
    for scope, units in zip(block.networks, block.feed_forward, strict=True):
        allowed = [units]
        if UNITS in structures:
            allowed = [*range(0 if whole else MULTIPLE, units, MULTIPLE), units]
        counts.append(allowed)
        parts.append(_part(allowed, ranking.curves[scope].errors, lambda count: price.unit * count))
    return Item(parts, price.block, dropped if BLOCKS in structures else float("inf")), counts


def _part(counts: Sequence[int], errors: np.ndarray, cost: Callable[[int], int]) -> Part:
    return Part(np.array([cost(count) for count in counts], float),
                np.array([errors[len(errors) - 1 - count] for count in counts]))


def _kept(ranking: Ranking, block: Block, counts: Sequence[Sequence[int]], sizes: tuple[int, ...] | None) -> Kept:
    if sizes is None:
        return Kept((), ((),) * len(block.networks), whole=False)
    numbers = [allowed[i] for allowed, i in zip(counts, sizes, strict=True)]
    heads: tuple[int, ...] = ()
    if block.heads:
        heads = ranking.curves[f"{block.name}.attention"].kept(numbers.pop(0))
    return Kept(heads, tuple(ranking.curves[scope].kept(count)
                             for scope, count in zip(block.networks, numbers, strict=True)))
