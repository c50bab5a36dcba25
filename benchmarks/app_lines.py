"""What the demo app's instrumentation prints, as ``am instrument -w -r`` passes it on.

Each finding is one JSON object behind ``INSTRUMENTATION_STATUS: mbl=``; android_demo/README.md describes the events.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mobilebert_lite.benchmarks.result import Answers, Loading, Memory, Runtime
from mobilebert_lite.benchmarks.runner import RunnerError

# The only one there is; the app tells it in its first event.
FORMAT = 1
_KEY = "mbl="
_PREFIXES = ("INSTRUMENTATION_STATUS: ", "INSTRUMENTATION_RESULT: ")
_FAILED = ("INSTRUMENTATION_FAILED: ", "INSTRUMENTATION_ABORTED: ", "INSTRUMENTATION_RESULT: shortMsg=",
           "INSTRUMENTATION_STATUS: Error=", "Error: ")


@dataclass(frozen=True)
class Inference:
    """One that was timed."""

    signature: str
    duration_us: float


@dataclass(frozen=True)
class Different:
    """A text to which the app answers something else than expected; ``said`` is None where it failed."""

    index: int
    expected: str
    said: str | None


@dataclass(frozen=True)
class AppRun:
    """One run of the instrumentation."""

    runtime: Runtime
    loading: Loading
    inferences: tuple[Inference, ...]
    memory: Memory
    # SHA-256 of the model that the app read.
    sha256: str
    # None when no answers were expected.
    answers: Answers | None
    different: tuple[Different, ...] = ()
    # What the app says of the phone.
    device: Mapping[str, Any] = field(default_factory=dict)


def events(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The app's own objects among ``lines``, in order. Raises RunnerError for one that is damaged."""
    found = []
    for line in lines:
        prefix = next((one for one in _PREFIXES if line.startswith(one + _KEY)), None)
        if prefix is None:
            continue
        try:
            event = json.loads(line[len(prefix) + len(_KEY):])
        except ValueError:
            event = None
        if not isinstance(event, dict) or not isinstance(event.get("event"), str):
            raise RunnerError(f"the app printed a line that is no event: {line.strip()[:120]}; install the app anew")
        found.append(event)
    return found


def parse(lines: Iterable[str]) -> AppRun:
    """A run that came to its end.

    Raises RunnerError with the app's own message where it failed, and for output that is cut short.
    """
    lines = list(lines)
    told = events(lines)
    by_name = {event["event"]: event for event in told}
    if "error" in by_name:
        raise RunnerError(f"the app says: {by_name['error'].get('message')}")
    if missing := [name for name in ("begin", "model", "load", "end", "done") if name not in by_name]:
        raise RunnerError(f"the app stopped before {missing[0]!r}: {_reason(lines)}")
    if by_name["begin"].get("format") != FORMAT:
        raise RunnerError(f"the app speaks format {by_name['begin'].get('format')}, not {FORMAT}; install the app anew")
    try:
        return _run(told, by_name)
    except (KeyError, TypeError, ValueError) as error:
        raise RunnerError(f"the app left out {error} or gave something else; install the app anew") from None


def _run(told: list[dict[str, Any]], by_name: dict[str, dict[str, Any]]) -> AppRun:
    load, check = by_name["load"], by_name.get("check")
    delegation = load["delegation"] or {}
    device = {name: value for name, value in by_name["begin"].items() if name not in ("event", "format", "runtime")}
    return AppRun(
        Runtime("TFLite in the app", str(by_name["begin"]["runtime"])),
        Loading(float(load["load_us"]), float(load["first_us"]), delegation.get("nodes"), delegation.get("delegated"),
                delegation.get("partitions")),
        tuple(Inference(str(event["signature"]), float(event["us"])) for event in told if event["event"] == "sample"),
        Memory(int(by_name["end"]["peak_memory_bytes"] or 0)),
        str(by_name["model"]["sha256"]),
        None if check is None else Answers(int(check["total"]), int(check["same"]),
                                           float(check["largest_difference"]), 1.0),
        () if check is None else tuple(Different(int(one["index"]), str(one["expected"]), one["said"])
                                       for one in check["different"]),
        device)


def _reason(lines: list[str]) -> str:
    """What the system says of a process that ended without a word of its own."""
    for line in lines:
        if prefix := next((one for one in _FAILED if line.startswith(one)), None):
            return line.removeprefix(prefix).strip() or "it gives no reason"
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return said or "it printed nothing; is the app installed?"
