"""Next sentences scored as a classification into two classes."""

from __future__ import annotations

from collections.abc import Sequence

from mobilebert_lite.tasks.base import ReadyModel, Task
from mobilebert_lite.tasks.classification import Label
from mobilebert_lite.tasks.classification.asking import OwnClasses
from mobilebert_lite.tasks.classification.one_class import ClassificationScorer
from mobilebert_lite.tasks.next_sentence import follows
from mobilebert_lite.tasks.scoring import Scorer, ScorerOptions
from mobilebert_lite.text.examples import PairExample, TextExample


def make(task: Task, examples: Sequence[PairExample], labels: Sequence[str], options: ScorerOptions) -> Scorer:
    """With the names of the two classes."""
    return ClassificationScorer(labels, options.metric, Following())


class Following(OwnClasses):
    """Whether the second text follows, or not."""

    def found(self, model: ReadyModel, example: TextExample) -> list[Label]:
        """Both with their probabilities."""
        return follows(model, example.text, example.pair or "")
