"""The order of things, with a runner whose latencies are known beforehand."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mobilebert_lite.benchmarks import method
from mobilebert_lite.benchmarks.bench import BenchRequest
from mobilebert_lite.benchmarks.measuring.runner import Findings, Input, RunnerError, Sample
from mobilebert_lite.benchmarks.measuring.texts import TextEntry
from mobilebert_lite.benchmarks.method import MLPERF_SAMPLES, MLPERF_SECONDS, Benchmark, merge
from mobilebert_lite.benchmarks.reports.result import (
    Aggregate,
    BenchOptions,
    Configuration,
    Device,
    File,
    Loading,
    Memory,
    Runtime,
    Snapshot,
)
from mobilebert_lite.benchmarks.subject import Subject
from mobilebert_lite.errors import MblError
from mobilebert_lite.tasks import TASKS
from mobilebert_lite.text.tokenization import Tokenizer

WORDS = Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
INPUT = Input("qa_8", {"ids": np.zeros((1, 8), np.int32)}, 3)


def subject(name: str) -> Subject:
    return Subject(Path(name), File(name, name, 1), TASKS["qa"], WORDS, (TextEntry("qa_8", 8, {}),))


@dataclass
class Scripted:
    """Says of inference i of a file what ``latency`` says, and keeps a diary."""

    latency: dict[str, list[float]]
    fails_at: int | None = None
    interrupts_at: int | None = None
    temperatures: Iterator[float] = field(default_factory=lambda: itertools.repeat(30.0))
    said: list[str] = field(default_factory=list)
    diary: list[str] = field(default_factory=list)
    # File -> what is wrong with its answers.
    wrong: dict[str, str] = field(default_factory=dict)
    block: int = 1
    batches: bool = False
    device: Device = field(default_factory=lambda: Device("host", "a script"))
    count: int = 0

    def objections(self) -> list[str]:
        return self.said

    def snapshot(self) -> Snapshot:
        return Snapshot(1e6 * time.monotonic(), next(self.temperatures))

    def prepare(self, path: Path, configuration: Configuration, inputs: Sequence[Input]) -> Prepared:
        return Prepared(self, path.name)

    def close(self) -> None:
        self.diary.append("closed")


class Prepared:
    runtime = Runtime("script", "1")
    loading = Loading(1.0, 2.0)

    def __init__(self, runner: Scripted, name: str) -> None:
        self.runner, self.name, self.done = runner, name, 0
        self.latency = itertools.chain(runner.latency[name], itertools.repeat(runner.latency[name][-1]))

    def run(self, count: int, seconds: float, first: int = 0) -> Iterator[Sample | Aggregate]:
        self.runner.diary.append(f"{self.name}{count}@{first}")
        for _ in range(count):
            self.runner.count += 1
            if self.runner.count == self.runner.fails_at:
                raise RunnerError("the cable was pulled")
            if self.runner.count == self.runner.interrupts_at:
                raise KeyboardInterrupt
            now, took = time.monotonic(), next(self.latency)
            yield Aggregate(1e6 * now, 10, took, 1.0, took, took, 3) if self.runner.batches else Sample(now, took, 3)

    def finish(self) -> Findings:
        return Findings(Memory(77), wrong=self.runner.wrong.get(self.name, ""))

    def close(self) -> None:
        self.runner.diary.append(f"{self.name} closed")


def measured(runner: Scripted, names: str = "a", options: BenchOptions | None = None, groups: int = 1,
             strict: bool = False) -> Benchmark:
    benchmark = Benchmark(runner, options or BenchOptions(100, 0.0, 0))
    benchmark.measure([subject(name) for name in names], [Configuration(8, i + 1) for i in range(groups)],
                      lambda one, length: [INPUT], strict)
    return benchmark


def test_wrong_answers_fail_the_benchmark_and_are_kept() -> None:
    """The other file's run is whole."""
    runner = Scripted({"a": [100.0], "b": [200.0]}, wrong={"a": "a answers nonsense"})
    benchmark = Benchmark(runner, BenchOptions(40, 0.0, 0))
    with pytest.raises(RunnerError, match=r"^a answers nonsense$"):
        benchmark.measure([subject(name) for name in "ab"], [Configuration(8, 1)], lambda one, length: [INPUT])
    assert [(run.complete, run.reason) for run in benchmark.runs] == [(False, "a answers nonsense"), (True, "")]
    assert [len(run.samples) for run in benchmark.runs] == [40, 40]
    assert all(run.memory == Memory(77) for run in benchmark.runs)
    assert runner.diary[-2:] == ["a closed", "b closed"]


