"""How sure a score is, and whether two models differ: NumPy alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

RESAMPLES, SEED, CONFIDENCE = 1000, 0, 0.95
PERCENTILES = (50, 90, 95, 99)


@dataclass(frozen=True)
class Interval:
    """A value with the range in which it would fall for other examples of the same kind."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """For reports."""
        return asdict(self)


@dataclass(frozen=True)
class McNemar:
    """Whether one of two models is right where the other is wrong more often than chance would have it."""

    # Examples that only the first, and only the second, has right.
    only_first: int
    only_second: int
    # Probability of a split as uneven as this one or more, were the two equally good.
    p: float


def resample(count: int, statistic: Callable[[np.ndarray], float], resamples: int = RESAMPLES,
             seed: int = SEED) -> Interval:
    """``statistic`` of all indices 0 … count-1 with its percentile bootstrap interval (Efron 1979).

    The indices are drawn with replacement ``resamples`` times from a generator seeded with ``seed``: the same input
    gives the same interval.
    """
    rng = np.random.default_rng(seed)
    values = [statistic(rng.integers(0, count, count)) for _ in range(resamples)]
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(values, (tail, 100 - tail))
    return Interval(statistic(np.arange(count)), float(low), float(high))


def mcnemar(first: np.ndarray, second: np.ndarray) -> McNemar:
    """The exact two-sided test (McNemar 1947) on bool [n] each: what the two models have right."""
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    return McNemar(only_first, only_second, _binomial(min(only_first, only_second), only_first + only_second))


def _binomial(least: int, count: int) -> float:
    """Probability of ``least`` or fewer heads, or tails, in ``count`` throws."""
    terms = [math.lgamma(count + 1) - math.lgamma(i + 1) - math.lgamma(count - i + 1) - count * math.log(2)
             for i in range(least + 1)]
    return min(1.0, 2 * math.fsum(map(math.exp, terms)))


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """Mean, least, greatest and percentiles, rounded to a microsecond; empty where there is nothing."""
    if not milliseconds:
        return {}
    values = np.asarray(milliseconds, np.float64)
    row = {"mean": values.mean(), "min": values.min(),
           **{f"p{q}": np.percentile(values, q) for q in PERCENTILES}, "max": values.max()}
    return {name: round(float(value), 3) for name, value in row.items()}
