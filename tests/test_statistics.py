"""Intervals, McNemar's test and percentiles against values worked out otherwise."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from mobilebert_lite.evaluation.statistics import mcnemar, percentiles, resample


def outcomes(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    rows = [(True, True)] * both + [(True, False)] * first + [(False, True)] * second + [(False, False)] * neither
    a, b = np.array(rows).T
    return a, b


@pytest.mark.parametrize(("first", "second"), [(10, 2), (2, 10), (0, 1), (5, 5), (30, 17), (400, 500)])
def test_mcnemar_is_the_exact_binomial(first: int, second: int) -> None:
    test = mcnemar(*outcomes(7, first, second, 3))
    count = first + second
    expected = min(1.0, 2 * sum(comb(count, i) for i in range(min(first, second) + 1)) / 2**count)
    assert (test.only_first, test.only_second) == (first, second)
    assert test.p == pytest.approx(expected, rel=1e-9)


def test_mcnemar_without_differences() -> None:
    assert mcnemar(*outcomes(5, 0, 0, 5)).p == 1


def test_mcnemar_of_many() -> None:
    """No overflow, and no significance where there is none."""
    assert mcnemar(*outcomes(0, 6000, 6000, 0)).p == 1
    assert mcnemar(*outcomes(0, 7000, 5000, 0)).p < 1e-50


def test_an_interval_is_that_of_the_mean() -> None:
    """For the mean of many zeros and ones the normal approximation holds: 1.96 standard errors."""
    values = np.arange(4000) % 4 == 0
    interval = resample(len(values), lambda chosen: float(values[chosen].mean()))
    error = 1.96 * np.sqrt(0.25 * 0.75 / len(values))
    assert interval.value == 0.25
    assert interval.low == pytest.approx(0.25 - error, abs=0.15 * error)
    assert interval.high == pytest.approx(0.25 + error, abs=0.15 * error)
    assert interval == resample(len(values), lambda chosen: float(values[chosen].mean()))
    assert interval != resample(len(values), lambda chosen: float(values[chosen].mean()), seed=1)


def test_an_interval_of_one_value_has_no_width() -> None:
    interval = resample(50, lambda chosen: 3.0)
    assert (interval.value, interval.low, interval.high) == (3, 3, 3)


def test_percentiles() -> None:
    row = percentiles([float(i) for i in range(101)])
    assert row == {"mean": 50, "min": 0, "p50": 50, "p90": 90, "p95": 95, "p99": 99, "max": 100}
    assert percentiles([]) == {}
    assert percentiles([1.23456])["p50"] == 1.235
