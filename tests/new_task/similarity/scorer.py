"""Correlation with the right numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mobilebert_lite.tasks.base import ReadyModel, Task
from mobilebert_lite.tasks.classification.numbers import RegressionScorer
from mobilebert_lite.tasks.scoring import Scorer, ScorerOptions
from mobilebert_lite.text.examples import PairExample


def make(task: Task, examples: Sequence[PairExample], labels: Sequence[str], options: ScorerOptions) -> Scorer:
    """Whatever the data."""
    return SimilarityScorer(options.metric)


class SimilarityScorer(RegressionScorer):
    """As GLUE scores STS-B."""

    def predict(self, model: ReadyModel, example: PairExample) -> dict[str, Any]:  # type: ignore[override]
        """The number."""
        return {"value": model.task.answer(model, example)}
