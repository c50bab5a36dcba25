"""Entities as `mbl run` prints them."""

from __future__ import annotations

from mobilebert_lite.tasks.base import ReadyModel
from mobilebert_lite.tasks.printing import Asked, Shown, shown
from mobilebert_lite.tasks.token_classification import Entity, find


def show(model: ReadyModel, asked: Asked) -> Shown:
    """``top`` of the entities, or all, in the order of the text."""
    rows, lines = shown(find(model, asked["text"])[:asked["top"]], _line)
    return rows, lines or ["(no entities)"]


def _line(one: Entity) -> str:
    return f"{one.label}\t{one.text}\tprobability {one.probability:.3f}\tat {one.start}-{one.end}"