def test_files_take_turns_in_alternating_order() -> None:
    runner = Scripted({"a": [100.0], "b": [200.0]})
    runs = measured(runner, "ab").runs
    assert runner.diary[:4] == ["a5@0", "b5@0", "b5@5", "a5@5"]
    for run, latency in zip(runs, (100.0, 200.0), strict=True):
        assert run.samples.duration_us == (latency,) * 100
        assert run.samples.turn == tuple(np.repeat(np.arange(20), 5))
        assert run.complete
        assert run.group == 0
        assert run.memory == Memory(77)
    assert runner.diary[-2:] == ["a closed", "b closed"]


def test_one_file_needs_no_turns() -> None:
    runner = Scripted({"a": [100.0]})
    measured(runner)
    assert runner.diary == ["a100@0", "a closed"]


def test_a_phone_starts_a_process_for_each_block() -> None:
    runner = Scripted({"a": [100.0], "b": [100.0]}, block=40)
    measured(runner, "ab")
    assert runner.diary[:-2] == ["a40@0", "b40@0", "b40@40", "a40@40", "a20@80", "b20@80"]


def test_warm_up_ends_when_it_is_stable() -> None:
    falling = [1000.0 * 0.8 ** i for i in range(20)] + [10.0]
    [run] = measured(Scripted({"a": falling}), options=BenchOptions(10, 0.0, 200)).runs
    assert 30 <= len(run.warm_up_us) <= 60
    assert run.warm_up_us[0] == 1000
    assert set(run.samples.duration_us) == {10.0}
    assert run.warnings == ()


def test_warm_up_that_never_settles_is_said() -> None:
    [run] = measured(Scripted({"a": [1000.0 * 0.9 ** i for i in range(200)]}), options=BenchOptions(5, 0.0, 60)).runs
    assert len(run.warm_up_us) == 60
    assert run.samples.duration_us[0] == pytest.approx(1000 * 0.9 ** 60, abs=0.1)
    assert "still changing after 60 inferences" in run.warnings[0]


