"""Zero-shot classification scored: as a classifier of the classes that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks.base import ReadyModel, Task
from mobilebert_lite.tasks.classification import Label
from mobilebert_lite.tasks.classification.asking import OwnClasses
from mobilebert_lite.tasks.classification.numbers import MultiLabelScorer
from mobilebert_lite.tasks.classification.one_class import ClassificationScorer
from mobilebert_lite.tasks.classification.zero_shot import candidates, check_names, check_task, zero_shot
from mobilebert_lite.tasks.hypotheses import ZeroShot
from mobilebert_lite.tasks.scoring import Scorer, ScorerOptions
from mobilebert_lite.text.examples import TextExample


def make(task: Task, examples: Sequence[TextExample], labels: Sequence[str], options: ScorerOptions) -> Scorer:
    """For the classes of ``options.zero_shot``, or else those of ``examples``; ``labels`` are the model's."""
    asked = options.zero_shot or ZeroShot()
    check_task(task)
    if not asked.labels:
        asked = replace(asked, labels=candidates([example.label for example in examples], several=asked.multi_label))
    if labels:
        check_names(labels, asked)
    scorer = MultiLabelScorer if asked.multi_label else ClassificationScorer
    return scorer(asked.labels, options.metric, AskedClasses(asked))


@dataclass(frozen=True)
class AskedClasses(OwnClasses):
    """Those of ``wanted``, whatever the model was trained on."""

    wanted: ZeroShot

    def check(self, example: TextExample) -> None:
        """Raise DataError for a pair."""
        if example.pair is not None:
            raise DataError(f"example {example.id} has a second text; zero-shot classification asks about one text. "
                            "Pairs are scored without --zero-shot and --label")

    def ready(self, model: ReadyModel) -> ReadyModel:
        """With logits."""
        return model.with_logits

    def found(self, model: ReadyModel, example: TextExample) -> list[Label]:
        """The classes that were asked for."""
        return zero_shot(model, example.text, self.wanted)
