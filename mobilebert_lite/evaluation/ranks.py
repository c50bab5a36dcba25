"""How many times larger one group of measurements is than another, with intervals by ranks: NumPy alone.

Latencies have two peaks, long tails and neighbors that are alike, so nothing is assumed of how they are distributed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from mobilebert_lite.evaluation.statistics import CONFIDENCE, Interval

# Above, the normal approximation of a count of ranks is as good as the exact one.
_EXACT = 64
# Neighbors that are more alike than this leave too little to estimate how alike they are.
_MOST_ALIKE = 0.8


Values = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Ratio:
    """How many times larger the second group is, with its interval."""

    interval: Interval
    # Whether there are enough values for an interval of this confidence; otherwise it is the range of the ratios.
    enough: bool

    @property
    def differs(self) -> bool:
        """Whether the interval excludes 1."""
        return self.enough and not self.interval.low <= 1 <= self.interval.high


def paired(first: Values, second: Values) -> Ratio:
    """The ratio of values that were measured side by side, pair by pair; all are above 0.

    The center is the median of the means of all two pairs' logarithms (Hodges and Lehmann 1963), the interval that of
    Wilcoxon's signed ranks (Hollander, Wolfe, Chicken, Nonparametric Statistical Methods, 3.3). Equal files give
    ratios that lie as often above 1 as below, which is all that it needs.
    """
    logs = np.log(np.asarray(second, np.float64)) - np.log(np.asarray(first, np.float64))
    rows, columns = np.triu_indices(len(logs))
    means = np.sort((logs[rows] + logs[columns]) / 2)
    return _ratio(means, _signed_ranks(len(logs)), _stretch(logs))


def independent(first: Values, second: Values) -> Ratio:
    """The ratio of values that were measured apart; all are above 0.

    The center is the median of all differences of logarithms, the interval that of the rank sum (Hollander, Wolfe,
    Chicken, 4.3).
    """
    before, after = np.log(np.asarray(first, np.float64)), np.log(np.asarray(second, np.float64))
    differences = np.sort((after[:, None] - before[None, :]).ravel())
    return _ratio(differences, _rank_sum(len(before), len(after)), max(_stretch(before), _stretch(after)))


def _ratio(ordered: np.ndarray, outside: int, stretch: float) -> Ratio:
    """The median of ``ordered`` logarithms, and those that have ``outside`` - 1 others beyond them, ``stretch`` times
    as far from it."""
    center = float(np.median(ordered))
    low, high = ordered[max(outside, 1) - 1], ordered[-max(outside, 1)]
    low, high = center + stretch * (low - center), center + stretch * (high - center)
    return Ratio(Interval(*(float(np.exp(value)) for value in (center, low, high))), outside > 0)


def _stretch(values: np.ndarray) -> float:
    """By how much the spread of a mean of ``values`` in their order exceeds that of values without any order: the
    square root of (1 + r) / (1 - r), where r is the correlation of neighbors."""
    if len(values) < 3:
        return 1.0
    rest = values - np.median(values)
    # A single interruption must not decide.
    limit = 3 * np.median(np.abs(rest))
    rest = np.clip(rest, -limit, limit)
    total = float((rest * rest).sum())
    alike = float((rest[1:] * rest[:-1]).sum()) / total if total else 0.0
    alike += (1 + 3 * max(alike, 0.0)) / len(values)  # the estimate is too small by so much (Kendall 1954)
    alike = min(max(alike, 0.0), _MOST_ALIKE)
    return math.sqrt((1 + alike) / (1 - alike))


@cache
def _signed_ranks(count: int) -> int:
    """The largest k for which a sum of signed ranks of ``count`` pairs is below k by chance with at most half of what
    the confidence leaves; 0 where there is none."""
    if count > _EXACT:
        return _normal(count * (count + 1) / 4, math.sqrt(count * (count + 1) * (2 * count + 1) / 24))
    ways = np.zeros(count * (count + 1) // 2 + 1)
    ways[0] = 1.0
    for rank in range(1, count + 1):
        ways[rank:] += ways[:-rank].copy()
        ways /= 2
    return _below(ways)


@cache
def _rank_sum(first: int, second: int) -> int:
    """As ``_signed_ranks``, for Mann and Whitney's count of two groups."""
    if first * second > _EXACT * _EXACT:
        return _normal(first * second / 2, math.sqrt(first * second * (first + second + 1) / 12))
    # ways[i][u]: orders of i values of the first group and of those of the second seen so far that give the count u.
    ways = np.zeros((first + 1, first * second + 1))
    ways[:, 0] = 1.0
    for j in range(1, second + 1):
        for i in range(1, first + 1):
            # The largest of all is of the first group (it is above all j others) or of the second.
            added = np.zeros_like(ways[i])
            added[j:] = ways[i - 1][:-j]
            ways[i] = (i * added + j * ways[i]) / (i + j)
    return _below(ways[first])


def _below(chances: np.ndarray) -> int:
    return int(np.searchsorted(np.cumsum(chances), (1 - CONFIDENCE) / 2 * (1 + 1e-12), side="right"))


def _normal(mean: float, deviation: float) -> int:
    # 97.5 % of a normal distribution lie below 1.96 deviations.
    return max(0, math.floor(mean - 1.959964 * deviation + 0.5))
