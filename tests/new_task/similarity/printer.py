"""The number as `mbl run` prints it."""

from __future__ import annotations

from mobilebert_lite.tasks.base import ReadyModel
from mobilebert_lite.tasks.printing import Asked, Shown
from mobilebert_lite.text.examples import PairExample


def show(model: ReadyModel, asked: Asked) -> Shown:
    """One line."""
    found = model.task.answer(model, PairExample(asked["text"], asked["pair"]))
    return {"similarity": found}, [f"similarity\t{found:.4f}"]
