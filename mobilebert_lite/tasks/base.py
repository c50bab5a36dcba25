"""What every task says about itself: its place in the file, its inputs from text, when two models agree."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.errors import DataError, MblError, ModelFileError
from mobilebert_lite.text.features import Features
from mobilebert_lite.text.tokenization import Tokenizer

# Output name -> array with a leading batch axis of 1.
Outputs = Mapping[str, np.ndarray]


class Task(ABC):
    """One thing that a model can be asked to do."""

    # Prefix of the signatures in the file.
    name: ClassVar[str]
    # Names of the same task at Hugging Face.
    aliases: ClassVar[tuple[str, ...]]
    # The heads it needs, by their names in weights.HEADS; none when the encoder is enough.
    heads: ClassVar[tuple[str, ...]]
    # Those among the outputs that have a row for every token.
    per_token: ClassVar[tuple[str, ...]] = ()
    # Those among the outputs that have a vector, not a number, in each row.
    vectors: ClassVar[tuple[str, ...]] = ()
    # Those of them that have a number for every word of the vocabulary.
    words: ClassVar[tuple[str, ...]] = ()
    # Class of the examples that ``features`` takes.
    example_type: ClassVar[type]
    # Shortest sequence that holds anything useful, in tokens.
    min_length: ClassVar[int]

    def __init__(self, form: Form | None = None) -> None:
        self.form = form or Form()

    def with_form(self, form: Form) -> Task:
        """The same task for files of ``form``."""
        return type(self)(form)

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """Outputs in the order of the file."""

    def class_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Names of the classes that a file carries, where ``labels`` are the checkpoint's."""
        return tuple(labels) if "classifier" in self.heads else ()

    @abstractmethod
    def features(self, tokenizer: Tokenizer, example: Any, length: int) -> list[Features]:
        """``example`` as sequences of ``length`` tokens; several when a long text is read in windows.

        Raises DataError for an example of another task, an empty text or a length that is too short.
        """

    def check_outputs(self, features: Features, outputs: Outputs, vocabulary: int) -> None:
        """Raise ModelFileError for ``outputs`` of a file that is not what it says: missing ones, or of a wrong shape.

        ``vocabulary`` is the number of its words.
        """
        for name in self.outputs:
            if name not in outputs:
                raise ModelFileError(f"the model has no output {name!r}; it has {', '.join(outputs) or 'none'}")
            shape = outputs[name].shape
            fits = len(shape) == (3 if name in self.vectors else 2) and shape[0] == 1 and 0 not in shape
            if fits and name in self.per_token:
                fits = shape[1] == features.ids.shape[-1]
            elif fits and name in self.vectors and features.positions is not None:
                fits = shape[1] == len(features.positions)
            if not fits or (name in self.words and shape[2] < vocabulary):
                raise ModelFileError(f"output {name!r} is {list(shape)}, which does not fit task {self.name} with "
                                     f"{features.ids.shape[-1]} tokens")

    def agrees(self, features: Features, reference: Outputs, candidate: Outputs) -> bool:
        """Whether a user would get the same answer from both models. NaN agrees with nothing."""
        if not all(np.isfinite(value).all() for outputs in (reference, candidate) for value in outputs.values()):
            return False
        return self._same(features, reference, candidate)

    @abstractmethod
    def _same(self, features: Features, reference: Outputs, candidate: Outputs) -> bool:
        """``agrees`` for finite outputs."""

    def _check(self, example: object) -> None:
        if not isinstance(example, self.example_type):
            raise DataError(f"task {self.name} takes a {self.example_type.__name__}, not a {type(example).__name__}")


def output_row(outputs: Outputs, name: str) -> np.ndarray:
    """Output ``name`` without its batch axis, float64. Raises MblError when it is missing, NaN or infinite."""
    if name not in outputs:
        raise MblError(f"the model has no output {name!r}; it has {', '.join(outputs) or 'none'}")
    row = np.asarray(outputs[name], np.float64)
    bad = int(np.count_nonzero(~np.isfinite(row)))
    if bad:
        raise MblError(f"output {name!r} holds {bad} NaN or infinite values out of {row.size}; "
                       "convert again with --quantize none to see whether quantization is the cause")
    if row.ndim < 2 or row.shape[0] != 1:
        raise MblError(f"output {name!r} is {list(row.shape)}; expected a batch of 1")
    alone: np.ndarray = row[0]
    return alone


def near_best(expected: np.ndarray, actual: np.ndarray, share: float) -> bool:
    """Whether in each row the greatest of ``actual`` is the greatest of ``expected``, or within ``share`` of the row's
    spread of it. *Shape:* float (rows, classes) twice"""
    chosen = np.take_along_axis(expected, actual.argmax(axis=-1)[:, None], axis=-1)[:, 0]
    return bool((expected.max(axis=-1) - chosen <= share * np.ptp(expected, axis=-1)).all())
