"""A score that a smaller network must keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.converters.checkpoints import Checkpoint
from mobilebert_lite.datasets.naming import name_labels
from mobilebert_lite.datasets.reading import DataOptions, evenly, read
from mobilebert_lite.errors import VerificationError
from mobilebert_lite.tasks import Task
from mobilebert_lite.training.scoring import Evaluator, in_evaluation

# Sequences are cut to the least of these that holds them.
_BUCKETS = (16, 32, 64, 128, 256, 384)


@dataclass(frozen=True)
class Limit:
    """Labeled examples, and the points of their score that may be lost.

    data: the examples.
    max_drop: points.
    metric: the score to judge by; None: the task's own.
    limit: this many examples, evenly over the file; None: all.
    reading: what of ``data`` stands where.
    """

    data: Path
    max_drop: float = 1.0
    metric: str | None = None
    limit: int | None = None
    reading: DataOptions = field(default_factory=DataOptions)

    def judge(self, checkpoint: Checkpoint, task: Task, masking: Masking, length: int) -> Judge:
        """What scores networks made of ``checkpoint``. Raises DataError for examples that do not fit."""
        found = read(self.data, task, self.reading, labeled=True)
        labels = checkpoint.class_names(task)
        examples = evenly(name_labels(found, task, labels), self.limit)
        evaluator = Evaluator(examples, in_evaluation(task, length), checkpoint.tokenizer, labels, length,
                              buckets=[one for one in _BUCKETS if one < length], masking=masking, metric=self.metric)
        return Judge(evaluator)

    def check(self, metric: str, full: float, small: float) -> None:
        """Raise VerificationError where too much is lost."""
        if full - small > self.max_drop:
            raise VerificationError(f"{metric} of the smaller network is {small:.2f}, of the full one {full:.2f}, a "
                                    f"drop of {full - small:.2f} points (at most {self.max_drop:g} allowed); nothing "
                                    "was written. Ask for a smaller --speedup, or train the smaller network")


class Judge:
    """Scores networks of any shape on the same examples."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.metric = evaluator.scorer.metric

    def score(self, weights: Weights) -> float:
        """In percent."""
        return self.evaluator.score(weights.tensors, weights.config)[0]
