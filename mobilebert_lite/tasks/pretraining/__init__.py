"""Pre-training: masked words, and whether one text follows another, by both heads at once."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from mobilebert_lite.tasks.base import Outputs, output_row
from mobilebert_lite.tasks.classification import NEAR_TIE
from mobilebert_lite.tasks.masked_lm import FillMask
from mobilebert_lite.text.features import Features


class Pretraining(FillMask):
    """Both heads of pre-training: the words for every [MASK], and whether the second text follows the first."""

    name = "pretraining"
    aliases: ClassVar[tuple[str, ...]] = ("pre-training",)
    heads: ClassVar[tuple[str, ...]] = ("mlm", "nsp")
    architecture = "MobileBertForPreTraining"
    outputs: tuple[str, ...] = ("prediction_logits", "seq_relationship_logits")
    vectors: ClassVar[tuple[str, ...]] = ("prediction_logits",)
    words: ClassVar[tuple[str, ...]] = ("prediction_logits",)
    # One head at a time is trained: fill-mask, next-sentence.
    trainable = False
    form_options: ClassVar[tuple[str, ...]] = ()
    purpose = "masked words, and whether one text follows another"

    def describe(self, output: str) -> str:
        """Words, or the two answers."""
        if output in self.words:
            return super().describe(output)
        return "Scores of: is next, is not next. Logits: a softmax makes them probabilities."

    def axes(self, output: str) -> tuple[str, ...]:
        """Words, or the two answers."""
        return super().axes(output) if output in self.words else ("batch", "class")

    def _same(self, features: Features, reference: Outputs, candidate: Outputs) -> bool:
        """As fill-mask, and the same verdict on the second text unless it is as good as undecided."""
        if not super()._same(features, reference, candidate):
            return False
        expected, actual = (np.subtract(*output_row(outputs, "seq_relationship_logits"))
                            for outputs in (reference, candidate))
        # |p(is next) - p(not next)| = |tanh(difference / 2)|
        return bool((expected >= 0) == (actual >= 0) or abs(np.tanh(expected / 2)) <= NEAR_TIE)


TASK = Pretraining()
