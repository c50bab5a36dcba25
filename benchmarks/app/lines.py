"""What the demo app's instrumentation prints, as ``am instrument -w -r`` passes it on.

Each finding is one JSON object behind ``INSTRUMENTATION_STATUS: mbl=``; android_demo/README.md describes the events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mobilebert_lite.benchmarks.measuring.runner import RunnerError
from mobilebert_lite.benchmarks.reports.result import Answers, Loading, Memory, Runtime
from mobilebert_lite.common.json_text import decode

# The only one there is; the app tells it in its first event.
FORMAT = 1
_KEY = "mbl="
_PREFIXES = ("INSTRUMENTATION_STATUS: ", "INSTRUMENTATION_RESULT: ")
_FAILED = ("INSTRUMENTATION_FAILED: ", "INSTRUMENTATION_ABORTED: ", "INSTRUMENTATION_RESULT: shortMsg=",
           "INSTRUMENTATION_STATUS: Error=", "Error: ")
# An answer that is not the expected one is a tie when the app finds the expected one so nearly as probable. Kernels of
# other versions and processors round otherwise: of 100 texts, 9 were ties between two versions of TFLite.
TIE = 0.2

# Wrong answers that an error shows.
_SHOWN = 3

Event = dict[str, Any]


@dataclass(frozen=True)
class Inference:
    """One that was timed."""

    signature: str
    # Of its text, without padding.
    tokens: int
    # When it began, since the app's first line.
    at_us: float
    duration_us: float


@dataclass(frozen=True)
class Different:
    """A text to which the app answers something else than expected."""

    index: int
    expected: str
    # None where it failed.
    said: str | None
    # That the app gives to what it said, and to what was expected; None where it does not come up.
    probability: float | None = None
    of_expected: float | None = None

    @property
    def tie(self) -> bool:
        """Whether the app finds both about equally probable."""
        return (self.probability is not None and self.of_expected is not None
                and self.probability - self.of_expected <= TIE)


@dataclass(frozen=True)
class AppRun:
    """One run of the instrumentation."""

    runtime: Runtime
    loading: Loading
    inferences: tuple[Inference, ...]
    memory: Memory
    # The events that tell what was run, as they are.
    model: Mapping[str, Any]
    request: Mapping[str, Any]
    # What the app says of the phone.
    device: Mapping[str, Any]
    # None when no answers were compared.
    answers: Answers | None
    different: tuple[Different, ...] = field(default=())

    @property
    def wrong(self) -> tuple[Different, ...]:
        """Answers that are no ties."""
        return tuple(one for one in self.different if not one.tie)


def event(line: str) -> Event | None:
    """The app's own object in a line; None for lines of others. Raises RunnerError when it is damaged."""
    prefix = next((one for one in _PREFIXES if line.startswith(one + _KEY)), None)
    if prefix is None:
        return None
    try:
        found = decode(line[len(prefix) + len(_KEY):], halves=True)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("event"), str):
        raise RunnerError(f"the app printed a line that is no event: {line.strip()[:120]}; install the app anew")
    return found


def events(lines: Iterable[str]) -> list[Event]:
    """Those among ``lines``, in order. Raises as ``event``."""
    return [found for line in lines if (found := event(line)) is not None]


def inference(told: Event) -> Inference:
    """Of a ``sample``. Raises RunnerError when something is missing."""
    try:
        return Inference(str(told["signature"]), int(told["tokens"]), float(told["at_us"]), float(told["us"]))
    except (KeyError, TypeError, ValueError) as error:
        raise changed(error) from None


def parse(lines: Iterable[str]) -> AppRun:
    """A run that came to its end.

    Raises RunnerError with the app's own message where it failed, and for output that is cut short.
    """
    lines = list(lines)
    told = events(lines)
    by_name = {one["event"]: one for one in told}
    if "error" in by_name:
        raise RunnerError(f"the app{_with(by_name)} says: {by_name['error'].get('message')}")
    if missing := [name for name in ("begin", "request", "model", "load", "end", "done") if name not in by_name]:
        raise RunnerError(f"the app stopped before {missing[0]!r}: {_reason(lines)}")
    if by_name["begin"].get("format") != FORMAT:
        raise RunnerError(f"the app speaks format {by_name['begin'].get('format')}, not {FORMAT}; install the app anew")
    try:
        return _run(told, by_name)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise changed(error) from None


def changed(error: Exception) -> RunnerError:
    """What to raise for events that are not as expected: ``error`` tells what is missing."""
    return RunnerError(f"the app left out {error!r} or gave something else; install the app anew")


def wrong_answers(run: AppRun, name: str) -> str:
    """Why the figures of a run of file ``name`` are worth nothing; empty where its answers are right, but for ties."""
    if not run.wrong or run.answers is None:
        return ""
    shown = "; ".join(f"text {one.index}: {one.said!r} in place of {one.expected!r}" for one in run.wrong[:_SHOWN])
    return (f"{name}: {len(run.wrong)} of {run.answers.compared} answers in the app are others than on this machine "
            f"({shown}); its runtime ({run.runtime.version}) or accelerator computes this file wrongly: `mbl inspect "
            "FILE --client litert --min-runtime VERSION` tells why, `mbl convert --min-runtime VERSION` makes another")


def ties(run: AppRun) -> str:
    """A sentence about answers that rounding decided otherwise; empty where there are none."""
    count = len(run.different) - len(run.wrong)
    if not count or run.answers is None:
        return ""
    return (f"{count} of {run.answers.compared} answers are others than on this machine, about equally probable ones: "
            "kernels round differently")


def _with(by_name: dict[str, Event]) -> str:
    runtime = by_name.get("begin", {}).get("runtime")
    return f" (TFLite {runtime})" if runtime else ""


def _run(told: list[Event], by_name: dict[str, Event]) -> AppRun:
    load, check = by_name["load"], by_name.get("check")
    delegation = load["delegation"] or {}
    return AppRun(
        Runtime("TFLite in the app", str(by_name["begin"]["runtime"])),
        Loading(float(load["load_us"]), float(load["first_us"]), delegation.get("nodes"), delegation.get("delegated"),
                delegation.get("partitions"), str(delegation.get("delegate") or "")),
        tuple(inference(one) for one in told if one["event"] == "sample"),
        Memory(int(by_name["end"]["peak_memory_bytes"] or 0)),
        _without_name(by_name["model"]), _without_name(by_name["request"]), _without_name(by_name["begin"]),
        None if check is None else Answers(int(check["total"]), int(check["same"]),
                                           float(check["largest_difference"]), 1.0),
        () if check is None else tuple(Different(int(one["index"]), str(one["expected"]), one["said"],
                                                 one["probability"], one["of_expected"])
                                       for one in check["different"]))


def _without_name(one: Event) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name != "event"}


def _reason(lines: list[str]) -> str:
    """What the system says of a process that ended without a word of its own."""
    for line in lines:
        if prefix := next((one for one in _FAILED if line.startswith(one)), None):
            return line.removeprefix(prefix).strip() or "it gives no reason"
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return said or "it printed nothing; is the app installed?"
