"""Token classification in training: the first token of a word has the word's label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from mobilebert_lite.architecture.form import SINGLE_LABEL
from mobilebert_lite.errors import DataError, shorten
from mobilebert_lite.tasks.classification.training import ClassTraining
from mobilebert_lite.tasks.teaching import UNLABELLED, in_order
from mobilebert_lite.text.examples import TokenExample
from mobilebert_lite.text.features import Features


class TokenTraining(ClassTraining):
    """Cross-entropy at every token with a label."""

    scratch: ClassVar = {"epochs": 15.0, "learning_rate": 1.5e-3, "seq_len": 128}
    fine_tuned: ClassVar = {"epochs": 5.0, "learning_rate": 1e-4, "seq_len": 128}
    per_token = True

    def target(self, example: TokenExample, features: Features,  # type: ignore[override]
               numbers: Mapping[str, int], problem: str) -> np.ndarray:
        """The label of each word at its first token, UNLABELLED elsewhere. *Shape:* int32 [tokens]"""
        if not example.labels:
            raise DataError("it has no labels to learn")
        labels = np.full(len(features.ids), UNLABELLED, np.int32)
        starts = np.cumsum([0, *(len(word) + 1 for word in example.words)])[:-1]
        by_start = dict(zip(starts.tolist(), example.labels, strict=True))
        for place in np.flatnonzero(features.in_text & features.max_context):
            label = by_start.get(int(features.offsets[place, 0]))
            if label is not None:
                if label not in numbers:
                    raise DataError(f"label {label!r} is no class of the model; it has {shorten(list(numbers))}")
                labels[place] = numbers[label]
        return labels

    def labels(self, examples: Sequence[TokenExample], problem: str = SINGLE_LABEL  # type: ignore[override]
               ) -> tuple[str, ...]:
        """Those of the words."""
        return in_order(label for example in examples for label in example.labels)


TRAINING = TokenTraining()
