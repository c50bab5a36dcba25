"""Next-sentence prediction in training: a classification into two classes that every network has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from mobilebert_lite.tasks.classification.training import ClassTraining
from mobilebert_lite.tasks.next_sentence import LABELS
from mobilebert_lite.text.examples import TextExample
from mobilebert_lite.text.features import Features


class NextSentenceTraining(ClassTraining):
    """Cross-entropy of the two classes."""

    scratch: ClassVar = {"epochs": 8.0, "learning_rate": 1e-3, "seq_len": 128}
    fine_tuned: ClassVar = {"epochs": 3.0, "learning_rate": 1e-4, "seq_len": 128}

    def target(self, example: TextExample, features: Features, numbers: Mapping[str, int], problem: str) -> np.ndarray:
        """The class, by name or number. *Shape:* int32 []"""
        return super().target(example, features, {name: i for i, name in enumerate(LABELS)}, problem)

    def outputs(self, labels: Sequence[str], examples: Sequence[TextExample], problem: str) -> int:
        """Two."""
        return len(LABELS)


TRAINING = NextSentenceTraining()
