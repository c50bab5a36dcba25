"""Which scorer a task has: one row each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mobilebert_lite.architecture.form import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from mobilebert_lite.errors import DataError
from mobilebert_lite.evaluation import squad
from mobilebert_lite.evaluation.choices import ChoiceScorer, NextSentenceScorer
from mobilebert_lite.evaluation.classification import ClassificationScorer
from mobilebert_lite.evaluation.masked_lm import MaskedScorer
from mobilebert_lite.evaluation.numbers import MultiLabelScorer, OneClassScorer, RegressionScorer
from mobilebert_lite.evaluation.question_answering import QuestionAnsweringScorer
from mobilebert_lite.evaluation.scorer import Scorer
from mobilebert_lite.evaluation.token_classification import EntityScorer


@dataclass(frozen=True)
class ScorerOptions:
    """How answers are chosen and judged; what a task does not know, it leaves alone."""

    # The score to judge by; None for the task's own.
    metric: str | None = None
    # Question answering: tokens between windows, longest answer, lead that the null answer needs.
    stride: int = 128
    max_answer_tokens: int = 30
    null_threshold: float = 0.0


# Task (and the kind of problem, where it is a classification) -> its scorer for all examples of the data, the model's
# labels, and the options.
_Make = Callable[[Sequence[Any], Sequence[str], ScorerOptions], Scorer]
_SCORERS: dict[tuple[str, str], _Make] = {
    ("qa", SINGLE_LABEL): lambda examples, labels, options: QuestionAnsweringScorer(
        squad.rules_for(examples), options.metric, options.stride, options.max_answer_tokens, options.null_threshold),
    ("classification", SINGLE_LABEL): lambda examples, labels, options: ClassificationScorer(labels, options.metric),
    ("classification", MULTI_LABEL): lambda examples, labels, options: (
        OneClassScorer if len(labels) == 1 else MultiLabelScorer)(labels, options.metric),
    ("classification", REGRESSION): lambda examples, labels, options: RegressionScorer(options.metric),
    ("token-classification", SINGLE_LABEL): lambda examples, labels, options: EntityScorer(options.metric),
    ("multiple-choice", SINGLE_LABEL): lambda examples, labels, options: ChoiceScorer(options.metric),
    ("next-sentence", SINGLE_LABEL): lambda examples, labels, options: NextSentenceScorer(labels, options.metric),
    ("fill-mask", SINGLE_LABEL): lambda examples, labels, options: MaskedScorer(options.metric),
    ("pretraining", SINGLE_LABEL): lambda examples, labels, options: MaskedScorer(options.metric),
}


def find_scorer(task: str, problem: str, examples: Sequence[Any], labels: Sequence[str],
                options: ScorerOptions) -> Scorer:
    """The scorer for a model of ``task`` and kind of ``problem``.

    Raises DataError when there is none, or when the options do not fit it.
    """
    if (task, problem) not in _SCORERS:
        known = ", ".join(dict.fromkeys(name for name, _ in _SCORERS))
        raise DataError(f"models for {task} cannot be scored; those for {known} can")
    return _SCORERS[task, problem](examples, labels, options)
