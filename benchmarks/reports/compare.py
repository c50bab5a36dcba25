"""Two runs side by side: how much faster, and whether that can be chance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mobilebert_lite.benchmarks.reports.result import BenchReport, Run
from mobilebert_lite.benchmarks.reports.statistics import ratio, statistic_of, stretches, summarize, turns, value
from mobilebert_lite.benchmarks.reports.wording import disturbances, setting
from mobilebert_lite.errors import DataError
from mobilebert_lite.evaluation.statistics import Interval

# What a comparison says of the second run.
UNJUDGED, LEVEL, SLOWER, FASTER = "not judged", "no difference beyond chance", "slower", "faster"
_TOO_FEW = "too few samples"


@dataclass(frozen=True)
class Comparison:
    """``second`` against ``first``."""

    first: Run
    second: Run
    # What is compared: mean, p50 or p90.
    statistic: str
    first_us: float
    second_us: float
    # Latency of the second over that of the first, with its 95 % interval.
    ratio: Interval
    # Why nothing is said about which is faster: busy, noisy, too few samples. Empty: the interval decides.
    doubts: tuple[str, ...]
    # Whether the two were run in turn; otherwise the interval knows nothing of what changed between them.
    interleaved: bool

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 1, and nothing speaks against it."""
        return not self.doubts and not self.ratio.low <= 1 <= self.ratio.high

    @property
    def verdict(self) -> str:
        """UNJUDGED, LEVEL, SLOWER or FASTER."""
        if self.doubts:
            return UNJUDGED
        return LEVEL if not self.significant else SLOWER if self.ratio.value > 1 else FASTER

    def regressed(self, most: float) -> bool:
        """Whether the second is slower by more than the share ``most``, and that is not chance."""
        return self.ratio.value > 1 + most and self.verdict == SLOWER

    def to_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"first": self.first.file.name, "second": self.second.file.name,
                "first_sha256": self.first.file.sha256, "second_sha256": self.second.file.sha256,
                "device": self.second.device.title, "configuration": asdict(self.second.configuration),
                "statistic": self.statistic, "first_us": self.first_us, "second_us": self.second_us,
                "ratio": self.ratio.to_json(), "significant": self.significant, "verdict": self.verdict,
                "doubts": list(self.doubts), "interleaved": self.interleaved,
                "emulated": self.first.emulated or self.second.emulated,
                "complete": self.first.complete and self.second.complete}


def compare(first: Run, second: Run, mlperf: bool = False, together: bool = False) -> Comparison | None:
    """``together``: both are of one report, so that their offsets are of one clock. None without samples."""
    if summarize(first) is None or summarize(second) is None:
        return None
    kinds = {statistic_of(first, mlperf), statistic_of(second, mlperf)}
    statistic = kinds.pop() if len(kinds) == 1 else "mean"
    pairs = turns(first, second) if together and first.group == second.group else None
    parts = pairs or (stretches(first), stretches(second))
    first_us, second_us = (value(np.concatenate(part), statistic) for part in parts)
    found = ratio(*parts, statistic, paired=pairs is not None)
    doubts = (*disturbances(first, second), *([] if found.enough else [_TOO_FEW]))
    return Comparison(first, second, statistic, first_us, second_us, found.interval, doubts, pairs is not None)


def within(report: BenchReport) -> list[Comparison]:
    """In each group every run against the first, which is the file that was named first."""
    found = []
    for group in sorted({run.group for run in report.runs}):
        first, *others = [run for run in report.runs if run.group == group]
        found += [one for run in others if (one := compare(first, run, report.options.mlperf, together=True))]
    return found


def between(first: BenchReport, second: BenchReport) -> list[Comparison]:
    """Runs of two reports that have the same configuration on the same kind of device.

    Files are matched by name, or taken in their order where both reports have one each. Raises DataError when nothing
    matches.
    """
    alone = all(len({run.file.sha256 for run in report.runs}) == 1 for report in (first, second))
    mlperf = first.options.mlperf and second.options.mlperf
    found = []
    for run in second.runs:
        like = [one for one in first.runs if _setting(one) == _setting(run)
                and (alone or one.file.name == run.file.name)]
        if like and (compared := compare(like[0], run, mlperf)):
            found.append(compared)
    if not found:
        raise DataError("the two reports have no run in common: same device, length, threads, accelerator"
                        + ("" if alone else " and file name") + f"; the first has {_settings(first)}, the second "
                        f"{_settings(second)}")
    return found


def _setting(run: Run) -> tuple[Any, ...]:
    one = run.configuration
    # The pinned cores may differ; the number of threads says what matters. So may two phones of one model.
    return run.device.profile, run.device.title, run.emulated, one.length, one.threads, one.accelerator, one.xnnpack


def _settings(report: BenchReport) -> str:
    return "; ".join(sorted({f"{run.file.name} on {run.device.title}, {setting(run)}" for run in report.runs})) or (
        "nothing")
