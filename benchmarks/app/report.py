"""A run of the demo app that somebody else started, such as a device farm, as a report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath

from mobilebert_lite.benchmarks.app import lines as app_lines
from mobilebert_lite.benchmarks.app.lines import AppRun
from mobilebert_lite.benchmarks.app.request import ACCELERATORS
from mobilebert_lite.benchmarks.phone.profiles import profile_of
from mobilebert_lite.benchmarks.reports import judge
from mobilebert_lite.benchmarks.reports.result import (
    BenchOptions,
    BenchReport,
    Configuration,
    Device,
    File,
    Latencies,
    Run,
)
from mobilebert_lite.version import __version__


def report_of(lines: Iterable[str]) -> BenchReport:
    """Of one run that came to its end. Raises RunnerError, as app_lines.parse."""
    told = app_lines.parse(lines)
    try:
        return _report(told)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError, StopIteration) as error:
        raise app_lines.changed(error) from None


def _report(told: AppRun) -> BenchReport:
    request = told.request
    name = PurePosixPath(str(told.model["name"])).name
    wrong = app_lines.wrong_answers(told, name)
    samples = Latencies(tuple(one.at_us for one in told.inferences), tuple(one.duration_us for one in told.inferences),
                      tuple(one.tokens for one in told.inferences), (0,) * len(told.inferences))
    run = Run(
        File(name, str(told.model["sha256"]), int(told.model["bytes"]), str(told.model["task"]),
             str(told.model["recipe"])),
        _device(told), _configuration(told), told.runtime, 0, told.loading, samples=samples, memory=told.memory,
        answers=told.answers, complete=not wrong, reason=wrong)
    texts = told.answers.compared if told.answers else 0
    tokens = round(sum(samples.tokens) / len(samples), 1) if len(samples) else 0.0
    options = BenchOptions(int(request["runs"]), float(request["seconds"]), int(request["warmup"]), data="of the app",
                      texts=texts, mean_tokens=tokens)
    created = datetime.fromtimestamp(int(told.device["time_ms"]) / 1000, UTC)
    return BenchReport(created.isoformat(timespec="milliseconds"), f"mobilebert-lite {__version__}", options,
                  (replace(run, warnings=(*filter(None, [app_lines.ties(told)]), *judge.warnings(run))),))


def _configuration(told: AppRun) -> Configuration:
    lengths = {str(name): int(length) for name, length in told.model["signatures"].items()}
    signature = told.request["signature"]
    # Mixed lengths of a file that has one are that one.
    length = lengths[str(signature)] if signature else next(iter(lengths.values())) if len(lengths) == 1 else 0
    accelerator = next(ours for ours, name in ACCELERATORS.items() if name == told.request["accelerator"])
    return Configuration(length, int(told.request["threads"]), accelerator)


def _device(told: AppRun) -> Device:
    """``emulated`` when its processor is not of the kind that a phone of that name has."""
    said = {name: str(value) for name, value in told.device.items()}
    profile = profile_of(said["model"], said["device"])
    emulated = profile.emulated or (profile.abi.startswith("arm") and not said["abi"].startswith("arm"))
    return Device(profile.name, profile.title if profile.codename else said["model"], said["model"], said["device"],
                  said["fingerprint"], f"Android {said['android']}", profile.soc, said["abi"],
                  cores=int(told.device["cores"]), emulated=emulated)
