"""Multiple choice scored by accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase
from typing import Any, ClassVar

import numpy as np

from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import glue, judging
from mobilebert_lite.tasks.base import ReadyModel, Task
from mobilebert_lite.tasks.multiple_choice import choose
from mobilebert_lite.tasks.scoring import Prediction, Scorer, ScorerOptions
from mobilebert_lite.text.examples import ChoiceExample


def make(task: Task, examples: Sequence[ChoiceExample], labels: Sequence[str], options: ScorerOptions) -> Scorer:
    """Whatever the data."""
    return ChoiceScorer(options.metric)


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

    def predict(self, model: ReadyModel, example: ChoiceExample) -> dict[str, Any]:
        """The place of the best choice."""
        best = choose(model, example.prompt, example.choices)[0]
        return {"choice": best.index, "probability": best.probability}

    def row(self, example: ChoiceExample, prediction: Prediction) -> tuple[float, ...]:
        """Place of the right choice, and of the model's."""
        return float(example.label or 0), float(prediction["choice"])

    def metrics(self, rows: np.ndarray) -> dict[str, float]:
        """In percent."""
        return {"accuracy": glue.accuracy(*rows.T), "total": len(rows)}

    def details(self, examples: Sequence[ChoiceExample], predictions: Sequence[Prediction], rows: np.ndarray, most: int
                ) -> dict[str, Any]:
        """By the place of the right choice, from 0; the errors that the model is surest of first."""
        gold, predicted = rows.T.astype(np.int64)
        sure = [float(one["probability"]) for one in predictions]
        names = [f"choice {i}" for i in range(int(rows.max()) + 1)]
        wrong, table = np.flatnonzero(gold != predicted).tolist(), judging.classes(gold, predicted, names)
        errors = [judging.mistake(examples[i], examples[i].choices[gold[i]], examples[i].choices[predicted[i]],
                                  confidence=100 * sure[i]) for i in judging.worst(sure, wrong, most)]
        return {"classes": table, "averages": judging.averages(table, micro=False),
                "calibration": judging.calibration(sure, gold == predicted, "answers"),
                "wrong": len(wrong), "errors": errors}

    def correct(self, rows: np.ndarray) -> np.ndarray:
        """The right choice."""
        right: np.ndarray = rows[:, 0] == rows[:, 1]
        return right

    def answer(self, prediction: Prediction) -> object:
        """The choice."""
        return prediction["choice"]

    def official(self, examples: Sequence[ChoiceExample], predictions: Sequence[Prediction]) -> str:
        """A choice for each line, from 0, as the leaderboards of SWAG, HellaSwag and PIQA take it.

        Where the questions have names of their own, as in ARC and RACE: name and letter, with a comma.
        """
        if all(example.id.isdecimal() for example in examples):
            return "".join(f"{one['choice']}\n" for one in predictions)
        return "".join(f"{example.id},{ascii_uppercase[one['choice']]}\n"
                       for example, one in zip(examples, predictions, strict=True))
