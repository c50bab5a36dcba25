"""The TFLite/LiteRT tool ``benchmark_model``: its options, and its output in the forms it has had since 2018.

It prints no single latencies, but statistics: number, first, last (``curr``), smallest, largest, mean, and in later
versions percentiles. Of three inferences these are enough to tell each: the one in the middle is what the mean leaves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mobilebert_lite.benchmarks.measuring import acceleration
from mobilebert_lite.benchmarks.measuring.acceleration import Taken
from mobilebert_lite.benchmarks.reports import operators
from mobilebert_lite.benchmarks.reports.result import OperatorTime

# Inferences of which every one can be told.
TOLD = 3
# Nothing of interest stands behind that.
_LONGEST_LINE = 4000

_PREFIX = re.compile(r"^(?:[\d-]+ [\d:.]+\s+\d+\s+\d+ [A-Z] tflite\s*: )?(?:(?:INFO|WARNING|ERROR|VERBOSE|DEBUG): )?"
                     r"(?:\[[\w./]+:\d+\] ?)?")
_COUNT = re.compile(r"(?:^|INFO: )count=(\d+)\b(.*)")
_PAIR = re.compile(r"(\w+)=(-?[\d.]+(?:e[+-]?\d+)?)")
_FLAG = re.compile(r"^\s*--(\w+)\b", re.MULTILINE)
# Tables of the time before the first inference stand under a heading of their own.
_PROFILE = re.compile(r"Profiling Info for (?:Regular )?Benchmark (\w+)")
_PEAK = re.compile(r"(?:Overall peak memory footprint \(MB\) via periodic monitoring|Peak memory): +([\d.]+)")
_ERROR = re.compile(r"\bERROR\b|\bFailed\b|\bfailed\b|not executable|No such file|cannot|could not be|Aborted|"
                    r"Segmentation fault")


@dataclass(frozen=True)
class Statistics:
    """Of consecutive inferences, in microseconds."""

    count: int
    # None where the tool tells the others alone.
    first: float | None = None
    last: float | None = None
    smallest: float = 0.0
    largest: float = 0.0
    mean: float = 0.0
    deviation: float = 0.0
    # "50" -> the median.
    percentiles: dict[str, float] = field(default_factory=dict)

    @property
    def durations(self) -> tuple[float, ...]:
        """Each inference in order, where the statistics tell them; else nothing."""
        if self.count and self.smallest == self.largest:
            return (self.mean,) * self.count
        if self.first is None or self.last is None or self.count not in (2, TOLD):
            return ()
        if self.count == 2:
            return (self.first, self.last)
        # The tool counts whole microseconds and prints the mean with six digits: above 0.1 s it is rounded.
        middle = float(round(self.mean * TOLD - self.first - self.last))
        return (self.first, min(max(middle, self.smallest), self.largest), self.last)


@dataclass(frozen=True)
class ToolOutput:
    """What one call of the tool found; None for what it did not print."""

    load_us: float | None = None
    first_us: float | None = None
    warm_up: Statistics | None = None
    inferences: Statistics | None = None
    peak_bytes: int | None = None
    # Kinds of operators, the most expensive first.
    operators: tuple[OperatorTime, ...] = ()
    # Of each delegate, in the order of the log.
    delegations: tuple[Taken, ...] = ()
    # Its first complaint; others follow from it.
    error: str = ""


def flags(usage: str) -> frozenset[str]:
    """The options of this version, from what ``--help`` prints."""
    return frozenset(_FLAG.findall(usage))


def parse(lines: Iterable[str]) -> ToolOutput:
    """Read the output of any version: what is not known is passed over."""
    found: dict[str, object] = {}
    counts: list[Statistics] = []
    profile: list[str] = []
    delegations: list[Taken] = []
    wanted = True
    for raw in lines:
        raw = raw[:_LONGEST_LINE]
        line = _PREFIX.sub("", raw.rstrip(), count=1)
        if heading := _PROFILE.search(line):
            profile, wanted = [], heading[1] != "Initialization"
        profile += [line] if wanted else []
        if match := _COUNT.search(line):
            counts.append(_statistics(int(match[1]), match[2]))
        elif match := re.match(r"Initialized session in ([\d.]+) ?ms", line):
            found["load_us"] = 1000 * float(match[1])
        elif match := re.match(r"Inference timings in us: .*First inference: ([\d.e+]+)", line):
            found["first_us"] = float(match[1])
        elif match := re.match(r"Model initialization: +([\d.]+) ms", line):
            found.setdefault("load_us", 1000 * float(match[1]))
        elif match := _PEAK.match(line):
            found["peak_bytes"] = int(float(match[1]) * 2**20)
        elif match := re.match(r"(Warmup|Inference) \((\w+)\): +([\d.]+)(?: ms)?(?: \((\d+) runs\))?", line):
            _listed(found, *match.groups())
        elif told := acceleration.read_line(line):
            delegations.append(told)
        elif _ERROR.search(raw):
            found.setdefault("error", line.strip())
    return _output(found | {"delegations": tuple(delegations)}, counts, operators.parse("\n".join(profile)))


def _output(found: dict[str, object], counts: Sequence[Statistics], kinds: tuple[OperatorTime, ...]) -> ToolOutput:
    """The statistics come as count lines, or (LiteRT's own summary) as a list of milliseconds with two decimals."""
    summaries = {name: found.pop(name, None) for name in ("Warmup", "Inference")}
    warm_up = counts[0] if counts else _summary(summaries["Warmup"])
    inferences = counts[-1] if len(counts) > 1 else _summary(summaries["Inference"])
    if warm_up and warm_up.count:
        found.setdefault("first_us", warm_up.first)
    return ToolOutput(warm_up=warm_up, inferences=inferences, operators=kinds, **found)  # type: ignore[arg-type]


def _statistics(count: int, rest: str) -> Statistics:
    values = {name: float(value) for name, value in _PAIR.findall(rest)}
    if "avg" not in values:  # none, one, or all alike
        last = values.get("curr", 0.0)
        return Statistics(count, last, last, last, last, last)
    last = values["curr"]
    percentiles = {name.removeprefix("p"): values[name] for name in values if re.fullmatch(r"p\d+", name)}
    if "median" in values:
        percentiles["50"] = values["median"]
    return Statistics(count, values["first"], last, values["min"], values["max"], values["avg"], values["std"],
                      percentiles)


def _listed(found: dict[str, object], name: str, what: str, value: str, count: str | None) -> None:
    summary = found.setdefault(name, {})
    assert isinstance(summary, dict)
    summary[what] = 1000 * float(value)
    if count:
        summary["count"] = int(count)


def _summary(values: object) -> Statistics | None:
    if not isinstance(values, dict) or not values.get("count"):
        return None
    known: dict[str, float] = values
    mean = known["avg"]
    return Statistics(int(known["count"]), known.get("first"), None, known.get("min", mean), known.get("max", mean),
                      mean, known.get("std", 0.0))
