"""Verdicts as `mbl run` prints them."""

from __future__ import annotations

from mobilebert_lite.tasks.base import ReadyModel
from mobilebert_lite.tasks.classification.printer import show_labels
from mobilebert_lite.tasks.next_sentence import follows
from mobilebert_lite.tasks.printing import Asked, NotAsked, Shown


def show(model: ReadyModel, asked: Asked) -> Shown:
    """Both answers with their probabilities."""
    if asked["pair"] is None:
        raise NotAsked("this model judges whether --pair follows --text; give both")
    return show_labels(follows(model, asked["text"], asked["pair"]), asked)
