"""A conversion that must keep the task's own score: float model and candidate on the same labeled examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mobilebert_lite.common.files import check_output, write_json
from mobilebert_lite.common.requirements import need_files
from mobilebert_lite.common.temporary import scratch_folder
from mobilebert_lite.conversion import pipeline
from mobilebert_lite.conversion.plan import Plan, resolve
from mobilebert_lite.conversion.reference import float_file
from mobilebert_lite.conversion.request import ConvertReport, ConvertRequest, Progress
from mobilebert_lite.datasets.naming import name_labels
from mobilebert_lite.datasets.reading import DataOptions, evenly, read
from mobilebert_lite.errors import VerificationError
from mobilebert_lite.evaluation import evaluate
from mobilebert_lite.evaluation.compare import compare
from mobilebert_lite.evaluation.evaluate import EvalResult
from mobilebert_lite.evaluation.scorers import ScorerOptions, find_scorer
from mobilebert_lite.tasks import Task, find_task

# A message to a context that counts examples.
Counted = Callable[[str], AbstractContextManager[evaluate.CountProgress]]


@dataclass(frozen=True)
class Gate:
    """What a converted file must keep."""

    # Labeled examples.
    data: Path
    # Points of the score that it may lose against the float model.
    max_drop: float = 1.0
    # The score to judge by; None for the task's own.
    metric: str | None = None
    # This many examples, evenly over the file; None: all.
    limit: int | None = None
    workers: int = 1
    cluster: str | None = None
    # What of the data stands where.
    reading: DataOptions = field(default_factory=DataOptions)

    def examples(self, task: Task) -> Sequence[Any]:
        """All of ``data``. Raises DataError for what ``task`` cannot read."""
        return read(self.data, task, self.reading, labeled=True).examples

    def score(self, model: Path, name: str, counted: Counted) -> EvalResult:
        """``model`` on the examples, one thread each. Raises DataError for examples that do not fit the model."""
        request = evaluate.EvalRequest(model, self.data, limit=self.limit, workers=self.workers, cluster=self.cluster,
                                   options=ScorerOptions(self.metric), reading=self.reading)
        with counted(f"scoring {name}") as progress:
            return evaluate.evaluate(request, progress)

    def passes(self, reference: EvalResult, candidate: EvalResult) -> bool:
        """Whether ``candidate`` loses no more than is allowed."""
        return reference.score.value - candidate.score.value <= self.max_drop


def convert(request: ConvertRequest, gate: Gate, progress: Progress, counted: Counted) -> ConvertReport:
    """``pipeline.convert``, but the file appears only when it also passes ``gate``.

    Raises VerificationError with both scores when it does not, else as ``pipeline.convert``.
    """
    check_output(request.output)
    plan = planned(request, gate, progress)
    with pipeline.opened(plan, request.output) as outputs:
        report = pipeline.write(plan, outputs, progress)
        candidate = gate.score(outputs.file, "the candidate", counted)
        with float_model(plan, progress) as path:
            reference = gate.score(path, "the float model", counted)
        if not gate.passes(reference, candidate):
            raise VerificationError(refusal(gate, reference, candidate))
    report = replace(pipeline.named(report, request.output), evaluation=summary(gate, reference, candidate))
    if request.report is not None:
        write_json(request.report, report.to_json())
    return report


def planned(request: ConvertRequest, gate: Gate, progress: Progress) -> Plan:
    """The plan of ``request``. Raises DataError for examples that its file cannot be scored on, or not by the metric of
    ``gate``; where the task is asked for, for unreadable ones before the checkpoint is read."""
    need_files((gate.data,))
    if request.task is not None:
        gate.examples(find_task(request.task))
    plan = resolve(request, progress)
    _check_examples(gate, plan)
    return plan


def _check_examples(gate: Gate, plan: Plan) -> None:
    found = read(gate.data, plan.task, gate.reading, labeled=True)
    examples = name_labels(found, plan.task, plan.class_names)
    scorer = find_scorer(plan.task, examples, plan.class_names, ScorerOptions(gate.metric))
    for example in evenly(scorer.asked(examples), gate.limit):
        scorer.check(example)


@contextmanager
def float_model(plan: Plan, progress: Progress) -> Iterator[Path]:
    """The checkpoint of ``plan`` as a float file with the same task and lengths, while the block lasts."""
    progress("building the float model")
    with scratch_folder() as folder:
        path = folder / "float.tflite"
        path.write_bytes(float_file(plan.checkpoint, plan.task, plan.lengths, plan.design.masking))
        yield path


def summary(gate: Gate, reference: EvalResult, candidate: EvalResult) -> dict[str, Any]:
    """For the report."""
    data = candidate.report["data"]
    return {"metric": candidate.scorer.metric, "data": data, "max_drop": gate.max_drop,
            "float": reference.score.to_json(), "candidate": candidate.score.to_json(),
            **compare(candidate, reference)}


def refusal(gate: Gate, reference: EvalResult, candidate: EvalResult) -> str:
    """Why there is no file."""
    lost = reference.score.value - candidate.score.value
    return (f"evaluation failed on {len(candidate.examples)} examples: {candidate.scorer.metric} of the candidate "
            f"{candidate.score.value:.2f}, of the float model {reference.score.value:.2f}, a drop of {lost:.2f} points "
            f"(at most {gate.max_drop:g} allowed); no file was written. Try a safer --quantize mode, or --search")
