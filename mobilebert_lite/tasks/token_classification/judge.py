"""What stands behind the score of entities: their kinds, the kinds of words, and the entities that differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilebert_lite.tasks import judging
from mobilebert_lite.tasks.token_classification import OUTSIDE, chunks

Labels = Sequence[Sequence[str]]


def by_kind(gold: Labels, found: Labels) -> list[dict[str, Any]]:
    """Precision, recall and F1 of whole entities for each kind, as seqeval's report has them."""
    right: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    given: Counter[str] = Counter()
    for expected, actual in zip(gold, found, strict=True):
        wanted, said = set(chunks(expected)), set(chunks(actual))
        for counter, entities in ((right, wanted & said), (asked, wanted), (given, said)):
            counter.update(kind for kind, _, _ in entities)
    return [judging.class_row(kind, right[kind], asked[kind], given[kind]) for kind in sorted({*asked, *given})]


def kinds_of_words(gold: Labels, found: Labels) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The kinds that occur, O first, and for every word the number of its kind: labeled, and predicted.

    *Shape:* int (words,) twice
    """
    pairs = [(_kind(a), _kind(b)) for one, other in zip(gold, found, strict=True)
             for a, b in zip(one, other, strict=True)]
    kinds = [OUTSIDE, *sorted({kind for pair in pairs for kind in pair} - {OUTSIDE})]
    number = {kind: i for i, kind in enumerate(kinds)}
    wanted, given = np.array([[number[a], number[b]] for a, b in pairs], np.int64).reshape(-1, 2).T
    return kinds, wanted, given


def _kind(label: str) -> str:
    prefix, _, rest = label.partition("-")
    return rest if prefix in ("B", "I") and rest else label


def differing(words: Sequence[str], gold: Sequence[str], found: Sequence[str]) -> tuple[str, str]:
    """The entities that only the labels have, and those that only the model has, as texts with their kinds."""
    wanted, given = set(chunks(gold)), set(chunks(found))
    return _told(words, wanted - given), _told(words, given - wanted)


def _told(words: Sequence[str], entities: set[tuple[str, int, int]]) -> str:
    told = [f"{' '.join(words[start:end])} ({kind})" for kind, start, end in sorted(entities, key=lambda one: one[1:])]
    return ", ".join(told) or "nothing"
