"""Numbers out of samples: percentiles, trends, ratios with intervals. NumPy alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mobilebert_lite.benchmarks.reports.result import Run
from mobilebert_lite.evaluation import ranks
from mobilebert_lite.evaluation.ranks import Ratio
from mobilebert_lite.evaluation.statistics import CONFIDENCE, RESAMPLES, SEED, Interval

PERCENTILES = (50, 90, 95, 99)
# Neighboring samples are alike (clocks, other work), so whole stretches are compared: so many of them in a run.
_BLOCKS = 20
# Fewer pairs make no interval of signed ranks.
_FEWEST_TURNS = 6


@dataclass(frozen=True)
class Summary:
    """Of one run, in microseconds."""

    count: int
    mean_us: float
    # Of the samples (n - 1).
    std_us: float
    min_us: float
    max_us: float
    # "50" -> the median; empty where only statistics of batches are known.
    percentiles_us: dict[str, float]

    def percentile(self, which: int) -> float:
        """NaN where it is not known."""
        return self.percentiles_us.get(str(which), float("nan"))


def summarize(run: Run) -> Summary | None:
    """Of single samples, or pooled from a runner's batches; None for a run without any."""
    if len(run.samples):
        values = np.asarray(run.samples.duration_us)
        return Summary(len(values), float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0,
                       float(values.min()), float(values.max()),
                       {str(q): float(np.percentile(values, q)) for q in PERCENTILES})
    return _pooled(run) if run.aggregates else None


def _pooled(run: Run) -> Summary:
    """Mean and deviation of all batches together; percentiles only of a single batch, for they do not add up."""
    batches = run.aggregates
    counts = np.array([one.count for one in batches], np.float64)
    means, deviations = np.array([one.mean_us for one in batches]), np.array([one.std_us for one in batches])
    total = counts.sum()
    mean = float((counts * means).sum() / total)
    variance = float((counts * (deviations ** 2 + (means - mean) ** 2)).sum() / total)
    return Summary(int(total), mean, variance ** 0.5, min(one.min_us for one in batches),
                   max(one.max_us for one in batches), dict(batches[0].percentiles_us) if len(batches) == 1 else {})


def trend(durations_us: Sequence[float]) -> Interval:
    """By what share the last quarter is slower than the first, by medians, with its bootstrap interval."""
    quarters = np.array_split(np.asarray(durations_us, np.float64), 4)
    return two_sample(len(quarters[0]), len(quarters[-1]), lambda first, last: float(
        np.median(quarters[-1][last]) / np.median(quarters[0][first]) - 1))


def two_sample(first: int, second: int, statistic: Callable[[np.ndarray, np.ndarray], float]) -> Interval:
    """``statistic`` of all indices of two independent samples with its percentile bootstrap interval."""
    rng = np.random.default_rng(SEED)
    values = [statistic(rng.integers(0, first, first), rng.integers(0, second, second)) for _ in range(RESAMPLES)]
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(values, (tail, 100 - tail))
    return Interval(statistic(np.arange(first), np.arange(second)), float(low), float(high))


def statistic_of(run: Run, mlperf: bool = False) -> str:
    """What two runs are compared by: p90 under MLPerf's rules; the mean where texts run in several lengths, or where
    only means are known; otherwise the median."""
    if not len(run.samples) or not run.configuration.length:
        return "mean"
    return "p90" if mlperf else "p50"


def value(durations_us: np.ndarray, statistic: str) -> float:
    """``mean`` or ``p…`` of some samples."""
    if statistic == "mean":
        return float(durations_us.mean())
    return float(np.percentile(durations_us, int(statistic.removeprefix("p"))))


def ratio(first: Sequence[np.ndarray], second: Sequence[np.ndarray], statistic: str, paired: bool) -> Ratio:
    """``statistic`` of ``second`` over that of ``first``, with its 95 % interval.

    Each is a sequence of stretches of samples, of which only ``statistic`` counts. ``paired``: stretch i of both was
    measured at the same time.
    """
    of_first, of_second = ([value(part, statistic) for part in parts] for parts in (first, second))
    return ranks.paired(of_first, of_second) if paired else ranks.independent(of_first, of_second)


def stretches(run: Run) -> list[np.ndarray]:
    """The samples of a run in order, cut into stretches of equal length; of batches, their means."""
    _, values = _columns(run)
    return [part for part in np.array_split(values, min(_BLOCKS, len(values))) if len(part)] if len(values) else []


def _columns(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Turns and durations of the samples, or of the batches."""
    if len(run.samples):
        return np.array(run.samples.turn), np.array(run.samples.duration_us)
    return (np.array([one.turn for one in run.aggregates], np.int64),
            np.array([one.mean_us for one in run.aggregates], np.float64))


def turns(first: Run, second: Run) -> tuple[list[np.ndarray], list[np.ndarray]] | None:
    """The stretches of two runs that were interleaved, pair by pair; None where there are too few."""
    (of_first, durations), (of_second, others) = _columns(first), _columns(second)
    both = np.intersect1d(of_first, of_second)
    if len(both) < _FEWEST_TURNS:
        return None
    return [durations[of_first == turn] for turn in both], [others[of_second == turn] for turn in both]
