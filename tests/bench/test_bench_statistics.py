"""Percentiles, pools, trends and ratios against NumPy and the standard library."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st
from test_result import RUN

from mobilebert_lite.benchmarks.reports.compare import SLOWER, UNJUDGED, compare, within
from mobilebert_lite.benchmarks.reports.result import (
    Aggregate,
    BenchOptions,
    BenchReport,
    Configuration,
    Latencies,
    Run,
)
from mobilebert_lite.benchmarks.reports.statistics import (
    ratio,
    statistic_of,
    stretches,
    summarize,
    trend,
    turns,
    two_sample,
)

DURATIONS = st.lists(st.floats(1.0, 1e7), min_size=2, max_size=60)


def run_of(durations: Sequence[float], turn: Sequence[int] | None = None, length: int = 384) -> Run:
    count = len(durations)
    samples = Latencies(tuple(map(float, np.cumsum(durations))), tuple(map(float, durations)), (9,) * count,
                      tuple(turn or (0,) * count))
    return replace(RUN, samples=samples, aggregates=(), configuration=Configuration(length, 1), complete=True,
                   reason="")


@given(DURATIONS)
def test_a_summary_is_that_of_the_standard_library(durations: list[float]) -> None:
    found = summarize(run_of(durations))
    assert found is not None
    assert (found.count, found.min_us, found.max_us) == (len(durations), min(durations), max(durations))
    assert found.mean_us == pytest.approx(statistics.fmean(durations))
    assert found.std_us == pytest.approx(statistics.stdev(durations), rel=1e-6, abs=1e-6)
    cuts = statistics.quantiles(durations, n=100, method="inclusive")
    for which in (50, 90, 95, 99):
        assert found.percentile(which) == pytest.approx(cuts[which - 1])


@given(st.lists(DURATIONS, min_size=2, max_size=5))
def test_batches_pool_to_their_samples(batches: list[list[float]]) -> None:
    """Mean and (population) deviation of batches together are those of all samples in one."""
    pooled = summarize(replace(RUN, samples=Latencies(), aggregates=tuple(
        Aggregate(0.0, len(one), statistics.fmean(one), statistics.pstdev(one), min(one), max(one), 9)
        for one in batches)))
    everything = [value for one in batches for value in one]
    assert pooled is not None
    assert pooled.count == len(everything)
    assert pooled.mean_us == pytest.approx(statistics.fmean(everything))
    assert pooled.std_us == pytest.approx(statistics.pstdev(everything), rel=1e-6, abs=1e-3)
    assert (pooled.min_us, pooled.max_us) == (min(everything), max(everything))
    assert np.isnan(pooled.percentile(50))  # medians of batches say nothing of the whole


def test_nothing_measured_has_no_summary() -> None:
    assert summarize(replace(RUN, samples=Latencies(), aggregates=())) is None
    assert stretches(replace(RUN, samples=Latencies(), aggregates=())) == []


@given(st.integers(0, 5), st.integers(1, 25))
@examples(20)
def test_stretches_are_all_samples_in_order(seed: int, count: int) -> None:
    durations = np.random.default_rng(seed).uniform(1, 2, count)
    parts = stretches(run_of(durations))
    assert np.array_equal(np.concatenate(parts), durations)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_only_the_statistic_of_a_stretch_counts() -> None:
    first = [np.array([1.0, 2.0, 90.0])] * 8
    assert ratio(first, [np.array([3.0, 4.0, 5.0])] * 8, "p50", paired=True).interval.value == pytest.approx(2)
    assert ratio(first, [np.array([93.0])] * 8, "mean", paired=False).interval.value == pytest.approx(3)


def test_samples_are_drawn_evenly() -> None:
    """Every index of both samples is as likely, whatever their sizes."""
    seen = np.zeros(7), np.zeros(4)

    def count(first: np.ndarray, second: np.ndarray) -> float:
        for place, chosen in zip(seen, (first, second), strict=True):
            np.add.at(place, chosen, 1)
        return 0.0

    two_sample(7, 4, count)
    for place in seen:
        assert place / place.sum() == pytest.approx(1 / len(place), rel=0.1)


def test_coverage() -> None:
    """Of 60 pairs of equal files, about 95 % have an interval that holds 1."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(60):
        first, second = (run_of(rng.normal(100, 5, 100)) for _ in range(2))
        compared = compare(first, second)
        assert compared is not None
        held += not compared.significant
    assert 51 <= held <= 59


