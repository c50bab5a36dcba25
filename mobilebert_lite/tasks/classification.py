"""Classification of a text or a pair of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks.base import Outputs, Task, output_row
from mobilebert_lite.tasks.examples import TextExample
from mobilebert_lite.tasks.features import Features, pack
from mobilebert_lite.tokenization import Tokenizer

# Classes whose probabilities differ by less than this are a tie that rounding decides.
NEAR_TIE = 0.02


@dataclass(frozen=True)
class Label:
    """A class and how probable the model finds it."""

    name: str
    probability: float


class Classification(Task):
    """Which of N classes a text belongs to."""

    name = "classification"
    aliases = ("text-classification", "sequence-classification")
    head = "classifier"
    outputs = ("probability",)
    example_type = TextExample
    min_length = 3

    def features(self, tokenizer: Tokenizer, example: TextExample, length: int) -> list[Features]:
        """One sequence; too long texts are cut, the longer first."""
        self._check(example)
        return [pack(tokenizer, example.text, example.pair, length)]

    def _same(self, features: Features, reference: Outputs, candidate: Outputs) -> bool:
        """The same class, or one that the reference itself finds as probable to within ``NEAR_TIE``."""
        expected = output_row(reference, "probability")
        chosen = int(output_row(candidate, "probability").argmax())
        return bool(expected.max() - expected[chosen] <= NEAR_TIE)


def decode(outputs: Outputs, labels: Sequence[str] = ()) -> list[Label]:
    """Every class with its probability, the most probable first.

    ``outputs["probability"]`` is float [1, N]. Without ``labels`` the classes are LABEL_0, LABEL_1, … as in
    transformers. Raises DataError when there are labels, but not N, and MblError for NaN.
    """
    probabilities = output_row(outputs, "probability")
    names = list(labels) or [f"LABEL_{i}" for i in range(len(probabilities))]
    if len(names) != len(probabilities):
        raise DataError(f"{len(names)} labels for a model of {len(probabilities)} classes; give one label per class")
    order = np.argsort(-probabilities, kind="stable")
    return [Label(names[i], float(probabilities[i])) for i in order]
