"""The squared error of the number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mobilebert_lite.architecture.form import SINGLE_LABEL
from mobilebert_lite.tasks.teaching import TEACHER, Loss, Training
from mobilebert_lite.text.examples import PairExample
from mobilebert_lite.text.features import Features


class SimilarityTraining(Training):
    """One number."""

    scratch: ClassVar = {"epochs": 8.0, "learning_rate": 1e-3, "seq_len": 32}
    fine_tuned: ClassVar = {"epochs": 2.0, "learning_rate": 1e-3, "seq_len": 32}

    def target(self, example: PairExample, features: Features, numbers: Mapping[str, int],
               problem: str) -> np.ndarray:
        """The number. *Shape:* float32 [1]"""
        return np.array([float(example.label or 0)], np.float32)

    def loss(self, problem: str = SINGLE_LABEL, smoothing: float = 0.0) -> Loss:
        """Squares."""
        from mobilebert_lite.tasks.losses import squares

        return lambda outputs, batch: squares(outputs["similarity"], batch["labels"])

    def distance(self, problem: str = SINGLE_LABEL, temperature: float = 1.0) -> Loss:
        """Squares."""
        from mobilebert_lite.tasks.losses import squares

        return lambda outputs, batch: squares(outputs["similarity"], batch[f"{TEACHER}similarity"])


TRAINING = SimilarityTraining()
