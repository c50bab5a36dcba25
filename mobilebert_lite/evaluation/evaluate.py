"""A finished file scored on labeled examples."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.common.files import sha256_of
from mobilebert_lite.datasets.naming import name_labels
from mobilebert_lite.datasets.reading import DataOptions, evenly, read
from mobilebert_lite.errors import DataError, ModelFileError
from mobilebert_lite.evaluation.cluster import run_cluster
from mobilebert_lite.evaluation.journal import Journal, Outcome
from mobilebert_lite.evaluation.languages import by_language
from mobilebert_lite.evaluation.scorers import ScorerOptions, find_scorer
from mobilebert_lite.evaluation.statistics import CONFIDENCE, RESAMPLES, SEED, Interval, percentiles, resample
from mobilebert_lite.evaluation.workers import Job, WorkerPlan, run_here, run_processes
from mobilebert_lite.npu import toolchain
from mobilebert_lite.npu.socs import find_soc
from mobilebert_lite.running.model import read_tflite
from mobilebert_lite.running.runtime import load_runtime
from mobilebert_lite.tasks import TASKS, Task, find_task
from mobilebert_lite.tasks.scoring import Prediction, Scorer
from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.version import __version__

# Called with the number of examples done and of all.
CountProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class EvalRequest:
    """What `mbl eval` is asked for.

    model: a .tflite that ``convert`` made.
    data: labeled examples.
    task: what the model must be for; None: whatever it is for.
    limit: this many examples, evenly over the file; None: all.
    threads: of each interpreter.
    workers: processes that score side by side.
    cluster: address of a Dask scheduler, in place of processes on this machine.
    runtime: package that runs the model; None: the installed one.
    tokenizer: in place of the one in the file.
    options: how answers are chosen and judged.
    reading: what of ``data`` stands where, and how many bad rows it may have.
    report: where the report will be; an evaluation that is interrupted goes on from a journal beside it.
    errors: this many of the worst errors are in the report.
    unlabeled: whether data without any label are answered, and not scored.
    npu: the processor (npu.socs), or a phone with it, in whose simulated NPU the model runs; None: on the CPU.
    """

    model: Path
    data: Path
    task: str | None = None
    limit: int | None = None
    threads: int = 1
    workers: int = 1
    cluster: str | None = None
    runtime: str | None = None
    tokenizer: str = "reference"
    options: ScorerOptions = field(default_factory=ScorerOptions)
    reading: DataOptions = field(default_factory=DataOptions)
    report: Path | None = None
    errors: int = 20
    unlabeled: bool = False
    npu: str | None = None


@dataclass(frozen=True)
class EvalResult:
    """What an evaluation found.

    examples: what was scored.
    predictions: the answers, in the order of the examples.
    rows: float [examples, k]; see Scorer.row.
    scorer: what judged them.
    score: the score to judge by, with its interval; NaN for data without labels, which have no rows either.
    report: what ``mbl eval --json`` prints; all but ``timing`` follows from model, data and options alone.
    journal: to be removed when the report is written.
    """

    examples: Sequence[Any]
    predictions: Sequence[Prediction]
    rows: np.ndarray
    scorer: Scorer
    score: Interval
    report: Mapping[str, Any]
    journal: Journal


def evaluate(request: EvalRequest, progress: CountProgress = lambda done, total: None) -> EvalResult:
    """Score ``request.model``. Raises ModelFileError or DataError for a file or data that cannot be used."""
    started = time.perf_counter()
    soc = find_soc(request.npu) if request.npu else None
    content = read_tflite(request.model)
    task, labels = _describe(request, content)
    found = read(request.data, task, request.reading, labeled=True)
    everything = name_labels(found, task, labels)
    scorer = find_scorer(task, everything, labels, request.options)
    examples = evenly(scorer.asked(everything), request.limit)
    scored = _scored(request, scorer, examples)
    plan = WorkerPlan(request.model, hashlib.sha256(content).hexdigest(), scorer, request.threads,
                load_runtime(request.runtime)[0], request.tokenizer, soc.name if soc else None)
    facts: dict[str, Any] = {
        "toolkit": f"mobilebert-lite {__version__}",
        "model": {"name": request.model.name, "sha256": plan.sha256, "bytes": len(content), "task": task.name},
        "data": {"name": request.data.name, "sha256": _digest(request.data),
                 "examples": len(examples), "of": len(everything),
                 **({"skipped_rows": found.told()} if found.skipped else {})},
        "options": {**asdict(request.options), "tokenizer": plan.tokenizer, "runtime": plan.runtime},
        **({"simulated": f"{soc}, {toolchain.find().versions}"} if soc else {}),
    }
    journal = Journal(request.report, facts)
    resumed = len(journal.finished)
    outcomes = _outcomes(request, plan, examples, journal, progress)
    timing = _timing(request, outcomes, resumed, time.perf_counter() - started)
    facts["cut"] = sum(outcome.cut for outcome in outcomes)
    predictions = [outcome.prediction for outcome in outcomes]
    if not scored:
        report = {**facts, "metrics": {}, "score": None, "timing": timing}
        return EvalResult(examples, predictions, np.empty((0, 0)), scorer, Interval(*[np.nan] * 3), report, journal)
    return _result(scorer, examples, predictions, facts, timing, journal=journal, errors=request.errors)


def _digest(data: Path) -> str:
    """SHA-256 of a file, or of those in a folder."""
    return sha256_of(sorted(one for one in data.rglob("*") if one.is_file()) if data.is_dir() else [data])


def _scored(request: EvalRequest, scorer: Scorer, examples: Sequence[Any]) -> bool:
    """Whether ``examples`` have labels. Raises DataError for one that cannot be scored."""
    if not any(map(scorer.has_label, examples)):
        if request.unlabeled:
            return False
        raise DataError(f"{request.data} has no labels, so there is no score; --predictions FILE writes the answers "
                        "as the benchmark takes them")
    for example in examples:
        scorer.check(example)
    return True


def _outcomes(request: EvalRequest, plan: WorkerPlan, examples: Sequence[Any], journal: Journal,
              progress: CountProgress) -> list[Outcome]:
    """One for each example, those in the journal among them."""
    finished = journal.finished
    progress(len(finished), len(examples))
    with closing(journal):
        for outcome in _run(request, plan, [job for job in enumerate(examples) if job[0] not in finished]):
            journal.add(outcome)
            progress(len(finished), len(examples))
    return [finished[i] for i in range(len(examples))]


def _result(scorer: Scorer, examples: Sequence[Any], predictions: Sequence[Prediction], facts: Mapping[str, Any],
            timing: Mapping[str, Any], *, journal: Journal, errors: int) -> EvalResult:
    rows = np.array([scorer.row(example, prediction)
                     for example, prediction in zip(examples, predictions, strict=True)], np.float64)
    score = resample(len(rows), lambda chosen: scorer.score(rows[chosen]))
    report = {**facts, "metrics": scorer.metrics(rows),
              "score": {"metric": scorer.metric, **score.to_json(), "confidence": CONFIDENCE,
                        "method": f"percentile bootstrap, {RESAMPLES} resamples, seed {SEED}"},
              **({} if (found := by_language(examples, rows, scorer)) is None else {"languages": found}),
              "details": scorer.details(examples, predictions, rows, errors), "timing": timing}
    return EvalResult(examples, predictions, rows, scorer, score, report, journal)


def _describe(request: EvalRequest, content: bytes) -> tuple[Task, tuple[str, ...]]:
    """Task and labels of the file."""
    provenance = metadata.read_provenance(content)
    task = TASKS.get(str(provenance.get("task")))
    if task is None:
        raise ModelFileError(f"{request.model} does not say which task it is for; only files that `mbl convert` made "
                             "carry what is needed to run them on text")
    if request.task is not None and find_task(request.task).name != task.name:
        raise DataError(f"--task {request.task}: {request.model} is for {task.name}")
    labels = metadata.read_files(content).get(metadata.LABELS, b"").decode("utf-8", "replace")
    return task.with_form(Form.read(provenance.get("form", {}))), tuple(labels.splitlines())


def _run(request: EvalRequest, plan: WorkerPlan, jobs: Sequence[Job]) -> Iterator[Outcome]:
    if not jobs:
        return iter(())
    if request.cluster is not None:
        return run_cluster(plan, jobs, request.cluster)
    return run_here(plan, jobs) if request.workers == 1 else run_processes(plan, jobs, request.workers)


def _timing(request: EvalRequest, outcomes: Sequence[Outcome], resumed: int, seconds: float) -> dict[str, Any]:
    # How long a simulator takes tells nothing of what it simulates.
    timed = outcomes if request.npu is None else []
    return {"inference_ms": percentiles([one for outcome in timed for one in outcome.inferences]),
            "example_ms": percentiles([outcome.total for outcome in timed]),
            "inferences": sum(len(outcome.inferences) for outcome in outcomes),
            "seconds": round(seconds, 1), "resumed": resumed, "threads": request.threads,
            "workers": request.workers if request.cluster is None else request.cluster}
