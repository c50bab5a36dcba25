"""Numbers, several classes at once, one class that holds or not: what else a sequence classifier can be."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

import numpy as np

from mobilebert_lite.errors import DataError, shorten
from mobilebert_lite.tasks import glue, judging
from mobilebert_lite.tasks.base import ReadyModel
from mobilebert_lite.tasks.classification import YES, classify, predict
from mobilebert_lite.tasks.classification.asking import OWN, OwnClasses
from mobilebert_lite.tasks.classification.one_class import ClassificationScorer
from mobilebert_lite.tasks.scoring import Prediction, Scorer
from mobilebert_lite.text.examples import TextExample


class RegressionScorer(Scorer):
    """Pearson's and Spearman's correlation, as GLUE scores STS-B."""

    headlines: ClassVar = {"pearson": ("pearson",), "spearman": ("spearman",), "stsb": glue.TASKS["stsb"]}
    default = "pearson"

    def __init__(self, metric: str | None = None) -> None:
        self.metric = self.choose_metric(metric)

    def check(self, example: TextExample) -> None:
        """It needs a number."""
        try:
            float(example.label or "")
        except ValueError:
            raise DataError(f"example {example.id}: label is {example.label!r}; it must be a number") from None

    def predict(self, model: ReadyModel, example: TextExample) -> dict[str, Any]:
        """The model's first number."""
        return {"value": predict(model, example.text, example.pair)[0].value}

    def row(self, example: TextExample, prediction: Prediction) -> tuple[float, ...]:
        """The right number and the predicted one."""
        return float(example.label or ""), float(prediction["value"])

    def metrics(self, rows: np.ndarray) -> dict[str, float]:
        """Correlations in percent, and the mean square of what is missing."""
        gold, predicted = rows.T
        return {"pearson": glue.pearson(gold, predicted), "spearman": glue.spearman(gold, predicted),
                "mean_squared_error": float(np.mean((gold - predicted) ** 2)), "total": len(rows)}

    def details(self, examples: Sequence[TextExample], predictions: Sequence[Prediction], rows: np.ndarray, most: int
                ) -> dict[str, Any]:
        """Residuals, and the examples with the largest."""
        gold, predicted = rows.T
        errors = [judging.mistake(examples[i], f"{gold[i]:.6g}", f"{predicted[i]:.6g}",
                                  residual=float(predicted[i] - gold[i]))
                  for i in judging.worst(np.abs(predicted - gold), np.flatnonzero(predicted != gold).tolist(), most)]
        return {"residuals": judging.residuals(gold, predicted), "errors": errors}

    def correct(self, rows: np.ndarray) -> np.ndarray | None:
        """No number is right or wrong."""
        return None

    def answer(self, prediction: Prediction) -> object:
        """The number to one decimal."""
        return round(prediction["value"], 1)

    def official(self, examples: Sequence[TextExample], predictions: Sequence[Prediction]) -> str:
        """GLUE's table."""
        return glue.table(f"{one['value']:.3f}" for one in predictions)


