"""Question answering in training: the first and the last token of the answer."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mobilebert_lite.architecture.form import SINGLE_LABEL
from mobilebert_lite.tasks.teaching import TEACHER, Loss, Training
from mobilebert_lite.text.examples import QuestionExample
from mobilebert_lite.text.features import Features

_ENDS = ("start_logits", "end_logits")


class SpanTraining(Training):
    """Mean cross-entropy of both ends; padding is none."""

    scratch: ClassVar = {"epochs": 5.0, "learning_rate": 1.5e-3, "seq_len": 384}
    fine_tuned: ClassVar = {"epochs": 3.0, "learning_rate": 1e-4, "seq_len": 384}

    def target(self, example: QuestionExample, features: Features, numbers: Mapping[str, int],
               problem: str) -> np.ndarray:
        """First and last token of the answer; [CLS] twice where this window does not hold all of it. *Shape:* int32 [2]
        """
        return np.array(answer_tokens(example, features) or (0, 0), np.int32)

    def loss(self, problem: str = SINGLE_LABEL, smoothing: float = 0.0) -> Loss:
        """*Shape:* labels int32 (batch, 2) → (batch)"""
        from mobilebert_lite.tasks.losses import classes, never_padding

        def spans(outputs: Mapping[str, Any], batch: Mapping[str, Any]) -> Any:
            padding = never_padding(batch)
            return 0.5 * sum(classes(outputs[name] + padding, batch["labels"][:, i]) for i, name in enumerate(_ENDS))

        return spans

    def distance(self, problem: str = SINGLE_LABEL, temperature: float = 1.0) -> Loss:
        """Mean of both ends."""
        from mobilebert_lite.tasks.losses import divergence, never_padding

        def distance(outputs: Mapping[str, Any], batch: Mapping[str, Any]) -> Any:
            padding = never_padding(batch)
            return 0.5 * sum(divergence(outputs[name] + padding, batch[TEACHER + name] + padding, temperature)
                             for name in _ENDS)

        return distance

    def outputs(self, labels: Sequence[str], examples: Sequence[Any], problem: str) -> int:
        """Start and end."""
        return len(_ENDS)


def answer_tokens(example: QuestionExample, features: Features) -> tuple[int, int] | None:
    """The tokens of ``features`` that touch the first answer whose place is known; None where they do not cover it."""
    known = [(start, text) for text, start in zip(example.answers, example.answer_starts, strict=True) if start >= 0]
    if not known:
        return None
    begin, text = known[0]
    # No token holds the white space, control characters and accents around a word.
    seen = [i for i, character in enumerate(text) if unicodedata.category(character)[0] not in "ZCM"]
    if not seen:
        return None
    start, end = begin + seen[0], begin + seen[-1] + 1
    offsets = features.offsets
    touched = np.flatnonzero(features.in_text & (offsets[:, 0] < end) & (offsets[:, 1] > start))
    if not len(touched) or offsets[touched[0], 0] > start or offsets[touched[-1], 1] < end:
        return None
    return int(touched[0]), int(touched[-1])


TRAINING = SpanTraining()
