"""Multiple choice: which of several continuations (or answers) is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.errors import ConversionError, DataError
from mobilebert_lite.tasks import wording
from mobilebert_lite.tasks.base import Outputs, ReadyModel, outputs_of
from mobilebert_lite.tasks.classification import ClassTask, class_values
from mobilebert_lite.text.examples import ChoiceExample
from mobilebert_lite.text.features import Features, pack, stack
from mobilebert_lite.text.tokenization import Tokenizer

if TYPE_CHECKING:
    from mobilebert_lite.architecture.weights import Weights


@dataclass(frozen=True)
class Choice:
    """An alternative and how probable the model finds it."""

    text: str
    # Its place among those given, from 0.
    index: int
    probability: float


class MultipleChoice(ClassTask):
    """One score for each alternative, each read together with the prompt."""

    name = "multiple-choice"
    heads = ("classifier",)
    architecture = "MobileBertForMultipleChoice"
    example_type = ChoiceExample
    prompts = ("text", "choices")
    min_length = 5
    form_options: ClassVar[tuple[str, ...]] = ("logits", "choices")
    trainable = True
    purpose = "which of several continuations of a text is right"

    def form_of(self, weights: Weights, examples: Sequence[Any], form: Form, problem: str | None) -> Form:
        """With the number of choices: the one asked for, or the most that an example has."""
        outputs = weights.tensors["classifier.kernel"].shape[1]
        if outputs != 1:
            raise ConversionError(f"multiple choice gives each choice one score, but the classifier has {outputs} "
                                  "outputs; it is one for --task classification")
        return replace(form, choices=form.choices or max(len(example.choices) for example in examples))

    def features(self, tokenizer: Tokenizer, example: ChoiceExample, length: int) -> list[Features]:
        """The prompt with each choice, one row each.

        Where there are fewer than the file takes, the first stands in the rows left over. Raises DataError for less
        than two choices, or for more than the file takes.
        """
        self._check(example)
        count, rows = len(example.choices), self.form.choices or len(example.choices)
        if not 2 <= count <= rows:
            raise DataError(f"{count} choices: this file takes 2 to {rows}" if count < 2 or self.form.choices else
                            f"{count} choice: at least 2 are needed")
        filled = (*example.choices, *[example.choices[0]] * (rows - count))
        return [stack([pack(tokenizer, example.prompt, choice, length) for choice in filled])]

    def answer(self, model: ReadyModel, example: ChoiceExample) -> list[Choice]:
        """``choose``."""
        return choose(model, example.prompt, example.choices)

    def describe(self, output: str) -> str:
        """Choices are the classes."""
        return wording.scores(output, "each choice")

    def axes(self, output: str) -> tuple[str, ...]:
        """Choices are the classes."""
        return "batch", "choice"


def choose(model: ReadyModel, prompt: str, choices: Sequence[str]) -> list[Choice]:
    """The ``choices`` with their probabilities, the most probable first."""
    return decode(outputs_of(model, ChoiceExample(prompt, tuple(choices))), choices, model.task.form)


def decode(outputs: Outputs, choices: Sequence[str], form: Form) -> list[Choice]:
    """Every choice with its probability among those given, the most probable first.

    ``outputs["probability"]`` (or ``logits``) is float [1, C] with C at least the number of ``choices``; rows past
    them are left out, and the others brought back to a sum of 1, which is what a softmax over them alone gives.
    """
    values = class_values(outputs, form)[:len(choices)]
    values = values / max(values.sum(), np.finfo(np.float64).tiny)
    return [Choice(choices[i], int(i), float(values[i])) for i in np.argsort(-values, kind="stable")]


TASK = MultipleChoice()
