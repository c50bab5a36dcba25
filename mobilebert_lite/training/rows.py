"""Examples into rows: the tokens of ``tasks`` with the targets that training needs."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilebert_lite.architecture.form import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from mobilebert_lite.errors import DataError, shorten
from mobilebert_lite.tasks import Task
from mobilebert_lite.text.examples import QuestionExample, TextExample, TokenExample
from mobilebert_lite.text.features import Features
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.training.batches import UNLABELLED, EncodedRow


@dataclass(frozen=True)
class RowMaker:
    """What it takes to make rows of examples of one task."""

    task: Task
    tokenizer: Tokenizer
    # Longest sequence, in tokens.
    length: int
    # Names of the classes in the order of the outputs.
    labels: tuple[str, ...] = ()

    def rows(self, examples: Sequence[Any]) -> list[EncodedRow]:
        """The rows of all ``examples``, several for a long text. Raises DataError naming the example."""
        numbers = {label: i for i, label in enumerate(self.labels)}
        target = _TARGETS[self.task.name]
        made = []
        for example in examples:
            try:
                for features in self.task.features(self.tokenizer, example, self.length):
                    made.append(_row(features, target(example, features, numbers, self.task.form.problem_type),
                                     self.task.name == "token-classification"))
            except DataError as error:
                raise DataError(f"example {example.id}: {error}") from None
        return made


def _row(features: Features, labels: np.ndarray, per_token: bool) -> EncodedRow:
    used = features.length_used
    # Copies, or every row would keep its padded arrays alive.
    return EncodedRow(features.ids[:used].copy(), features.segment_ids[:used].copy(),
               labels[:used].copy() if per_token else labels, per_token)


def _class(example: TextExample, features: Features, numbers: dict[str, int], problem: str) -> np.ndarray:
    if example.label is None:
        raise DataError("it has no label to learn")
    if problem == REGRESSION:
        return np.array([_number(part) for part in example.label.split(",")], np.float32)
    if problem == MULTI_LABEL:
        found = {_find(part.strip(), numbers) for part in example.label.split(",") if part.strip()}
        return np.isin(np.arange(len(numbers)), list(found)).astype(np.float32)
    return np.array(_find(example.label, numbers), np.int32)


def _find(label: str, numbers: dict[str, int]) -> int:
    if label in numbers:
        return numbers[label]
    if label.isdecimal() and int(label) < len(numbers):
        return int(label)
    raise DataError(f"label {label!r} is no class of the model; it has {shorten(list(numbers))}, or their numbers "
                    "from 0 on")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"label {text!r} is no number, which regression needs") from None


def _span(example: QuestionExample, features: Features, numbers: dict[str, int], problem: str) -> np.ndarray:
    """First and last token of the answer; [CLS] twice where this window does not hold all of it."""
    found = answer_tokens(example, features)
    return np.array(found or (0, 0), np.int32)


def answer_tokens(example: QuestionExample, features: Features) -> tuple[int, int] | None:
    """The tokens of ``features`` that touch the first answer whose place is known; None where they do not cover it."""
    known = [(start, text) for text, start in zip(example.answers, example.answer_starts, strict=True) if start >= 0]
    if not known:
        return None
    begin, text = known[0]
    # No token holds the white space, control characters and accents around a word.
    seen = [i for i, character in enumerate(text) if unicodedata.category(character)[0] not in "ZCM"]
    if not seen:
        return None
    start, end = begin + seen[0], begin + seen[-1] + 1
    offsets = features.offsets
    touched = np.flatnonzero(features.in_text & (offsets[:, 0] < end) & (offsets[:, 1] > start))
    if not len(touched) or offsets[touched[0], 0] > start or offsets[touched[-1], 1] < end:
        return None
    return int(touched[0]), int(touched[-1])


def _tags(example: TokenExample, features: Features, numbers: dict[str, int], problem: str) -> np.ndarray:
    """The label of each word at its first token, UNLABELLED elsewhere."""
    if not example.labels:
        raise DataError("it has no labels to learn")
    labels = np.full(len(features.ids), UNLABELLED, np.int32)
    starts = np.cumsum([0, *(len(word) + 1 for word in example.words)])[:-1]
    by_start = dict(zip(starts.tolist(), example.labels, strict=True))
    for place in np.flatnonzero(features.in_text & features.max_context):
        label = by_start.get(int(features.offsets[place, 0]))
        if label is not None:
            if label not in numbers:
                raise DataError(f"label {label!r} is no class of the model; it has {shorten(list(numbers))}")
            labels[place] = numbers[label]
    return labels


_TARGETS: dict[str, Callable[..., np.ndarray]] = {"classification": _class, "qa": _span, "token-classification": _tags}


def find_labels(task: str, examples: Sequence[Any], problem: str = SINGLE_LABEL) -> tuple[str, ...]:
    """The classes that occur: numbers in their order, O first, then B- and I- by name; none where there are none."""
    if task == "qa" or problem == REGRESSION:
        return ()
    if task == "token-classification":
        found = {label for example in examples for label in example.labels}
    else:
        found = {part.strip() for example in examples if example.label is not None
                 for part in (example.label.split(",") if problem == MULTI_LABEL else [example.label])}
    found.discard("")
    if found and all(label.isdecimal() for label in found):
        return tuple(sorted(found, key=int))
    return tuple(sorted(found, key=lambda label: (label != "O", label)))
