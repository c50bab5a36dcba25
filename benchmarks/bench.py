"""``mbl bench`` as a function: a request, the devices, one report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from mobilebert_lite.benchmarks.host.child import SILENCE_S
from mobilebert_lite.benchmarks.measuring import process
from mobilebert_lite.benchmarks.measuring.runner import Input, Runner
from mobilebert_lite.benchmarks.measuring.texts import MIXED, inputs_of, read_texts
from mobilebert_lite.benchmarks.method import MLPERF_SAMPLES, MLPERF_SECONDS, Benchmark, FileProgress, merge
from mobilebert_lite.benchmarks.reports.result import CPU, BenchOptions, BenchReport, Configuration
from mobilebert_lite.benchmarks.subject import Subject, read_subject
from mobilebert_lite.common.files import sha256_of
from mobilebert_lite.converters.tokenizers import reading as tokenizer_files
from mobilebert_lite.datasets.reading import DataOptions, Example
from mobilebert_lite.errors import DataError, MblError, ModelFileError
from mobilebert_lite.tasks import find_task
from mobilebert_lite.text.tokenization import Tokenizer

if TYPE_CHECKING:
    from mobilebert_lite.benchmarks.phone.adb import Phone

HOST, ANY = "host", "any"
BIG, ALL = "big", "all"
# What runs models on phones.
BENCHMARK_MODEL, APP = "benchmark-model", "app"


@dataclass(frozen=True)
class BenchRequest:
    """What to measure. Fields are the options of ``mbl bench``.

    models: .tflite files, which take turns on each device.
    device: HOST (this machine), ANY (every phone that is attached) or a profile's name (benchmarks/phone/devices).
    serials: of the phones that are meant, where several are attached.
    servers: "host:port" of adb servers.
    connect: "host:port" of phones to attach over the network.
    runner: on phones: BENCHMARK_MODEL, or APP, the demo app's instrumentation.
    runner_binary: benchmark_model for the phone; None: the official one.
    runner_sha256: that it must have; None: an official one must be as it was when it was fetched first.
    app: the demo app's APK, to be installed before; None: it is there.
    lengths: in tokens; MIXED: each text in the shortest signature that holds it; (): the longest that all files have.
    threads: numbers of threads, measured one after another.
    accelerators: cpu, gpu or npu, measured one after another.
    xnnpack: whether the XNNPACK delegate is applied on CPUs.
    cpus: numbers of processors to pin to, BIG (the fastest of a phone) or ALL.
    runs: least number of samples.
    seconds: least duration of the samples.
    warm_up: most inferences before the samples; fewer when the latency is stable.
    mlperf: by the rules of MLPerf Mobile's single stream: 1,024 samples and a minute at least, p90.
    cool_down_s: pause between files, in seconds.
    data: texts to run; None: built-in ones.
    reading: what of ``data`` stands where, and how many bad rows it may have.
    vocabulary: tokenizer file for models that carry none.
    runtime: package that runs models on this machine; None: the installed one.
    profile: time of each kind of operator, where the runtime tells.
    strict: refuse a device that is hot, low on charge, or busy.
    silence_s: seconds without a word from a phone after which it counts as gone.
    """

    models: tuple[Path, ...]
    device: str = HOST
    serials: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    connect: tuple[str, ...] = ()
    runner: str = BENCHMARK_MODEL
    runner_binary: Path | None = None
    runner_sha256: str | None = None
    app: Path | None = None
    lengths: tuple[int, ...] = ()
    threads: tuple[int, ...] = (1,)
    accelerators: tuple[str, ...] = (CPU,)
    xnnpack: bool = True
    cpus: tuple[int, ...] | str = BIG
    runs: int = 100
    seconds: float = 5.0
    warm_up: int = 200
    mlperf: bool = False
    cool_down_s: float = 0.0
    data: Path | None = None
    reading: DataOptions = field(default_factory=DataOptions)
    vocabulary: Path | None = None
    runtime: str | None = None
    profile: bool = False
    strict: bool = False
    silence_s: float = SILENCE_S

    def options(self) -> BenchOptions:
        """As the report carries them, before any text was read."""
        runs, seconds = (max(self.runs, MLPERF_SAMPLES), max(self.seconds, MLPERF_SECONDS)) if self.mlperf else (
            self.runs, self.seconds)
        data = ("built in", "") if self.data is None else (self.data.name, _sha256(self.data))
        return BenchOptions(runs, seconds, self.warm_up, self.mlperf, self.cool_down_s, *data)


class Failed(Exception):
    """A benchmark that did not come to its end; ``report`` holds what was measured."""

    def __init__(self, report: BenchReport, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.report, self.cause = report, cause


def bench(request: BenchRequest, progress: FileProgress = lambda name, done, total: None,
          tell: Callable[[str], None] = lambda message: None) -> BenchReport:
    """Measure every model on every device asked for, the devices side by side; ``tell`` hears of rows left out.

    Raises MblError before anything is measured, and Failed when it ends early (also on Ctrl-C).
    """
    with open_runners(request, tell) as runners:
        tokenizer = None if request.vocabulary is None else _tokenizer(request.vocabulary)
        subjects = [read_subject(path, tokenizer) for path in request.models]
        lengths = request.lengths or (_common_length(subjects),)
        inputs = _inputs(request, tell)
        tokens = [one.tokens for subject in subjects for length in lengths for one in inputs(subject, length)]
        options = replace(request.options(), texts=len(inputs(subjects[0], lengths[0])),
                          mean_tokens=round(sum(tokens) / len(tokens), 1))
        started = time.monotonic()
        benchmarks = [Benchmark(runner, options, progress, started) for runner in runners]
        try:
            _all_at_once([partial(one.measure, subjects, configurations(request, lengths, one.runner), inputs,
                                  request.strict) for one in benchmarks], benchmarks)
        except (MblError, KeyboardInterrupt) as error:
            raise Failed(merge([one.report() for one in benchmarks]), error) from error
        return merge([one.report() for one in benchmarks])


def _tokenizer(path: Path) -> Tokenizer:
    return tokenizer_files.read(tokenizer_files.find(path.parent, path), lower_case=True).tokenizer()


def configurations(request: BenchRequest, lengths: Sequence[int], runner: Runner) -> list[Configuration]:
    """All combinations, the lengths outermost."""
    cpus = _cpus(request, runner)
    return [Configuration(length, threads, accelerator, request.xnnpack, cpus)
            for length, accelerator, threads in product(lengths, request.accelerators, request.threads)]


def _cpus(request: BenchRequest, runner: Runner) -> tuple[int, ...]:
    if isinstance(request.cpus, tuple):
        return request.cpus
    if request.cpus == ALL:
        return ()
    return runner.big_cpus


@contextmanager
def open_runners(request: BenchRequest, tell: Callable[[str], None] = lambda message: None
                 ) -> Iterator[list[Runner]]:
    """The devices asked for; closed at the end, whatever happens. Raises MblError when there is none."""
    process.go_on()
    runners = _find(request, tell)
    try:
        yield runners
    finally:
        _close(runners)


def _find(request: BenchRequest, tell: Callable[[str], None]) -> list[Runner]:
    if request.device == HOST and not (request.serials or request.connect):
        from mobilebert_lite.benchmarks.host.runner import HostRunner

        return [HostRunner(request.runtime, request.silence_s, request.profile)]
    from mobilebert_lite.benchmarks.phone.phones import attached_phones

    phones = attached_phones(request.device, request.serials, request.servers, request.connect)
    make, runners = _on_phones(request, tell), list[Runner]()
    try:
        for phone in phones:
            runners.append(make(phone))
    except BaseException:
        _close(runners)
        raise
    return runners


def _close(runners: Sequence[Runner]) -> None:
    """Side by side: each may wait for a phone that has gone."""
    if process.hurried():
        process.stop_all()
    if runners:
        with ThreadPoolExecutor(len(runners)) as pool:
            for future in [pool.submit(runner.close) for runner in runners]:
                future.result()


def _on_phones(request: BenchRequest, tell: Callable[[str], None]) -> Callable[[Phone], Runner]:
    if request.runner == APP:
        from mobilebert_lite.benchmarks.app.runner import AppRunner

        return partial(AppRunner, app=request.app, data=request.data, reading=request.reading,
                       silence_s=request.silence_s, profile=request.profile)
    from mobilebert_lite.benchmarks.phone.runner import PhoneRunner
    from mobilebert_lite.benchmarks.phone.runner_binary import find_binary

    binary = find_binary(request.runner_binary, request.accelerators, request.runner_sha256, tell)
    return partial(PhoneRunner, binary=binary, silence_s=request.silence_s, profile=request.profile)


def _all_at_once(plans: Sequence[Callable[[], None]], benchmarks: Sequence[Benchmark]) -> None:
    """One device in this thread; several in one thread each, all ended on Ctrl-C. One device that fails does not end
    the others: each is a result of its own."""
    if len(plans) == 1:
        plans[0]()
        return
    with ThreadPoolExecutor(len(plans)) as pool:
        futures = [pool.submit(plan) for plan in plans]
        try:
            wait(futures)  # not Thread.join: interrupted, it takes a running thread for an ended one
        except KeyboardInterrupt:
            for one in benchmarks:
                one.stop()
            process.stop_all()
            wait(futures)
            raise
    for future in futures:
        future.result()


def _inputs(request: BenchRequest, tell: Callable[[str], None]) -> Callable[[Subject, int], Sequence[Input]]:
    @cache
    def texts(task: str) -> Sequence[Example]:
        return read_texts(request.data, find_task(task), request.reading, tell)

    @cache
    def of(path: Path, length: int) -> Sequence[Input]:
        subject = by_path[path]
        examples = texts(subject.task.name)
        try:
            return inputs_of(subject.task, subject.tokenizer, examples, subject.entries, length,
                             word_rows=subject.word_rows)
        except ModelFileError as error:
            raise ModelFileError(f"{path}: {error}") from None

    by_path: dict[Path, Subject] = {}

    def inputs(subject: Subject, length: int) -> Sequence[Input]:
        by_path[subject.path] = subject
        return of(subject.path, length)

    return inputs


def _common_length(subjects: Sequence[Subject]) -> int:
    common = set.intersection(*(set(subject.lengths) for subject in subjects))
    if not common:
        said = "; ".join(f"{subject.file.name} {', '.join(map(str, subject.lengths))}" for subject in subjects)
        raise ModelFileError(f"the files have no length in common ({said}); convert them alike, or give "
                             "--seq-len mixed")
    return max(common)


def _sha256(path: Path) -> str:
    try:
        return sha256_of(sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path])
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


__all__ = ["ALL", "ANY", "BIG", "HOST", "MIXED", "BenchRequest", "Failed", "bench", "configurations", "open_runners"]
