"""Which scorer a task has: one row each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mobilebert_lite.errors import DataError
from mobilebert_lite.evaluation import squad
from mobilebert_lite.evaluation.classification import ClassificationScorer
from mobilebert_lite.evaluation.question_answering import QuestionAnsweringScorer
from mobilebert_lite.evaluation.scorer import Scorer


@dataclass(frozen=True)
class Options:
    """How answers are chosen and judged; what a task does not know, it leaves alone."""

    # The score to judge by; None for the task's own.
    metric: str | None = None
    # Question answering: tokens between windows, longest answer, lead that the null answer needs.
    stride: int = 128
    max_answer_tokens: int = 30
    null_threshold: float = 0.0


# Task -> its scorer for all examples of the data, the model's labels, and the options.
_SCORERS: dict[str, Callable[[Sequence[Any], Sequence[str], Options], Scorer]] = {
    "qa": lambda examples, labels, options: QuestionAnsweringScorer(
        squad.rules_for(examples), options.metric, options.stride, options.max_answer_tokens, options.null_threshold),
    "classification": lambda examples, labels, options: ClassificationScorer(labels, options.metric),
}


def find_scorer(task: str, examples: Sequence[Any], labels: Sequence[str], options: Options) -> Scorer:
    """The scorer for a model of ``task``. Raises DataError when there is none, or when the options do not fit it."""
    if task not in _SCORERS:
        raise DataError(f"models for {task} cannot be scored; those for {', '.join(_SCORERS)} can")
    return _SCORERS[task](examples, labels, options)
