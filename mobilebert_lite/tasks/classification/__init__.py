"""Classification of a text or a pair of texts: one class, several at once, or a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mobilebert_lite.architecture.form import MULTI_LABEL, PROBLEMS, REGRESSION, SINGLE_LABEL, Form, problem_of
from mobilebert_lite.errors import DataError, ModelFileError
from mobilebert_lite.tasks import wording
from mobilebert_lite.tasks.base import Outputs, ReadyModel, Task, output_row, outputs_of
from mobilebert_lite.tasks.labels import default_names
from mobilebert_lite.text.examples import TextExample
from mobilebert_lite.text.features import Features

if TYPE_CHECKING:
    from mobilebert_lite.architecture.weights import Weights

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

    cls_only = True
    form_options: ClassVar[tuple[str, ...]] = ("logits",)

    @property
    def outputs(self) -> tuple[str, ...]:
        """``probability``, or ``logits`` where the file gives those."""
        return ("probability",) if self.form.activation else ("logits",)

    def describe(self, output: str) -> str:
        """What one of several classes, or none of them, is about."""
        return wording.scores(output)

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
    architecture = "MobileBertForSequenceClassification"
    peft = "SEQ_CLS"
    tensorflow1 = True
    has_labels = True
    form_options: ClassVar[tuple[str, ...]] = ("logits", "problem")
    purpose = "the class of a text or of a pair of texts"
    texts = wording.TEXTS
    trainable = True

    def form_of(self, weights: Weights, examples: Sequence[Any], form: Form, problem: str | None) -> Form:
        """With the kind of problem: the one asked for, or what the checkpoint says or means."""
        said = PROBLEMS[problem] if problem else weights.config.problem_type
        outputs = weights.tensors["classifier.kernel"].shape[1]
        return replace(form, problem_type=problem_of(said, outputs, weights.source.format))

    def answer(self, model: ReadyModel, example: TextExample) -> list[Label] | list[Number]:
        """Labels, the most probable first; the numbers of a regression."""
        if self.form.problem_type == REGRESSION:
            return predict(model, example.text, example.pair)
        return classify(model, example.text, example.pair)

    def describe(self, output: str) -> str:
        """What the classes or numbers are, by the kind of problem."""
        if self.form.problem_type == REGRESSION:
            return "The predicted numbers, as they are."
        if self.form.problem_type == MULTI_LABEL:
            return ("Probability of each class by itself (sigmoid); 0.5 or more is a yes." if output == "probability"
                    else "Score of each class by itself. Logits: a sigmoid makes them probabilities, 0 or more is a "
                         "yes.")
        return super().describe(output)


def classify(model: ReadyModel, text: str, pair: str | None = None) -> list[Label]:
    """Labels with their probabilities, the most probable first. Raises ModelFileError for a regression."""
    if model.task.form.problem_type == REGRESSION:
        raise ModelFileError("this model is for regression; ask it for numbers (predict)")
    return decode(outputs_of(model, TextExample(text, pair)), model.labels, model.task.form)


def predict(model: ReadyModel, text: str, pair: str | None = None) -> list[Number]:
    """The numbers of a regression model. Raises ModelFileError for another."""
    if model.task.form.problem_type != REGRESSION:
        raise ModelFileError(f"this model is for {model.task.form.problem_type}; ask it for labels (classify)")
    return decode_numbers(outputs_of(model, TextExample(text, pair)), model.labels, model.task.form)


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


TASK = Classification()
