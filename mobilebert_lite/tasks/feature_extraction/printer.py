"""Vectors as `mbl run` prints them."""

from __future__ import annotations

from mobilebert_lite.tasks.base import ReadyModel
from mobilebert_lite.tasks.feature_extraction import embed
from mobilebert_lite.tasks.printing import Asked, Shown


def show(model: ReadyModel, asked: Asked) -> Shown:
    """Shapes and lengths; the numbers are JSON's."""
    vectors = embed(model, asked["text"], asked["pair"])
    return {name: value.tolist() for name, value in vectors.items()}, [
        f"{name} {list(value.shape)}, of length {float((value.astype(float) ** 2).sum() ** 0.5):.4f}"
        for name, value in vectors.items()] + ["--json prints the values"]
