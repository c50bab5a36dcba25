"""Choices as `mbl run` prints them."""

from __future__ import annotations

from mobilebert_lite.tasks.base import ReadyModel
from mobilebert_lite.tasks.multiple_choice import choose
from mobilebert_lite.tasks.printing import Asked, NotAsked, Shown, shown


def show(model: ReadyModel, asked: Asked) -> Shown:
    """``top`` of the choices, or all."""
    if len(asked["choices"]) < 2:
        raise NotAsked("this model chooses how --text goes on; give --choice twice or more")
    found = choose(model, asked["text"], asked["choices"])
    return shown(found[:asked["top"]], lambda one: f"{one.text}\t{one.probability:.4f}")
