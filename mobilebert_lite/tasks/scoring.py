"""What every task says about being scored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks.base import ReadyModel
from mobilebert_lite.tasks.hypotheses import ZeroShot

# What a model answered to one example, as JSON.
Prediction = Mapping[str, Any]


@dataclass(frozen=True)
class ScorerOptions:
    """How answers are chosen and judged; what a task does not know, it leaves alone."""

    # The score to judge by; None for the task's own.
    metric: str | None = None
    # Question answering: tokens between windows, longest answer, lead that the null answer needs, tokens as they are in
    # place of whole words.
    stride: int = 128
    max_answer_tokens: int = 30
    null_threshold: float = 0.0
    word_pieces: bool = False
    # Question answering without labels: whether there is an answer to every question, as in SQuAD 1.1.
    no_null: bool = False
    # Classification: other classes than the model's own, for a model of natural-language inference.
    zero_shot: ZeroShot | None = None


class Scorer(ABC):
    """Answers of a model, their scores, and how they are written down.

    A scorer is sent to other processes together with examples, so its fields must pickle.
    """

    # Metrics that can be the one to judge by: name -> keys of ``metrics`` that are averaged.
    headlines: ClassVar[Mapping[str, tuple[str, ...]]]
    # The name among them that is taken unless another is asked for.
    default: ClassVar[str]
    # Name of the chosen metric.
    metric: str

    def asked(self, examples: Sequence[Any]) -> Sequence[Any]:
        """Those of ``examples`` that the model is asked; the others are there to be found."""
        return examples

    @abstractmethod
    def check(self, example: Any) -> None:
        """Raise DataError for an example that cannot be scored, before hours are spent on it."""

    def has_label(self, example: Any) -> bool:
        """Whether ``example`` says what is right. The test sets of GLUE at Hugging Face have -1 in place of a label."""
        label = getattr(example, "label", None)
        return bool(getattr(example, "labels", ())) or label not in (None, "-1")

    @abstractmethod
    def predict(self, model: ReadyModel, example: Any) -> dict[str, Any]:
        """The model's answer to ``example``."""

    @abstractmethod
    def row(self, example: Any, prediction: Prediction) -> tuple[float, ...]:
        """The numbers that scores are computed from."""

    @abstractmethod
    def metrics(self, rows: np.ndarray) -> dict[str, float]:
        """Scores in percent, and counts, of float [n, k], n rows of ``row``."""

    @abstractmethod
    def correct(self, rows: np.ndarray) -> np.ndarray | None:
        """Bool [n]: the examples that are entirely right; None where no answer is right or wrong."""

    @abstractmethod
    def answer(self, prediction: Prediction) -> object:
        """What a user gets to see, to tell whether two models agree."""

    @abstractmethod
    def official(self, examples: Sequence[Any], predictions: Sequence[Prediction]) -> str:
        """The predictions in the form that the task's own benchmark reads."""

    def ready(self, model: ReadyModel) -> ReadyModel:
        """The model that ``predict`` is given, which may be another form of ``model``."""
        return model

    @property
    def form(self) -> Hashable:
        """What ``ready`` depends on: scorers of one form share a model that was made ready."""
        return type(self)

    def details(self, examples: Sequence[Any], predictions: Sequence[Prediction], rows: np.ndarray, most: int
                ) -> dict[str, Any]:
        """What stands behind the scores, made by ``judging``; ``most`` errors at most. None by default.

        ``classes``, ``averages``, ``confusion``, ``calibration``, ``residuals``, ``groups``, and the ``errors`` of all
        that are ``wrong``: each where it makes sense.
        """
        return {}

    def score(self, rows: np.ndarray) -> float:
        """The metric to judge by."""
        metrics = self.metrics(rows)
        return float(np.mean([metrics[key] for key in self.headlines[self.metric]]))

    def choose_metric(self, asked: str | None) -> str:
        """``asked``, or the default. Raises DataError when this task has no such metric."""
        name = asked or self.default
        if name not in self.headlines:
            raise DataError(f"--metric {name}: not for this task; it has {', '.join(self.headlines)}")
        return name