def interleaved(rng: np.random.Generator, factor: float, count: int = 20) -> tuple[Run, Run]:
    """Two files in turn on a machine that wobbles, the second slower by ``factor``."""
    turn = np.repeat(np.arange(count), 5)
    slow = 100 * rng.uniform(1, 1.5, count)[turn]
    return tuple(run_of((slow * one * rng.uniform(0.99, 1.01, len(turn))).tolist(),  # type: ignore[return-value]
                        turn.tolist()) for one in (1.0, factor))


def test_turns_are_those_of_both() -> None:
    first, second = interleaved(np.random.default_rng(0), 1.0)
    late = replace(second.samples, turn=tuple(one + 4 for one in second.samples.turn))
    found = turns(first, replace(second, samples=late))
    assert found is not None
    assert np.array_equal(np.concatenate(found[0]), first.samples.duration_us[20:])
    assert np.array_equal(np.concatenate(found[1]), second.samples.duration_us[:80])
    apart = replace(second.samples, turn=tuple(one + 16 for one in second.samples.turn))
    assert turns(first, replace(second, samples=apart)) is None


@pytest.mark.parametrize(("factor", "significant"), [(1.0, False), (1.05, True), (0.9, True)])
def test_interleaved_files_are_told_apart(factor: float, significant: bool) -> None:
    first, second = interleaved(np.random.default_rng(1), factor)
    [compared] = within(BenchReport("", "", BenchOptions(1, 1.0, 1), (first, second)))
    assert compared.interleaved
    assert compared.significant == significant
    assert compared.ratio.value == pytest.approx(factor, rel=0.02)
    assert compared.regressed(0.03) == (factor == 1.05)
    assert not compared.regressed(0.08)


def test_a_regression_needs_more_than_chance() -> None:
    rng = np.random.default_rng(5)
    noisy = compare(run_of(rng.uniform(50, 150, 12)), run_of(rng.uniform(55, 165, 12)))
    assert noisy is not None
    assert noisy.ratio.value > 1.02
    assert not noisy.regressed(0.01)


@pytest.mark.parametrize("said", ["busy: something else takes 40 % of the processors' time; end other programs",
                                  "noisy: half of the samples spread over 30 % of the median"])
def test_no_verdict_of_a_disturbed_run(said: str) -> None:
    """Neither faster nor slower, nor a regression, whatever the interval says; it is shown as it is."""
    first, second = interleaved(np.random.default_rng(1), 1.5)
    for runs in ((first, replace(second, warnings=(said,))), (replace(first, warnings=(said,)), second)):
        [found] = within(BenchReport("", "", BenchOptions(1, 1.0, 1), runs))
        assert found.ratio.low > 1.4
        assert (found.verdict, found.doubts) == (UNJUDGED, (said.split(":")[0],))
        assert not found.significant
        assert not found.regressed(0.05)
    [calm] = within(BenchReport("", "", BenchOptions(1, 1.0, 1), (first, replace(second, warnings=("it warmed",)))))
    assert (calm.verdict, calm.doubts) == (SLOWER, ())


def test_no_verdict_of_few_samples() -> None:
    found = compare(run_of([100.0, 101.0, 99.0]), run_of([200.0, 201.0, 199.0]))
    assert found is not None
    assert (found.verdict, found.doubts) == (UNJUDGED, ("too few samples",))
    assert found.ratio.value == pytest.approx(2, rel=0.02)


def test_what_is_compared() -> None:
    assert statistic_of(run_of([1, 2, 3])) == "p50"
    assert statistic_of(run_of([1, 2, 3]), mlperf=True) == "p90"
    assert statistic_of(run_of([1, 2, 3], length=0), mlperf=True) == "mean"
    assert statistic_of(replace(run_of([]), aggregates=RUN.aggregates)) == "mean"


@pytest.mark.parametrize(("factor", "least", "most"), [(1.0, -0.02, 0.02), (1.3, 0.2, 0.3), (0.8, -0.2, -0.1)])
def test_a_trend_is_seen(factor: float, least: float, most: float) -> None:
    durations = np.linspace(100, 100 * factor, 200) + np.random.default_rng(0).normal(0, 1, 200)
    found = trend(durations.tolist())
    assert least <= found.value <= most
    assert (found.low <= 0 <= found.high) == (factor == 1.0)
