"""Classification of a text or a pair of texts: one class, several at once, or a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mobilebert_lite.architecture.form import MULTI_LABEL, REGRESSION, SINGLE_LABEL, Form
from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks.base import Outputs, Task, output_row
from mobilebert_lite.tasks.labels import default_names
from mobilebert_lite.text.examples import TextExample
from mobilebert_lite.text.features import Features, pack
from mobilebert_lite.text.tokenization import Tokenizer

# Classes whose probabilities differ by less than this are a tie that rounding decides.
NEAR_TIE = 0.02
# What a number may be off, as a share of itself (or of 1, where it is smaller).
NEAR_NUMBER = 0.1
# A class of its own among several holds from here on.
YES = 0.5


@dataclass(frozen=True)
class Label:
    """A class and how probable the model finds it."""

    name: str
    probability: float


@dataclass(frozen=True)
class Number:
    """What a regression model predicts."""

    name: str
    value: float


class ClassTask(Task):
    """What all tasks with one row of classes have in common."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """``probability``, or ``logits`` where the file gives those."""
        return ("probability",) if self.form.activation else ("logits",)

    def _same(self, features: Features, reference: Outputs, candidate: Outputs) -> bool:
        """The same class, or one that the reference itself finds as probable to within ``NEAR_TIE``.

        With several classes at once, each of them on the same side of one half; a number within ``NEAR_NUMBER``.
        """
        expected, actual = class_values(reference, self.form), class_values(candidate, self.form)
        if self.form.problem_type == REGRESSION:
            return bool((np.abs(actual - expected) <= NEAR_NUMBER * np.maximum(np.abs(expected), 1.0)).all())
        if self.form.problem_type == MULTI_LABEL:
            return bool((((expected >= YES) == (actual >= YES)) | (np.abs(expected - YES) <= NEAR_TIE)).all())
        return bool(expected.max() - expected[int(actual.argmax())] <= NEAR_TIE)


class Classification(ClassTask):
    """Which of N classes a text belongs to."""

    name = "classification"
    aliases = ("text-classification", "sequence-classification")
    heads = ("classifier",)
    example_type = TextExample
    min_length = 3

    def features(self, tokenizer: Tokenizer, example: TextExample, length: int) -> list[Features]:
        """One sequence; too long texts are cut, the longer first."""
        self._check(example)
        return [pack(tokenizer, example.text, example.pair, length)]


def class_values(outputs: Outputs, form: Form) -> np.ndarray:
    """Probabilities, or the numbers of a regression, float64 [N], from a file of probabilities or of logits."""
    if form.activation:
        return output_row(outputs, "probability")
    logits = output_row(outputs, "logits")
    if form.problem_type == SINGLE_LABEL:
        powers = np.exp(logits - logits.max())
        return np.asarray(powers / powers.sum())
    return 0.5 * (1.0 + np.tanh(0.5 * logits)) if form.problem_type == MULTI_LABEL else logits


def decode(outputs: Outputs, labels: Sequence[str] = (), form: Form | None = None) -> list[Label]:
    """Every class with its probability, the most probable first.

    ``outputs["probability"]`` (or ``logits``, where ``form`` says so) is float [1, N]. Without ``labels`` the classes
    are LABEL_0, LABEL_1, … as in transformers. Raises DataError when there are labels, but not N, and MblError for NaN.
    """
    probabilities = class_values(outputs, form or Form())
    names = label_names(labels, len(probabilities))
    order = np.argsort(-probabilities, kind="stable")
    return [Label(names[i], float(probabilities[i])) for i in order]


def decode_numbers(outputs: Outputs, labels: Sequence[str], form: Form) -> list[Number]:
    """The numbers of a regression model in its own order. Raises as ``decode``."""
    values = class_values(outputs, form)
    return [Number(name, float(value)) for name, value in zip(label_names(labels, len(values)), values, strict=True)]


def label_names(labels: Sequence[str], count: int) -> list[str]:
    """``labels``, or LABEL_0, LABEL_1, … where there are none. Raises DataError when they are not ``count``."""
    names = list(labels or default_names(count))
    if len(names) != count:
        raise DataError(f"{len(names)} labels for a model of {count} classes; give one label per class")
    return names