class MultiLabelScorer(Scorer):
    """F1 over all decisions (micro) and over the classes (macro); accuracy counts texts with every class right.

    A label is the names of the classes that hold, separated by commas; an empty one says that none does.
    """

    headlines: ClassVar = {name: (name,) for name in ("micro_f1", "macro_f1", "accuracy")}
    default = "micro_f1"

    def __init__(self, labels: Sequence[str], metric: str | None = None, asking: OwnClasses = OWN) -> None:
        """``labels`` in the order of the model's outputs."""
        self.labels, self.asking = tuple(labels), asking
        self.metric = self.choose_metric(metric)

    def check(self, example: TextExample) -> None:
        """It needs a label, of known classes."""
        self.asking.check(example)
        if example.label is None:
            raise DataError(f"example {example.id} has no label to score against")
        if unknown := sorted(set(_names(example.label)) - set(self.labels)):
            raise DataError(f"example {example.id}: {shorten(unknown)} is no class of the model; it has "
                            f"{shorten(list(self.labels))}")

    def ready(self, model: ReadyModel) -> ReadyModel:
        """As the classes are asked for."""
        return self.asking.ready(model)

    @property
    def form(self) -> Hashable:
        """The kind of asking too."""
        return type(self), type(self.asking)

    def predict(self, model: ReadyModel, example: TextExample) -> dict[str, Any]:
        """The classes that are as probable as not, and how probable each is, in the order of the outputs."""
        found = {label.name: label.probability for label in self.asking.found(model, example)}
        return {"labels": sorted(name for name, probability in found.items() if probability >= YES),
                "probabilities": [found[name] for name in self.labels]}

    def row(self, example: TextExample, prediction: Prediction) -> tuple[float, ...]:
        """For each class whether it holds, then for each whether the model says so."""
        gold = _names(example.label or "")
        return tuple(float(name in chosen) for chosen in (gold, prediction["labels"]) for name in self.labels)

    def metrics(self, rows: np.ndarray) -> dict[str, float]:
        """In percent."""
        gold, predicted = np.split(rows.astype(np.int64), 2, axis=1)
        return {"micro_f1": glue.f1(gold.ravel(), predicted.ravel()),
                "macro_f1": float(np.mean([glue.f1(*pair) for pair in zip(gold.T, predicted.T, strict=True)])),
                "accuracy": 100.0 * float(np.mean(self.correct(rows))), "total": len(rows)}

    def details(self, examples: Sequence[TextExample], predictions: Sequence[Prediction], rows: np.ndarray, most: int
                ) -> dict[str, Any]:
        """By class, each a decision of its own; first the texts whose decisions are farthest from their labels."""
        gold, predicted = np.split(rows.astype(np.int64), 2, axis=1)
        sure = np.array([one["probabilities"] for one in predictions], np.float64)
        table = [judging.class_row(name, int((a & b).sum()), int(a.sum()), int(b.sum()))
                 for name, a, b in zip(self.labels, gold.T, predicted.T, strict=True)]
        wrong = np.flatnonzero((gold != predicted).any(axis=1)).tolist()
        errors = [judging.mistake(examples[i], ", ".join(_names(examples[i].label or "")) or "none",
                                  ", ".join(predictions[i]["labels"]) or "none",
                                  loss=float(np.abs(sure[i] - gold[i]).max()))
                  for i in judging.worst(np.abs(sure - gold).max(axis=1), wrong, most)]
        return {"classes": table, "averages": judging.averages(table, micro=True),
                "calibration": judging.calibration(sure.ravel(), gold.ravel(), "decisions for each class"),
                "wrong": len(wrong), "errors": errors}

    def correct(self, rows: np.ndarray) -> np.ndarray:
        """Every class right."""
        gold, predicted = np.split(rows, 2, axis=1)
        right: np.ndarray = (gold == predicted).all(axis=1)
        return right

    def answer(self, prediction: Prediction) -> object:
        """The classes."""
        return prediction["labels"]

    def official(self, examples: Sequence[TextExample], predictions: Sequence[Prediction]) -> str:
        """A table like GLUE's, the classes separated by commas."""
        return glue.table(",".join(one["labels"]) for one in predictions)


class OneClassScorer(ClassificationScorer):
    """A single class that holds or not: scored as two classes, of which 1 says that it holds.

    A label is 0 or 1, or the name of the class, or an empty one where it does not hold.
    """

    def number(self, label: str, where: str) -> int:
        """Whether the class holds. Raises DataError for another label."""
        known = {self.labels[0]: 1, "": 0, "0": 0, "1": 1}
        if label.strip() not in known:
            raise DataError(f"example {where}: label {label!r}; it must be 1 or {self.labels[0]!r} where the model's "
                            "one class holds, 0 or empty where it does not")
        return known[label.strip()]

    def predict(self, model: ReadyModel, example: TextExample) -> dict[str, Any]:
        """Whether the class is as probable as not."""
        [found] = classify(model, example.text, example.pair)
        return {"label": str(int(found.probability >= YES)), "probability": found.probability}

    def names(self, least: int) -> Sequence[str]:
        """The class does not hold, or it does."""
        return f"not {self.labels[0]}", self.labels[0]

    def confidence(self, prediction: Prediction) -> float:
        """Of the answer; what is kept is the probability of the class."""
        return max(float(prediction["probability"]), 1.0 - float(prediction["probability"]))

    def metrics(self, rows: np.ndarray) -> dict[str, float]:
        """Those of two classes."""
        gold, predicted = rows.T.astype(np.int64)
        return super().metrics(rows) | {"f1": glue.f1(gold, predicted)}


def _names(label: str) -> list[str]:
    return [name.strip() for name in label.split(",") if name.strip()]
