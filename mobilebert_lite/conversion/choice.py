"""Which of several files is best, where a difference within its interval is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mobilebert_lite.conversion.timing import typical
from mobilebert_lite.evaluation import ranks
from mobilebert_lite.evaluation.statistics import resample

# Sizes are exact, but nobody chooses a file for less.
_SAME_SIZE = 0.01


@dataclass(frozen=True)
class Trial:
    """One file as it was tried; all trials are of the same examples and the same turns."""

    name: str
    bytes: int
    # Milliseconds of inferences, in turn with those of the other files.
    times: np.ndarray
    # Number of examples, and the score of some of them.
    examples: int
    score: Callable[[np.ndarray], float]

    @cached_property
    def milliseconds(self) -> float:
        """See ``timing.typical``."""
        return typical(self.times)


def by_score(one: Trial, other: Trial) -> int:
    """1 where ``one`` scores better than ``other``, -1 where worse, 0 where the interval of the difference over
    resampled examples holds 0."""
    found = resample(one.examples, lambda chosen: one.score(chosen) - other.score(chosen))
    return int(found.low > 0) - int(found.high < 0)


def by_size(one: Trial, other: Trial) -> int:
    """1 where ``one`` is smaller by more than 1 %."""
    return int(one.bytes < (1 - _SAME_SIZE) * other.bytes) - int(other.bytes < (1 - _SAME_SIZE) * one.bytes)


def by_speed(one: Trial, other: Trial) -> int:
    """1 where ``one`` is faster, by the interval of their ratio turn by turn."""
    found = ranks.paired(other.times, one.times)
    return 0 if not found.differs else 1 if found.interval.value < 1 else -1


def best(trials: Sequence[Trial]) -> Trial:
    """The fastest; of those that are level with it the smallest, and of these the one that scores best."""
    left = sorted(trials, key=lambda one: one.milliseconds)
    for order, figure in ((by_speed, lambda one: one.milliseconds), (by_size, lambda one: one.bytes),
                          (by_score, lambda one: -one.score(np.arange(one.examples)))):
        first = min(left, key=figure)
        left = [one for one in left if one is first or order(one, first) >= 0]
    return left[0]


def undominated(one: Trial, trials: Sequence[Trial]) -> bool:
    """Whether no other is better than ``one`` in something and worse in nothing."""
    return not any(_dominates(other, one) for other in trials if other is not one)


def _dominates(one: Trial, other: Trial) -> bool:
    better = False
    for order in (by_size, by_speed, by_score):  # resampling scores takes longest
        sign = order(one, other)
        if sign < 0:
            return False
        better = better or sign > 0
    return better
