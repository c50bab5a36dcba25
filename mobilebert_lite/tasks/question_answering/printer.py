"""Answers as `mbl run` prints them."""

from __future__ import annotations

from mobilebert_lite.tasks.base import ReadyModel
from mobilebert_lite.tasks.printing import Asked, Shown, shown
from mobilebert_lite.tasks.question_answering import Answer, answer, longest_question


def show(model: ReadyModel, asked: Asked) -> Shown:
    """The best answer, or ``top`` of them."""
    found = answer(model, asked["question"], asked["context"], max_answer_tokens=asked["max_answer_tokens"],
                   stride=asked["stride"], null_threshold=asked["null_threshold"], allow_null=not asked["no_null"],
                   max_query=longest_question(model.longest), whole_words=not asked["word_pieces"])
    return shown(found[:asked["top"] or 1], _line)


def _line(one: Answer) -> str:
    return (f"{one.text or '(no answer)'}\tscore {one.score:.2f}\tprobability {one.probability:.3f}"
            + (f"\tat {one.start}-{one.end}" if one.text else ""))
