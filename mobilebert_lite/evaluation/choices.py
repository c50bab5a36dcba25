"""One of several texts: next sentences and multiple choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from mobilebert_lite.errors import DataError
from mobilebert_lite.evaluation import glue
from mobilebert_lite.evaluation.classification import ClassificationScorer
from mobilebert_lite.evaluation.scorer import Prediction, Scorer
from mobilebert_lite.running.model import Model
from mobilebert_lite.text.examples import ChoiceExample, PairExample


class NextSentenceScorer(ClassificationScorer):
    """As a classification into two classes."""

    def predict(self, model: Model, example: PairExample) -> dict[str, Any]:  # type: ignore[override]
        """Whether the second text follows."""
        best = model.follows(example.text, example.pair or "")[0]
        return {"label": best.name, "probability": best.probability}


class ChoiceScorer(Scorer):
    """Accuracy."""

    headlines: ClassVar = {"accuracy": ("accuracy",)}
    default = "accuracy"

    def __init__(self, metric: str | None = None) -> None:
        self.metric = self.choose_metric(metric)

    def check(self, example: ChoiceExample) -> None:
        """It needs the right choice."""
        if example.label is None:
            raise DataError(f"example {example.id} has no label to score against")

    def predict(self, model: Model, example: ChoiceExample) -> dict[str, Any]:
        """The place of the best choice."""
        best = model.choose(example.prompt, example.choices)[0]
        return {"choice": best.index, "probability": best.probability}

    def row(self, example: ChoiceExample, prediction: Prediction) -> tuple[float, ...]:
        """Place of the right choice, and of the model's."""
        return float(example.label or 0), float(prediction["choice"])

    def metrics(self, rows: np.ndarray) -> dict[str, float]:
        """In percent."""
        return {"accuracy": glue.accuracy(*rows.T), "total": len(rows)}

    def correct(self, rows: np.ndarray) -> np.ndarray:
        """The right choice."""
        right: np.ndarray = rows[:, 0] == rows[:, 1]
        return right

    def answer(self, prediction: Prediction) -> object:
        """The choice."""
        return prediction["choice"]

    def official(self, examples: Sequence[ChoiceExample], predictions: Sequence[Prediction]) -> str:
        """A choice for each line, as the leaderboards of SWAG and ARC take it."""
        return "".join(f"{one['choice']}\n" for one in predictions)
