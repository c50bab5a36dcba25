"""Classification scored as GLUE does."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

import numpy as np

from mobilebert_lite.common.fields import is_whole
from mobilebert_lite.errors import DataError, shorten
from mobilebert_lite.tasks import glue, judging
from mobilebert_lite.tasks.base import ReadyModel
from mobilebert_lite.tasks.classification.asking import OWN, OwnClasses
from mobilebert_lite.tasks.labels import default_names
from mobilebert_lite.tasks.scoring import Prediction, Scorer
from mobilebert_lite.text.examples import TextExample

_OF_CLASSES = ("accuracy", "f1", "macro_f1", "matthews")


class ClassificationScorer(Scorer):
    """Accuracy, Matthews' correlation, and F1: of class 1 where there are two, else the mean over the classes."""

    headlines: ClassVar = {**{name: (name,) for name in _OF_CLASSES},
                           **{task: keys for task, keys in glue.TASKS.items() if set(keys) <= set(_OF_CLASSES)}}
    default = "accuracy"

    def __init__(self, labels: Sequence[str], metric: str | None = None, asking: OwnClasses = OWN) -> None:
        """``labels`` in the order of the model's outputs; none for a file without, whose classes have numbers only."""
        self.labels, self.asking = tuple(labels), asking
        self.metric = self.choose_metric(metric)
        if len(self.labels) > 2 and "f1" in self.headlines[self.metric]:
            raise DataError(f"--metric {self.metric} is for two classes, but the model has {len(self.labels)}; "
                            "macro_f1 is for any number")

    def check(self, example: TextExample) -> None:
        """It needs a class of the model."""
        self.asking.check(example)
        self._gold(example)

    def ready(self, model: ReadyModel) -> ReadyModel:
        """As the classes are asked for."""
        return self.asking.ready(model)

    @property
    def form(self) -> Hashable:
        """The kind of asking too."""
        return type(self), type(self.asking)

    def predict(self, model: ReadyModel, example: TextExample) -> dict[str, Any]:
        """The most probable class."""
        best = self.asking.found(model, example)[0]
        return {"label": best.name, "probability": best.probability}

    def row(self, example: TextExample, prediction: Prediction) -> tuple[float, ...]:
        """Numbers of the right class and of the chosen one."""
        return float(self._gold(example)), float(self.number(prediction["label"], example.id))

    def _gold(self, example: TextExample) -> int:
        if example.label is None:
            raise DataError(f"example {example.id} has no label to score against")
        return self.number(example.label, example.id)

    def number(self, label: str, where: str) -> int:
        """Which class ``label`` is: by name, or else by its number. Raises DataError for neither."""
        if label in self.labels:
            return self.labels.index(label)
        number = label.removeprefix("LABEL_") if not self.labels else label
        if is_whole(number) and (not self.labels or int(number) < len(self.labels)):
            return int(number)
        raise DataError(f"example {where}: label {label!r} is no class of the model; it has "
                        f"{shorten(list(self.labels))}, or their numbers from 0 on")

    def metrics(self, rows: np.ndarray) -> dict[str, float]:
        """Of all kinds that the number of classes allows."""
        gold, predicted = rows.T.astype(np.int64)
        result = {"accuracy": glue.accuracy(gold, predicted), "macro_f1": glue.macro_f1(gold, predicted),
                  "matthews": glue.matthews(gold, predicted), "total": len(rows)}
        two = len(self.labels) == 2 if self.labels else int(rows.max()) <= 1
        return result | {"f1": glue.f1(gold, predicted)} if two else result

    def details(self, examples: Sequence[TextExample], predictions: Sequence[Prediction], rows: np.ndarray, most: int
                ) -> dict[str, Any]:
        """By class; the errors that the model is surest of first."""
        gold, predicted = rows.T.astype(np.int64)
        names, sure = self.names(int(rows.max()) + 1), [self.confidence(one) for one in predictions]
        wrong, table = np.flatnonzero(gold != predicted).tolist(), judging.classes(gold, predicted, names)
        errors = [judging.mistake(examples[i], names[gold[i]], names[predicted[i]], confidence=100 * sure[i])
                  for i in judging.worst(sure, wrong, most)]
        return {"classes": table, "averages": judging.averages(table, micro=False),
                "confusion": judging.confusion(gold, predicted, names),
                "calibration": judging.calibration(sure, gold == predicted, "answers"),
                "wrong": len(wrong), "errors": errors}

    def names(self, least: int) -> Sequence[str]:
        """Of the classes, by their numbers, which are less than ``least``."""
        return self.labels or default_names(least)

    def confidence(self, prediction: Prediction) -> float:
        """How probable the model finds its answer."""
        return float(prediction["probability"])

    def correct(self, rows: np.ndarray) -> np.ndarray:
        """The right class."""
        right: np.ndarray = rows[:, 0] == rows[:, 1]
        return right

    def answer(self, prediction: Prediction) -> object:
        """The class."""
        return prediction["label"]

    def official(self, examples: Sequence[TextExample], predictions: Sequence[Prediction]) -> str:
        """GLUE's table: ``index`` and ``prediction``.

        A prediction is a number or a name, whichever the task of GLUE takes that ``--metric`` names; for other data, a
        number where the data has numbers.
        """
        names = glue.NAMES.get(self.metric)
        if self.metric in glue.TASKS:
            written = [self._for_glue(one["label"], names) for one in predictions]
        elif all((example.label or "").isdecimal() and example.label not in self.labels for example in examples):
            written = [str(self.number(one["label"], "")) for one in predictions]
        else:
            written = [one["label"] for one in predictions]
        return glue.table(written)

    def _for_glue(self, label: str, names: Sequence[str] | None) -> str:
        """``label`` as GLUE has it: one of its ``names``, also where the model has numbers for them, or a number."""
        if names is None:
            return str(self.number(label, ""))
        alike = label.lower().replace("-", "_").replace(" ", "_")
        return alike if alike in names else names[self.number(label, "") % len(names)]
