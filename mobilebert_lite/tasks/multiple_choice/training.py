"""Multiple choice in training: a softmax over the scores of an example's own choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from mobilebert_lite.architecture.form import SINGLE_LABEL, Form
from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks.teaching import TEACHER, Loss, Training
from mobilebert_lite.text.examples import ChoiceExample
from mobilebert_lite.text.features import Features

# Added to scores in places that an example has no choice for.
_NONE = -1e4


class ChoiceTraining(Training):
    """Cross-entropy over the choices."""

    scratch: ClassVar = {"epochs": 8.0, "learning_rate": 1e-3, "seq_len": 128}
    fine_tuned: ClassVar = {"epochs": 3.0, "learning_rate": 1e-4, "seq_len": 128}

    def form(self, form: Form, examples: Sequence[ChoiceExample]) -> Form:
        """With room for the most choices."""
        return replace(form, choices=max(len(example.choices) for example in examples))

    def target(self, example: ChoiceExample, features: Features, numbers: Mapping[str, int],
               problem: str) -> np.ndarray:
        """The place of the right choice, and how many there are. *Shape:* int32 [2]"""
        if example.label is None:
            raise DataError("it has no label to learn")
        return np.array([example.label, len(example.choices)], np.int32)

    def loss(self, problem: str = SINGLE_LABEL, smoothing: float = 0.0) -> Loss:
        """*Shape:* logits (batch, choices), labels int32 (batch, 2) → (batch)"""
        from mobilebert_lite.common.tf import tf
        from mobilebert_lite.tasks.losses import classes

        def loss(outputs: Mapping[str, Any], batch: Mapping[str, Any]) -> Any:
            logits = _among(outputs["logits"], batch)
            right = classes(logits, batch["labels"][:, 0])
            if not smoothing:
                return right
            # Evenly over the choices that there are.
            among = _there(logits, batch) * tf.nn.log_softmax(logits)
            count = tf.cast(batch["labels"][:, 1], logits.dtype)
            return (1 - smoothing) * right - smoothing * tf.reduce_sum(among, axis=-1) / count

        return loss

    def distance(self, problem: str = SINGLE_LABEL, temperature: float = 1.0) -> Loss:
        """Over the choices that there are."""
        from mobilebert_lite.tasks.losses import divergence

        return lambda outputs, batch: divergence(_among(outputs["logits"], batch),
                                                 _among(batch[f"{TEACHER}logits"], batch), temperature)

    def outputs(self, labels: Sequence[str], examples: Sequence[Any], problem: str) -> int:
        """One score for each choice."""
        return 1


def _among(logits: Any, batch: Mapping[str, Any]) -> Any:
    """``logits`` that leave the places without a choice no probability. *Shape:* (batch, choices)"""
    return logits + (1 - _there(logits, batch)) * _NONE


def _there(logits: Any, batch: Mapping[str, Any]) -> Any:
    """1 where there is a choice, else 0. *Shape:* (batch, choices)"""
    from mobilebert_lite.common.tf import tf

    return tf.sequence_mask(batch["labels"][:, 1], logits.shape[1], dtype=logits.dtype)


TRAINING = ChoiceTraining()
