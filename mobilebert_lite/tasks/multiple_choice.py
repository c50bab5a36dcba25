"""Multiple choice: which of several continuations (or answers) is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks.base import Outputs
from mobilebert_lite.tasks.classification import ClassTask, class_values
from mobilebert_lite.text.examples import ChoiceExample
from mobilebert_lite.text.features import Features, pack, stack
from mobilebert_lite.text.tokenization import Tokenizer


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
    aliases = ()
    heads = ("classifier",)
    example_type = ChoiceExample
    min_length = 5

    def class_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        """None: the classes are the texts given."""
        return ()

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


def decode(outputs: Outputs, choices: Sequence[str], form: Form) -> list[Choice]:
    """Every choice with its probability among those given, the most probable first.

    ``outputs["probability"]`` (or ``logits``) is float [1, C] with C at least the number of ``choices``; rows past
    them are left out, and the others brought back to a sum of 1, which is what a softmax over them alone gives.
    """
    values = class_values(outputs, form)[:len(choices)]
    values = values / max(values.sum(), np.finfo(np.float64).tiny)
    return [Choice(choices[i], int(i), float(values[i])) for i in np.argsort(-values, kind="stable")]
