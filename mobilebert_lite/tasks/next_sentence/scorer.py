"""Next sentences scored as a classification into two classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mobilebert_lite.tasks.base import ReadyModel, Task
from mobilebert_lite.tasks.classification.one_class import ClassificationScorer
from mobilebert_lite.tasks.next_sentence import follows
from mobilebert_lite.tasks.scoring import Scorer, ScorerOptions
from mobilebert_lite.text.examples import PairExample


def make(task: Task, examples: Sequence[PairExample], labels: Sequence[str], options: ScorerOptions) -> Scorer:
    """With the names of the two classes."""
    return NextSentenceScorer(labels, options.metric)


class NextSentenceScorer(ClassificationScorer):
    """As a classification into two classes."""

    def predict(self, model: ReadyModel, example: PairExample) -> dict[str, Any]:  # type: ignore[override]
        """Whether the second text follows."""
        best = follows(model, example.text, example.pair or "")[0]
        return {"label": best.name, "probability": best.probability}
