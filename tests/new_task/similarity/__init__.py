"""Sentence-pair similarity: how alike two texts are, as one number from 0 to 1."""

from __future__ import annotations

from mobilebert_lite.architecture.heads import Head
from mobilebert_lite.tasks import wording
from mobilebert_lite.tasks.base import Outputs, ReadyModel, Task, output_row, outputs_of
from mobilebert_lite.text.examples import PairExample
from mobilebert_lite.text.features import Features

# A difference that nobody sees.
NEAR = 0.05


class Similarity(Task):
    """One number for two texts."""

    name = "similarity"
    aliases = ("sentence-similarity",)
    heads = ("similarity",)
    own_heads = (Head("similarity", "similarity of two texts", True, "similarity.out_proj"),)
    architecture = "MobileBertForSimilarity"
    example_type = PairExample
    asks = ("text", "pair")
    min_length = 5
    default_length = 32
    outputs = ("similarity",)
    cls_only = True
    purpose = "how alike two texts are"
    texts = wording.TEXTS
    trainable = True

    def answer(self, model: ReadyModel, example: PairExample) -> float:
        """The number."""
        return float(output_row(outputs_of(model, example), "similarity")[0])

    def describe(self, output: str) -> str:
        """The number."""
        return "How alike the texts are, 0 to 1."

    def axes(self, output: str) -> tuple[str, ...]:
        """The number."""
        return "batch", "number"

    def _same(self, features: Features, reference: Outputs, candidate: Outputs) -> bool:
        expected, actual = (output_row(outputs, "similarity")[0] for outputs in (reference, candidate))
        return bool(abs(expected - actual) <= NEAR)


TASK = Similarity()
