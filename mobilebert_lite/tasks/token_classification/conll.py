"""Precision, recall and F1 of whole entities.

Source: Tjong Kim Sang and De Meulder 2003 (CoNLL-2003, section 3.1) and its ``conlleval``: an entity counts when its
kind and both its ends are right. seqeval's default mode gives the same figures.
"""

from __future__ import annotations

from collections.abc import Sequence

from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks.base import ReadyModel
from mobilebert_lite.tasks.token_classification import OUTSIDE, chunks, tag_text
from mobilebert_lite.text.examples import TokenExample


def predict(model: ReadyModel, example: TokenExample) -> list[str]:
    """A label for each word of ``example``: that of the word's first token, O for a word without tokens."""
    return [label for label, _ in tag_words(model, example)]


def tag_words(model: ReadyModel, example: TokenExample) -> list[tuple[str, float | None]]:
    """``predict`` with the probability of each label, None for a word without tokens."""
    found = {word.start: (word.label, word.probability) for word in tag_text(model, example.text)}
    labels: list[tuple[str, float | None]] = []
    start = 0
    for word in example.words:
        labels.append(found.get(start, (OUTSIDE, None)))
        start += len(word) + 1
    return labels


def score(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict[str, float]:
    """``precision``, ``recall`` and ``f1`` in percent over all texts together, ``entities`` and ``total`` as counts.

    Raises DataError when there are no texts, or when their labels do not fit each other.
    """
    if not gold or len(gold) != len(predicted):
        raise DataError(f"{len(predicted)} predictions for {len(gold)} texts; there must be one for each, and some")
    right = asked = given = 0
    for i, (expected, actual) in enumerate(zip(gold, predicted, strict=True)):
        if len(expected) != len(actual):
            raise DataError(f"text {i}: {len(actual)} labels predicted for {len(expected)} words")
        wanted, found = set(chunks(expected)), set(chunks(actual))
        right, asked, given = right + len(wanted & found), asked + len(wanted), given + len(found)
    precision, recall = (100.0 * right / count if count else 0.0 for count in (given, asked))
    return {"precision": precision, "recall": recall,
            "f1": 2 * precision * recall / (precision + recall) if right else 0.0,
            "entities": asked, "total": len(gold)}
