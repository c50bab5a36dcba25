"""The runner of this machine: real inferences in a child process, and what becomes of a child that goes wrong."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest
from conftest import LENGTHS

from mobilebert_lite.benchmarks.bench import BenchRequest, Failed, bench
from mobilebert_lite.benchmarks.host import machine
from mobilebert_lite.benchmarks.host.child import Child
from mobilebert_lite.benchmarks.host.runner import HostRunner
from mobilebert_lite.benchmarks.measuring.runner import Input, RunnerError, Sample
from mobilebert_lite.benchmarks.measuring.texts import MIXED, inputs_of, read_texts
from mobilebert_lite.benchmarks.reports.operators import parse
from mobilebert_lite.benchmarks.reports.result import Configuration
from mobilebert_lite.benchmarks.subject import read_subject
from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.inspection.report import inspect

Converted = Callable[[str, str], Path]


def inputs(path: Path, length: int = LENGTHS[1]) -> Sequence[Input]:
    subject = read_subject(path)
    return inputs_of(subject.task, subject.tokenizer, read_texts(None, subject.task), subject.entries, length)


def children() -> set[int]:
    """Those that measure; other tests may have processes that wait for more to do."""
    return {child.pid for child in psutil.Process().children(recursive=True) if measures(child)}


def measures(child: psutil.Process) -> bool:
    try:
        return any("benchmarks" in word for word in child.cmdline())
    except psutil.Error:  # it has ended since
        return False


@pytest.fixture(autouse=True)
def no_child_is_left() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


def test_inferences_are_real(converted: Converted) -> None:
    """As many as asked for, one after the other on our clock, of the given texts in turn."""
    path = converted("qa", "int8")
    given = inputs(path)
    prepared = HostRunner().prepare(path, Configuration(LENGTHS[1], 1), given)
    try:
        began = time.monotonic()
        samples = [one for one in prepared.run(len(given) + 5, 0.0, first=3) if isinstance(one, Sample)]
        ended = time.monotonic()
        memory = prepared.finish().memory
    finally:
        prepared.close()
    assert len(samples) == len(given) + 5
    assert [one.tokens for one in samples] == [given[(3 + i) % len(given)].tokens for i in range(len(samples))]
    starts = np.array([one.started_s for one in samples])
    durations = np.array([one.duration_us for one in samples]) / 1e6
    assert began <= starts[0]
    assert starts[-1] + durations[-1] <= ended
    assert (starts[1:] >= starts[:-1] + durations[:-1]).all()
    assert memory is not None
    assert 1e6 < memory.peak_bytes - memory.baseline_bytes < 1e9
    assert prepared.loading.load_us > 0
    assert prepared.loading.first_us > 0


def test_delegation_is_that_of_inspect(converted: Converted) -> None:
    path = converted("qa", "int8")
    shown = next(one for one in inspect(path).signatures if one.subgraph == 0)
    assert shown.delegation is not None
    with_it, without = (HostRunner().prepare(path, Configuration(LENGTHS[1], 1, xnnpack=on), inputs(path))
                        for on in (True, False))
    for prepared in (with_it, without):
        prepared.close()
    assert with_it.loading.nodes == without.loading.nodes == shown.operators
    assert with_it.loading.partitions == shown.delegation.partitions == 1
    assert with_it.loading.delegated == shown.operators - len(shown.delegation.outside)
    assert (without.loading.delegated, without.loading.partitions) == (0, 0)


@pytest.mark.parametrize("xnnpack", [True, False])
def test_a_profile_names_the_operators(converted: Converted, xnnpack: bool) -> None:
    path = converted("qa", "int8")
    prepared = HostRunner(profile=True).prepare(path, Configuration(LENGTHS[1], 1, xnnpack=xnnpack), inputs(path))
    try:
        found = prepared.finish()
    finally:
        prepared.close()
    assert found.warnings == ()
    assert sum(one.percent for one in found.operators) == pytest.approx(100, abs=0.1)
    assert [one.mean_us for one in found.operators] == sorted((one.mean_us for one in found.operators), reverse=True)
    kinds = {one.kind: one.count for one in found.operators}
    if xnnpack:
        assert any("Fully Connected" in kind and "QC8W" in kind for kind in kinds)  # weights in int8, by channel
    else:
        counts: Counter[str] = Counter()
        for one in inspect(path).operators:  # one row for each version
            counts[one.name] += one.count
        assert kinds == counts


def test_pinned_to_processors(converted: Converted) -> None:
    path, cpu = converted("qa", "int8"), machine.available_cpus()[-1]
    prepared = HostRunner().prepare(path, Configuration(LENGTHS[1], 1, cpus=(cpu,)), inputs(path))
    try:
        assert psutil.Process(prepared._child._process.pid).cpu_affinity() == [cpu]
    finally:
        prepared.close()


def test_closing_the_iterator_stops_the_run(converted: Converted) -> None:
    path = converted("qa", "int8")
    prepared = HostRunner().prepare(path, Configuration(LENGTHS[1], 1), inputs(path))
    try:
        run = prepared.run(10**9, 0.0)
        next(iter(run))
        run.close()  # type: ignore[attr-defined]
        assert len(list(prepared.run(7, 0.0))) == 7  # and it runs again
    finally:
        prepared.close()


def test_mixed_lengths_run_in_their_signatures(converted: Converted) -> None:
    report = bench(BenchRequest((converted("classification", "int8"),), lengths=(MIXED,), runs=64, seconds=0.0))
    [run] = report.runs
    assert run.complete
    assert len(set(run.samples.tokens)) > 5
    short = [took for took, tokens in zip(run.samples.duration_us, run.samples.tokens, strict=True)
             if tokens <= LENGTHS[0]]
    long = [took for took, tokens in zip(run.samples.duration_us, run.samples.tokens, strict=True)
            if tokens > LENGTHS[0]]
    assert min(short) < min(long)


def test_a_whole_report(converted: Converted) -> None:
    paths = (converted("qa", "int8"), converted("qa", "none"))
    report = bench(BenchRequest(paths, threads=(1, 2), runs=20, seconds=0.0, warm_up=20))
    assert [(run.file.name, run.configuration.threads, run.group) for run in report.runs] == [
        (paths[0].name, 1, 0), (paths[1].name, 1, 0), (paths[0].name, 2, 1), (paths[1].name, 2, 1)]
    for run in report.runs:
        assert run.configuration.length == max(LENGTHS)
        assert len(run.samples) == 20
        assert run.runtime.name == "ai-edge-litert"
        assert run.device.profile == "host"
        assert run.environment
    assert report.options.texts == 64
    assert report.options.mean_tokens == pytest.approx(np.mean([one.tokens for path in paths for one in inputs(path)]),
                                                       abs=0.1)


def test_a_description_that_lies(converted: Converted, tmp_path: Path) -> None:
    """The signature that the description speaks of is not in the file."""
    content = converted("qa", "int8").read_bytes()
    lie = content.replace(b'"lengths": [48, 32]', b'"lengths": [48, 33]')
    assert lie != content
    (tmp_path / "lie.tflite").write_bytes(lie)
    with pytest.raises(Failed, match=r"signature 'qa_33' should read .* convert it again"):
        bench(BenchRequest((tmp_path / "lie.tflite",), lengths=(33,), runs=1, seconds=0.0))


def test_a_file_that_the_runtime_refuses(converted: Converted, tmp_path: Path) -> None:
    content = bytearray(converted("qa", "int8").read_bytes())
    content[4096:len(content) // 2] = bytes(len(content) // 2 - 4096)
    (tmp_path / "torn.tflite").write_bytes(bytes(content))
    with pytest.raises((Failed, ModelFileError), match=r"torn\.tflite"):
        bench(BenchRequest((tmp_path / "torn.tflite",), runs=1, seconds=0.0))


# A child that goes wrong

@pytest.fixture
def child() -> Iterator[Child]:
    made = Child(silence_s=5.0)
    yield made
    made.close()


def loaded(child: Child, path: Path) -> Child:
    child.ask("load", path=str(path), threads=1, accelerator="cpu", xnnpack=True, cpus=[], runtime=None)
    child.ask("inputs", inputs=[[one.signature, {name: array.tolist() for name, array in one.arrays.items()},
                                 one.tokens] for one in inputs(path)])
    return child


def test_a_crash_is_an_error(child: Child, converted: Converted) -> None:
    loaded(child, converted("qa", "int8"))
    pid = child._process.pid
    threading.Timer(0.5, os.kill, (pid, signal.SIGSEGV)).start()
    with pytest.raises(RunnerError, match="ended by signal SIGSEGV during 'run'"):
        list(child.stream("run", count=10**9, seconds=0.0, first=0))


def test_a_hang_is_an_error(child: Child, converted: Converted) -> None:
    loaded(child, converted("qa", "int8"))
    os.kill(child._process.pid, signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(RunnerError, match="the runtime hangs: no answer to 'run' for 5 s"):
        list(child.stream("run", count=1, seconds=0.0, first=0))
    assert time.monotonic() - started < 60


def test_a_child_ends_with_its_parent() -> None:
    """The pipe closes, whatever ended the parent."""
    child = Child()
    child.ask("memory")
    child._in.close()
    assert child._process.wait(timeout=60) == 0
    child.close()


def test_what_a_library_prints_is_no_answer(child: Child, tmp_path: Path) -> None:
    """LiteRT writes to both standard streams; answers stay apart, and its last words are in the error."""
    (tmp_path / "no.tflite").write_bytes(b"\0\0\0\0TFL3" + bytes(100))
    with pytest.raises(ModelFileError):
        child.ask("load", path=str(tmp_path / "no.tflite"), threads=1, accelerator="cpu", xnnpack=True, cpus=[],
                  runtime=None)
    assert child.ask("memory")["peak_bytes"] > 1e6  # it lives on


# What this machine is

def test_this_machine() -> None:
    device = machine.describe()
    assert device.cores == len(os.sched_getaffinity(0))
    assert device.memory_bytes == pytest.approx(psutil.virtual_memory().total, rel=0.01)
    assert not device.emulated
    now = machine.snapshot()
    assert now.offset_us == pytest.approx(1e6 * time.monotonic(), abs=10e6)
    assert now.load is not None
    share = machine.busy_share()
    assert share is not None
    assert 0 <= share <= 1


def test_summaries_without_a_table() -> None:
    assert parse("") == ()
    assert parse("=== Run Order ===\n[node type] [Name]\nADD x\n") == ()
    heading = "[node type] [first] [avg ms] [%] [cdf%] [mem KB] [times called] [Name]"
    rows = ["A B (x)  0.1  0.250  25.0%  25.0%  0.0  1  [n]:0", "ADD  0.1  0.500  50.0%  75.0%  0.0  1  [n]:1",
            "A B (x)  0.1  0.250  25.0% 100.0%  0.0  1  with a space", "no row at all"]
    found = parse("\n".join(["=== Run Order ===", heading, *rows, "", "ADD 1 1 1 1 1 1 after the table"]))
    assert [(one.kind, one.count, one.mean_us, one.percent) for one in found] == [
        ("A B (x)", 2, 500.0, 50.0), ("ADD", 1, 500.0, 50.0)]
