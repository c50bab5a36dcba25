"""Texts that a conversion is calibrated with, and texts held aside to verify it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mobilebert_lite.datasets.reading import DataOptions, Example, ReadExamples, builtin_examples, evenly, read
from mobilebert_lite.errors import DataError
from mobilebert_lite.graph.names import signature_name
from mobilebert_lite.tasks import Task
from mobilebert_lite.text.examples import ChoiceExample
from mobilebert_lite.text.features import Features
from mobilebert_lite.text.tokenization import Tokenizer


@dataclass(frozen=True)
class Most:
    """How much is run at each length."""

    # Padding included: what a minute allows.
    tokens: int
    # Short lengths cut contexts into many sequences. More of them widen the ranges less and less.
    sequences: int

    def at(self, length: int) -> int:
        """How many sequences of ``length`` tokens; 8 at least."""
        return max(8, min(self.sequences, self.tokens // length))


CALIBRATION, VERIFICATION = Most(32768, 512), Most(8192, 256)
# In the simulator of an NPU a text takes a second or more.
SIMULATION = Most(1024, 1024)
# Texts that show how long all of them are.
_MOST_MEASURED = 2000
# Powers of two are chosen by magnitudes, which a few texts show.
MOST_MAGNITUDE_TOKENS = 4096


def read_or_builtin(path: Path | None, task: Task, options: DataOptions | None = None) -> ReadExamples:
    """The examples in ``path``, or the package's own. Raises DataError."""
    return ReadExamples(builtin_examples(task.name)) if path is None else read(path, task, options)


def narrowed(examples: Sequence[Example], choices: int) -> list[Example]:
    """``examples`` with at most ``choices`` choices each, the right one among them; 0: as they are."""
    return [_narrowed(one, choices) if choices and isinstance(one, ChoiceExample) else one for one in examples]


def _narrowed(example: ChoiceExample, choices: int) -> ChoiceExample:
    kept = list(range(len(example.choices)))[:choices]
    if example.label is not None and example.label not in kept:
        kept[-1] = example.label
    label = None if example.label is None else kept.index(example.label)
    return replace(example, choices=tuple(example.choices[i] for i in kept), label=label)


def split_examples(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Every fourth example is held aside for verification, the others calibrate; a single one does both."""
    if len(examples) < 4:
        return list(examples[:-1] or examples), list(examples[-1:])
    return [example for i, example in enumerate(examples) if i % 4 != 3], list(examples[3::4])


def calibration_texts(tokenizer: Tokenizer, task: Task, examples: Sequence[Example], lengths: Sequence[int]
                      ) -> dict[str, list[Features]]:
    """Signature -> sequences that a conversion is calibrated with. Raises DataError as ``samples``."""
    return samples(tokenizer, task, examples, lengths, CALIBRATION)


def verification_texts(tokenizer: Tokenizer, task: Task, examples: Sequence[Example], lengths: Sequence[int]
                       ) -> dict[str, list[Features]]:
    """Signature -> sequences that a file is verified on. Raises DataError as ``samples``."""
    return samples(tokenizer, task, examples, lengths, VERIFICATION)


def simulation_texts(tokenizer: Tokenizer, task: Task, examples: Sequence[Example], lengths: Sequence[int]
                     ) -> dict[str, list[Features]]:
    """Signature -> sequences that a compiled file is verified on. Raises DataError as ``samples``."""
    return samples(tokenizer, task, examples, lengths, SIMULATION)


def samples(tokenizer: Tokenizer, task: Task, examples: Sequence[Example], lengths: Sequence[int],
            most: Most) -> dict[str, list[Features]]:
    """Signature -> at most as many sequences for it as ``most`` says, evenly over the examples.

    Raises DataError when no text fits a length.
    """
    result: dict[str, list[Features]] = {}
    for length in lengths:
        fitting = sequences(tokenizer, task, evenly(examples, most.at(length)), length, "calibration text")
        # Long contexts make many windows; every part of them should be seen.
        step = max(1, -(-len(fitting) // most.at(length)))
        result[signature_name(task.name, length)] = fitting[::step]
    return result


def sequences(tokenizer: Tokenizer, task: Task, examples: Sequence[Example], length: int, what: str) -> list[Features]:
    """Those of ``examples`` that fit ``length``. Raises DataError, which calls them ``what``, when none does."""
    found: list[Features] = []
    reason: DataError | None = None
    for example in examples:
        try:
            found += task.features(tokenizer, example, length)
        except DataError as error:  # a question can be too long for a short signature
            reason = error
    if not found:
        raise DataError(f"no {what} can be used at length {length}: {reason}")
    return found


def tokens_used(tokenizer: Tokenizer, task: Task, examples: Sequence[Example], length: int) -> list[int]:
    """How many of ``length`` tokens each sequence made of ``examples`` uses. Raises DataError for an unusable text."""
    return [one.length_used for example in examples for one in task.features(tokenizer, example, length)]


def lengths_of(tokenizer: Tokenizer, task: Task, examples: Sequence[Example], limit: int) -> list[int]:
    """Tokens of each of ``examples`` (at most 2,000, evenly), ``limit`` + 1 for one that has more than ``limit``.

    Examples that cannot be read are left out. Raises DataError when none can.
    """
    found: list[list[Features]] = []
    reason: DataError | None = None
    for example in evenly(examples, _MOST_MEASURED):
        try:
            found.append(task.features(tokenizer, example, limit))
        except DataError as error:
            reason = error
    if not found:
        raise DataError(f"no calibration text can be used: {reason}")
    return [limit + 1 if len(windows) > 1 or windows[0].cut else windows[0].length_used for windows in found]