def test_seconds_go_on_after_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second of an eighth each, on a clock that nothing else moves."""
    now = [0.0]
    monkeypatch.setattr(method, "time", SimpleNamespace(monotonic=lambda: now[0]))

    class Slow(Scripted):
        def prepare(self, path: Path, configuration: Configuration, inputs: Sequence[Input]) -> Prepared:
            prepared = super().prepare(path, configuration, inputs)
            run = prepared.run

            def slow(count: int, seconds: float, first: int = 0) -> Iterator[Sample | Aggregate]:
                for one in run(count, seconds, first):
                    now[0] += 0.125
                    yield one

            prepared.run = slow  # type: ignore[method-assign]
            return prepared

    [run] = measured(Slow({"a": [100.0]}), options=BenchOptions(1, 1.0, 0)).runs
    assert len(run.samples) == 8


@pytest.mark.parametrize(("kwargs", "raised", "reason"), [
    ({"fails_at": 58}, RunnerError, "the cable was pulled"), ({"interrupts_at": 58}, KeyboardInterrupt, "interrupted")])
def test_what_was_measured_is_kept(kwargs: dict[str, int], raised: type[BaseException], reason: str) -> None:
    runner = Scripted({"a": [100.0], "b": [200.0]}, **kwargs)
    benchmark = Benchmark(runner, BenchOptions(100, 0.0, 0))
    with pytest.raises(raised):
        benchmark.measure([subject("a"), subject("b")], [Configuration(8, 1), Configuration(8, 2)],
                          lambda one, length: [INPUT])
    report = benchmark.report()
    assert [len(run.samples) for run in report.runs] == [27, 30]
    assert [(run.complete, run.reason) for run in report.runs] == [(False, reason)] * 2
    assert f"incomplete: {reason}; its samples are kept" in report.runs[0].warnings
    assert not report.complete
    assert runner.diary[-2:] == ["a closed", "b closed"]


def test_a_finished_group_stays_complete() -> None:
    benchmark = Benchmark(Scripted({"a": [100.0]}, fails_at=150), BenchOptions(100, 0.0, 0))
    with pytest.raises(RunnerError):
        benchmark.measure([subject("a")], [Configuration(8, 1), Configuration(8, 2)], lambda one, length: [INPUT])
    assert [(run.complete, len(run.samples), run.group) for run in benchmark.runs] == [(True, 100, 0), (False, 49, 1)]


def test_a_device_that_objects() -> None:
    runner = Scripted({"a": [100.0]}, said=["it is hot: let it cool down"])
    assert measured(runner).runs[0].warnings == ("it is hot: let it cool down",)
    with pytest.raises(MblError, match="a script: it is hot"):
        measured(Scripted({"a": [100.0]}, said=["it is hot"]), strict=True)


def test_it_rests_until_it_is_cool() -> None:
    """At 60 s of rest the third reading, 30.5 °C, ends it."""
    readings = iter([30.0, *[50.0] * 4, 30.5])
    runner = Scripted({"a": [100.0]}, temperatures=itertools.chain(readings, itertools.repeat(30.0)))
    started = time.monotonic()
    measured(runner, options=BenchOptions(5, 0.0, 0, cool_down_s=60.0), groups=2)
    assert time.monotonic() - started < 20
    assert next(readings, None) is None


def test_the_device_is_watched() -> None:
    [run] = measured(Scripted({"a": [100.0]})).runs
    assert len(run.environment) >= 2
    offsets = [one.offset_us for one in run.environment]
    assert 0 <= offsets[0] <= run.samples.offset_us[0] <= run.samples.offset_us[-1] <= offsets[-1] < 10e6


def test_batches_are_kept_as_such() -> None:
    runs = measured(Scripted({"a": [100.0], "b": [300.0]}, batches=True), "ab").runs
    assert [sum(one.count for one in run.aggregates) for run in runs] == [100, 100]
    assert all(0 <= one.offset_us < 10e6 for run in runs for one in run.aggregates)
    assert [one.turn for one in runs[0].aggregates[:3]] == [0, 0, 0]


@pytest.mark.parametrize(("durations", "said"), [
    ([100.0] * 60 + [120.0] * 60, "latency rose by 20 %"),
    ([100.0, 130.0] * 60, "noisy: half of the samples"),
    ([100.0, 101.0] * 60, ""),
])
def test_suspicious_runs(durations: list[float], said: str) -> None:
    [run] = measured(Scripted({"a": durations}), options=BenchOptions(len(durations), 0.0, 0)).runs
    assert any(said in one for one in run.warnings) if said else run.warnings == ()


def test_an_emulated_device_is_marked() -> None:
    runner = Scripted({"a": [100.0]}, device=Device("pixel4", "Pixel 4", emulated=True))
    benchmark = measured(runner)
    assert benchmark.report().emulated
    assert "Pixel 4 is emulated" in benchmark.runs[0].warnings[0]


def test_mlperf_is_a_least() -> None:
    options = BenchRequest((), mlperf=True, runs=10, seconds=1.0).options()
    assert (options.runs, options.seconds) == (MLPERF_SAMPLES, MLPERF_SECONDS) == (1024, 60)
    assert BenchRequest((), mlperf=True, runs=5000, seconds=90.0).options().runs == 5000


def test_devices_side_by_side_are_one_report() -> None:
    reports = [measured(Scripted({"a": [100.0], "b": [100.0]}), "ab", groups=2).report() for _ in range(2)]
    assert [run.group for run in merge(reports).runs] == [0, 0, 1, 1, 2, 2, 3, 3]
