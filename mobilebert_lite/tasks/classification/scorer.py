"""Which scorer a sequence classifier has: by the kind of its problem."""

from __future__ import annotations

from collections.abc import Sequence

from mobilebert_lite.architecture.form import MULTI_LABEL, REGRESSION
from mobilebert_lite.tasks.base import Task
from mobilebert_lite.tasks.classification import zero_shot_scorer
from mobilebert_lite.tasks.classification.numbers import MultiLabelScorer, OneClassScorer, RegressionScorer
from mobilebert_lite.tasks.classification.one_class import ClassificationScorer
from mobilebert_lite.tasks.scoring import Scorer, ScorerOptions
from mobilebert_lite.text.examples import TextExample


def make(task: Task, examples: Sequence[TextExample], labels: Sequence[str], options: ScorerOptions) -> Scorer:
    """The scorer for files of the form of ``task``, or of the classes of ``options.zero_shot``."""
    if options.zero_shot is not None:
        return zero_shot_scorer.make(task, examples, labels, options)
    if task.form.problem_type == REGRESSION:
        return RegressionScorer(options.metric)
    if task.form.problem_type == MULTI_LABEL:
        return (OneClassScorer if len(labels) == 1 else MultiLabelScorer)(labels, options.metric)
    return ClassificationScorer(labels, options.metric)
