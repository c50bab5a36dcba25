"""Intervals of ratios against SciPy's tests: what lies within is what they do not reject."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import scipy.stats

from mobilebert_lite.evaluation.ranks import Ratio, independent, paired

Compare = Callable[[Sequence[float], Sequence[float]], Ratio]


def without_order(values: np.ndarray) -> np.ndarray:
    """High and low in turn, so that neighbors are unlike and no interval is stretched."""
    ordered = np.sort(values)
    return np.concatenate([[low, high] for low, high in zip(ordered[:len(values) // 2], ordered[::-1], strict=False)])


@pytest.mark.parametrize("count", [6, 11, 20, 40])
def test_pairs_as_wilcoxon_has_them(count: int) -> None:
    rng = np.random.default_rng(count)
    logs = without_order(rng.normal(0.1, 0.3, 2 * (count // 2)))
    first = rng.uniform(1, 2, len(logs))
    found = paired(first, first * np.exp(logs))
    assert found.enough
    for end, inwards in ((found.interval.low, 1), (found.interval.high, -1)):
        inside, outside = (scipy.stats.wilcoxon(logs - np.log(end) - shift, method="exact").pvalue
                           for shift in (1e-9 * inwards, -1e-9 * inwards))
        assert inside > 0.05 >= outside


@pytest.mark.parametrize(("before", "after"), [(4, 4), (6, 12), (20, 20)])
def test_groups_as_mann_and_whitney_have_them(before: int, after: int) -> None:
    rng = np.random.default_rng(before)
    first, second = (without_order(rng.gamma(9, 1, count)) for count in (before, after))
    found = independent(first, second)
    assert found.enough
    for end, inwards in ((found.interval.low, 1), (found.interval.high, -1)):
        inside, outside = (scipy.stats.mannwhitneyu(np.log(second) - np.log(end) - shift, np.log(first),
                                                    method="exact").pvalue
                           for shift in (1e-9 * inwards, -1e-9 * inwards))
        assert inside > 0.05 >= outside


@pytest.mark.parametrize(("compare", "few"), [(paired, 5), (independent, 3)])
def test_few_values_decide_nothing(compare: Compare, few: int) -> None:
    """Five pairs are all on one side by chance in 6 of 100 cases; the range of the ratios is shown."""
    first = np.linspace(1, 2, few)
    found = compare(first, 5 * first)
    assert not found.enough
    assert not found.differs
    assert found.interval.value == pytest.approx(5)
    assert compare(np.linspace(1, 2, few + 1), 5 * np.linspace(1, 2, few + 1)).differs


def two_peaks(rng: np.random.Generator, count: int) -> np.ndarray:
    """Half of the inferences wait for a processor, for three times as long."""
    return np.where(rng.random(count) < 0.5, 1.0, 3.0) * rng.uniform(0.95, 1.05, count)


@pytest.mark.parametrize("compare", [paired, independent])
@pytest.mark.parametrize("draw", [two_peaks, lambda rng, count: 1 + rng.pareto(1.2, count)], ids=["peaks", "tail"])
def test_equal_files_are_equal(compare: Compare, draw: Callable[[np.random.Generator, int], np.ndarray]) -> None:
    """Of 200 comparisons at most 5 % have an interval that leaves out 1, whatever the distribution."""
    rng = np.random.default_rng(0)
    outside = sum(compare(draw(rng, 20), draw(rng, 20)).differs for _ in range(200))
    assert outside <= 10


def test_neighbors_that_are_alike_widen_the_interval() -> None:
    """The same values give a narrower interval in an order without runs."""
    values = np.exp(np.repeat([0.0, 0.4, 0.1, 0.5], 5) + np.random.default_rng(0).normal(0, 0.01, 20))
    together, mixed = (paired(np.ones(20), order).interval for order in (values, without_order(values)))
    assert together.value == pytest.approx(mixed.value)
    assert together.high / together.low > 1.3 * mixed.high / mixed.low


def test_what_both_share_goes_away() -> None:
    """A slow minute that fell on both leaves their ratio as it is, when they are compared pair by pair."""
    slow = 1 + without_order(np.random.default_rng(0).uniform(0, 2, 20))
    first = slow * without_order(np.random.default_rng(0).uniform(0.99, 1.01, 20))
    together, apart = (compare(first, 1.1 * slow) for compare in (paired, independent))
    assert together.differs
    assert together.interval.value == pytest.approx(1.1, rel=0.01)
    assert not apart.differs
