"""Plain text as training data: lines to fill gaps in, and lines that follow one another or do not.

The form of google-research/bert's pre-training data: a sentence (or a paragraph) on each line, an empty line between
documents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mobilebert_lite.datasets.reading import DataOptions, Example, ReadExamples, read
from mobilebert_lite.datasets.text_file import opened
from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import Task
from mobilebert_lite.text.examples import PairExample, TextExample

SUFFIX = ".txt"
# Tasks that learn from plain text.
FILL_MASK, NEXT_SENTENCE = "fill-mask", "next-sentence"
# A text of fewer documents is cut into pieces of so many lines, so that some can be held out.
_FEW, _LINES = 10, 20


def is_raw(path: Path, task: Task) -> bool:
    """Whether ``path`` holds plain text for ``task``."""
    return path.suffix.lower() == SUFFIX and task.name in (FILL_MASK, NEXT_SENTENCE)


def read_units(path: Path, task: Task, options: DataOptions) -> ReadExamples:
    """What ``path`` holds, in units that a split may part: examples; of plain text for next sentences documents.

    Raises DataError as ``datasets.reading.read``.
    """
    if not is_raw(path, task):
        return read(path, task, options, labeled=True)
    with opened(path) as file:
        lines = [line.strip() for line in file.text().split("\n")]
    if task.name == FILL_MASK:
        units: list[Example] = [TextExample(line, id=str(number)) for number, line in enumerate(lines, 1) if line]
    else:
        units = [TextExample("\n".join(document), id=str(i)) for i, document in enumerate(_documents(lines))]
    if not units:
        raise DataError(f"{path} holds no " + ("text" if task.name == FILL_MASK else "two lines that follow each other")
                        + "; give a sentence on each line, and an empty line between documents")
    return ReadExamples(units)


def examples_of(units: Sequence[Example], path: Path, task: Task, seed: int) -> list[Example]:
    """The examples that ``units`` of ``path`` make."""
    if is_raw(path, task) and task.name == NEXT_SENTENCE:
        return list(_pairs([unit.text.split("\n") for unit in units if isinstance(unit, TextExample)], seed))
    return list(units)


def _documents(lines: Sequence[str]) -> list[list[str]]:
    documents: list[list[str]] = [[]]
    for line in lines:
        if line:
            documents[-1].append(line)
        elif documents[-1]:
            documents.append([])
    if len(documents) < _FEW:
        documents = [one[start:start + _LINES] for one in documents for start in range(0, len(one), _LINES)]
    return [one for one in documents if len(one) > 1]


def _pairs(documents: Sequence[Sequence[str]], seed: int) -> Iterator[PairExample]:
    """Each line with the next, or, as often, with a line of another document (of its own where there is but one)."""
    rng = np.random.default_rng([seed, 4])
    for i, document in enumerate(documents):
        for place in range(len(document) - 1):
            follows = bool(rng.random() < 0.5)
            other = documents[(i + 1 + int(rng.integers(max(1, len(documents) - 1)))) % len(documents)]
            wrong = [line for line in other if line not in document[place:place + 2]]
            # A document that repeats one line has none that is wrong.
            second = document[place + 1] if follows or not wrong else wrong[int(rng.integers(len(wrong)))]
            yield PairExample(document[place], second, "0" if follows or not wrong else "1", f"{i}.{place}")
