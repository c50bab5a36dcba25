"""What the models read while they are timed: real texts, as valid ids, in their real distribution of lengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from mobilebert_lite.benchmarks.measuring.runner import Input
from mobilebert_lite.datasets.reading import DataOptions, Example, evenly
from mobilebert_lite.datasets.samples import read_or_builtin, sequences
from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.tasks import Task
from mobilebert_lite.text.features import Features
from mobilebert_lite.text.tokenization import Tokenizer, parse_vocabulary

# Enough for a distribution of lengths; a phone reads each from a file.
MOST = 64
# The inputs come in one fixed random order, so that any stretch of them is like the whole.
_SEED = 0
MIXED = 0
ROLES = ("ids", "mask", "segment_ids")


@dataclass(frozen=True)
class TextEntry:
    """One entry point of a file: how long its sequence is, and which of its inputs takes what."""

    signature: str
    length: int
    # Role (ROLES, or positions) -> name of the input.
    names: Mapping[str, str]


def read_texts(path: Path | None, task: Task, options: DataOptions | None = None,
               tell: Callable[[str], None] = lambda message: None) -> Sequence[Example]:
    """At most MOST examples of ``path`` (or the package's own), evenly over it; ``tell`` hears of rows left out.

    Raises DataError.
    """
    found = read_or_builtin(path, task, options)
    if found.skipped:
        tell(found.told())
    return evenly(found.examples, MOST)


def demo_tokenizer() -> Tokenizer:
    """Of the bundled checkpoint, for files without a vocabulary."""
    folder = resources.files("mobilebert_lite.data").joinpath("demo", "qa")
    return Tokenizer(parse_vocabulary(folder.joinpath("vocab.txt").read_bytes()))


def inputs_of(task: Task, tokenizer: Tokenizer, examples: Sequence[Example], entries: Sequence[TextEntry], length: int,
              *, word_rows: int | None = None) -> list[Input]:
    """``examples`` for the entry of ``length``, or (MIXED) each in the shortest entry that holds it.

    Ids at and above ``word_rows``, which a vocabulary of another file may give, are brought below it.
    Raises DataError when no text fits, ModelFileError for a length that the file does not have.
    """
    by_length = {entry.length: entry for entry in entries}
    if length != MIXED and length not in by_length:
        raise ModelFileError(f"no signature of {length} tokens; the file has "
                             f"{', '.join(map(str, sorted(by_length)))}, or give --seq-len mixed")
    longest = max(by_length) if length == MIXED else length
    taken = evenly(sequences(tokenizer, task, examples, longest, "text"), MOST)
    found = []
    for i in np.random.default_rng(_SEED).permutation(len(taken)):
        features = taken[i]
        chosen = length or min(one for one in by_length if one >= features.length_used)
        found.append(_input(by_length[chosen], features.trimmed(chosen), word_rows))
    return found


def _input(entry: TextEntry, features: Features, word_rows: int | None) -> Input:
    arrays = features.inputs()
    if word_rows is not None:
        arrays["ids"] = arrays["ids"] % np.int32(word_rows)
    return Input(entry.signature, {name: arrays[role] for role, name in entry.names.items()}, features.length_used)
