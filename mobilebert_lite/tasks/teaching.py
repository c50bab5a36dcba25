"""How `mbl train` teaches a task: the targets of a row, the loss, and what is taken where nothing is asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mobilebert_lite.architecture.form import SINGLE_LABEL, Form
from mobilebert_lite.common.fields import is_whole
from mobilebert_lite.errors import DataError, shorten
from mobilebert_lite.text.features import Features
from mobilebert_lite.text.tokenization import Tokenizer

# Of a token without a label of its own.
UNLABELLED = -1
# Before the name of an output that a teacher gave, among the arrays of a batch.
TEACHER = "teacher."
# (outputs, batch) -> the loss of each labeled element, of the shape of ``batch["weight"]``; TensorFlow's tensors.
Loss = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]


class Training(ABC):
    """A task in training. ``problem`` is the kind of problem, one of architecture.form's."""

    # Options of `mbl train` by name, where none are given: for a network from scratch, and for a checkpoint.
    scratch: ClassVar[Mapping[str, Any]]
    fine_tuned: ClassVar[Mapping[str, Any]]
    # Whether the targets are those of tokens.
    per_token: ClassVar[bool] = False
    # Whether the targets are words of the text itself, other ones hidden in every step (training.masks).
    masked: ClassVar[bool] = False

    def form(self, form: Form, examples: Sequence[Any]) -> Form:
        """``form`` of a network that learns from ``examples``."""
        return form

    def features(self, task: Any, tokenizer: Tokenizer, example: Any, length: int) -> list[Features]:
        """``example`` as sequences of ``length`` tokens to learn from; those of the ``task`` (tasks.Task) unless
        it says otherwise."""
        found: list[Features] = task.features(tokenizer, example, length)
        return found

    @abstractmethod
    def target(self, example: Any, features: Features, numbers: Mapping[str, int], problem: str) -> np.ndarray:
        """What the network should make of ``features`` of ``example``; ``numbers`` are those of the classes by name.

        *Shape:* int32 [tokens] where they are ``per_token``, else int32 or float32 of the same shape for every example.
        Raises DataError for an example without a target.
        """

    @abstractmethod
    def loss(self, problem: str = SINGLE_LABEL, smoothing: float = 0.0) -> Loss:
        """What is minimized; ``smoothing`` is the share of each label that goes to all classes alike."""

    @abstractmethod
    def distance(self, problem: str = SINGLE_LABEL, temperature: float = 1.0) -> Loss:
        """How far the outputs are from a teacher's, which the batch has under ``TEACHER`` and their names.

        For classes KL(teacher, student) of both softened by ``temperature``, times its square, so that its gradient
        does not shrink with it.
        """

    def labels(self, examples: Sequence[Any], problem: str = SINGLE_LABEL) -> tuple[str, ...]:
        """The classes that occur; none where there are none."""
        return ()

    def outputs(self, labels: Sequence[str], examples: Sequence[Any], problem: str) -> int:
        """How many outputs a new head has."""
        return len(labels) or 1


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Names of classes: numbers in their order, or O first, then B- and I- by name."""
    found = {label for label in labels if label}
    if found and all(label.isdecimal() for label in found):
        return tuple(sorted(found, key=int))
    return tuple(sorted(found, key=lambda label: (label != "O", label)))


def number_of(label: str, numbers: Mapping[str, int]) -> int:
    """Which class ``label`` is, by name or number. Raises DataError for neither."""
    if label in numbers:
        return numbers[label]
    if is_whole(label) and int(label) < len(numbers):
        return int(label)
    raise DataError(f"label {label!r} is no class of the model; it has {shorten(list(numbers))}, or their numbers "
                    "from 0 on")
