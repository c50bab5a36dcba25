"""How a measurement goes: warm-up until stable, files in turn, the device watched, partial results kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from mobilebert_lite.benchmarks.measuring.process import stop_all
from mobilebert_lite.benchmarks.measuring.runner import Findings, Input, LoadedModel, Runner, RunnerError, Sample
from mobilebert_lite.benchmarks.reports import judge
from mobilebert_lite.benchmarks.reports.result import (
    Aggregate,
    BenchOptions,
    BenchReport,
    Configuration,
    Device,
    Latencies,
    Loading,
    Run,
    Runtime,
    Snapshot,
)
from mobilebert_lite.benchmarks.subject import Subject
from mobilebert_lite.errors import MblError
from mobilebert_lite.version import __version__

# MLPerf's rules for a single stream: https://github.com/mlcommons/inference_policies, scenario SingleStream.
MLPERF_SAMPLES, MLPERF_SECONDS = 1024, 60.0
# Files are run in turn, each so many times: a slow minute of the machine falls on all alike. Fewer turns than the
# least, which few --runs would have, make no interval of their ratio.
_TURNS, _LEAST_TURNS = 20, 8
# Warm-up ends when the median of so many inferences differs from that of as many before by less than this share.
_WINDOW, _STABLE = 10, 0.03
_WARM_UP_SECONDS = 20.0
_WATCH_S = 2.0
# A device is cool again within so much of where it began.
_COOL_C = 1.0

# The subject's name and configuration, how many samples of how many.
FileProgress = Callable[[str, int, int], None]


@dataclass
class _Track:
    """One run while it happens."""

    subject: Subject
    configuration: Configuration
    group: int
    prepared: LoadedModel | None = None
    warm_up_us: list[float] = field(default_factory=list)
    # With the turn that it was in.
    samples: list[tuple[int, Sample]] = field(default_factory=list)
    aggregates: list[Aggregate] = field(default_factory=list)
    spent_s: float = 0.0
    warnings: list[str] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    complete: bool = False

    @property
    def count(self) -> int:
        return len(self.samples) + sum(one.count for one in self.aggregates)


class Benchmark:
    """All runs on one device. Whatever happens, ``runs`` holds what was measured until then."""

    def __init__(self, runner: Runner, options: BenchOptions, progress: FileProgress = lambda name, done, total: None,
                 started_s: float | None = None) -> None:
        """``started_s`` (``time.monotonic()``) is what offsets count from; several devices share one."""
        self.runner, self.options, self.progress = runner, options, progress
        self.started_s = time.monotonic() if started_s is None else started_s
        self.runs: list[Run] = []
        self._stopped = threading.Event()
        self._objections: list[str] = []

    def stop(self) -> None:
        """From another thread: end as on Ctrl-C."""
        self._stopped.set()

    def measure(self, subjects: Sequence[Subject], configurations: Sequence[Configuration],
                inputs: Callable[[Subject, int], Sequence[Input]], strict: bool = False) -> None:
        """Every subject in every configuration; ``inputs`` gives the texts of one at a length.

        Raises MblError when the device objects and ``strict``, and what runners raise; KeyboardInterrupt passes. In
        all of these cases the run that was going on is kept, marked incomplete.
        """
        self._objections = self.runner.objections()
        if strict and self._objections:
            raise RunnerError(f"{self.runner.device.title}: {self._objections[0]}")
        began_c = self.runner.snapshot().temperature_c
        for group, configuration in enumerate(configurations):
            if group:
                self._cool_down(began_c)
            self._group([_Track(subject, configuration, group) for subject in subjects], inputs)

    def report(self, source: str = "") -> BenchReport:
        """What was measured so far."""
        created = datetime.now(UTC).timestamp() - (time.monotonic() - self.started_s)
        return BenchReport(datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds"),
                      f"mobilebert-lite {__version__}", self.options, tuple(self.runs), source)

    def _group(self, tracks: Sequence[_Track], inputs: Callable[[Subject, int], Sequence[Input]]) -> None:
        watch, reason = _Watch(self.runner), "interrupted"
        try:
            for track in tracks:
                track.prepared = self.runner.prepare(track.subject.path, track.configuration,
                                                     inputs(track.subject, track.configuration.length))
            with watch:
                for track in tracks:
                    self._warm_up(track)
                self._steady(tracks)
            for track in tracks:
                assert track.prepared is not None
                track.findings = track.prepared.finish()
                track.complete = not track.findings.wrong
            if wrong := [track.findings.wrong for track in tracks if track.findings.wrong]:
                raise RunnerError(wrong[0])
        except MblError as error:
            reason = str(error)
            raise
        finally:
            for track in tracks:
                if track.prepared is not None:
                    self.runs.append(self._finished(track, watch.snapshots, track.findings.wrong or reason))
                    track.prepared.close()

    def _warm_up(self, track: _Track) -> None:
        most, times = self.options.warm_up, track.warm_up_us
        began, count = time.monotonic(), max(self.runner.block, _WINDOW)
        while len(times) < most and time.monotonic() - began < _WARM_UP_SECONDS:
            for one in self._run(track, min(count, max(1, most - len(times))), 0.0, len(times)):
                times.extend([one.duration_us] if isinstance(one, Sample) else [one.mean_us] * one.count)
            if len(times) >= 2 * _WINDOW:
                before, after = np.median(times[-2 * _WINDOW:-_WINDOW]), np.median(times[-_WINDOW:])
                if abs(after / before - 1) < _STABLE:
                    return
        if most >= 2 * _WINDOW:
            track.warnings.append(f"latency was still changing after {len(times)} inferences of warm-up: allow more "
                                  "with --warmup, or give the device less else to do")

    def _steady(self, tracks: Sequence[_Track]) -> None:
        runs, seconds = self.options.runs, self.options.seconds
        turns = _TURNS if len(tracks) > 1 else 1
        # On phones a turn starts a process, so there they are not multiplied.
        runs = max(runs, _LEAST_TURNS) if turns > 1 and self.runner.block == 1 else runs
        count, turn = max(self.runner.block, -(-runs // turns)), 0
        while open_tracks := [track for track in tracks if track.count < runs or track.spent_s < seconds]:
            # The order alternates, so that what the one leaves behind falls on the other as well.
            for track in open_tracks[::-1] if turn % 2 else open_tracks:
                began = time.monotonic()
                for one in self._run(track, min(count, max(1, runs - track.count)), seconds / turns, track.count):
                    if isinstance(one, Sample):
                        track.samples.append((turn, one))
                    else:
                        track.aggregates.append(replace(one, turn=turn))
                    self.progress(track.subject.file.name, track.count, runs)
                track.spent_s += time.monotonic() - began
            turn += 1

    def _run(self, track: _Track, count: int, seconds: float, first: int) -> Iterable[Sample | Aggregate]:
        assert track.prepared is not None
        samples = track.prepared.run(count, seconds, first)
        for one in samples:
            yield one
            if self._stopped.is_set():
                raise KeyboardInterrupt

    def _cool_down(self, began_c: float | None) -> None:
        """Wait ``cool_down_s``, or less when the device is as cool as it was."""
        until = time.monotonic() + self.options.cool_down_s
        while time.monotonic() < until and not self._stopped.is_set():
            now_c = self.runner.snapshot().temperature_c
            if began_c is not None and now_c is not None and now_c <= began_c + _COOL_C:
                return
            time.sleep(min(_WATCH_S, max(0.0, until - time.monotonic())))

    def _finished(self, track: _Track, watched: Sequence[Snapshot], reason: str) -> Run:
        assert track.prepared is not None
        run = Run(
            track.subject.file, self.runner.device, track.configuration, track.prepared.runtime, track.group,
            track.prepared.loading, tuple(round(one, 1) for one in track.warm_up_us),
            Latencies(tuple(self._offset_us(1e6 * one.started_s) for _, one in track.samples),
                    tuple(round(one.duration_us, 1) for _, one in track.samples),
                    tuple(one.tokens for _, one in track.samples), tuple(turn for turn, _ in track.samples)),
            tuple(replace(one, offset_us=self._offset_us(one.offset_us)) for one in track.aggregates),
            tuple(replace(one, offset_us=self._offset_us(one.offset_us)) for one in watched),
            track.findings.memory, track.findings.operators, track.findings.answers, (), track.complete,
            "" if track.complete else reason)
        warnings = (*track.subject.warnings, *self._objections, *track.warnings, *track.findings.warnings)
        return replace(run, warnings=(*warnings, *judge.warnings(run)))

    def _offset_us(self, monotonic_us: float) -> float:
        return round(monotonic_us - 1e6 * self.started_s, 1)


class _Watch:
    """Samples the state of the device from the side while a run goes on."""

    def __init__(self, runner: Runner) -> None:
        self._runner, self._ended, self._failed = runner, threading.Event(), False
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.snapshots: list[Snapshot] = []

    def _watch(self) -> None:
        ended = False
        while not self._failed:
            # The run itself reports a device that has gone; interrupted, nothing is left to be known.
            with suppress(MblError, KeyboardInterrupt):
                self.snapshots.append(self._runner.snapshot())
            if ended:
                return
            ended = self._ended.wait(_WATCH_S)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # A device that has gone is not asked again, which would take until the patience with it ends.
        self._failed = kind is not None and issubclass(kind, MblError | KeyboardInterrupt)
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            stop_all()
        self._ended.set()
        self._thread.join()


def merge(reports: Sequence[BenchReport]) -> BenchReport:
    """Reports of several devices that were measured side by side, as one. Groups stay apart by device."""
    runs: list[Run] = []
    for report in reports:
        first = 1 + max((run.group for run in runs), default=-1)
        runs += [replace(run, group=first + run.group) for run in report.runs]
    return replace(reports[0], runs=tuple(runs))


def devices(report: BenchReport) -> list[Device]:
    """Each device of a report once."""
    return list(dict.fromkeys(run.device for run in report.runs))


__all__ = ["Benchmark", "FileProgress", "Loading", "Runtime", "devices", "merge"]
