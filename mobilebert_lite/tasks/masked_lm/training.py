"""Masked language modeling in training: any text teaches, for its own words are the targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mobilebert_lite.architecture.form import SINGLE_LABEL
from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks.base import Task
from mobilebert_lite.tasks.masked_lm import refuse_open
from mobilebert_lite.tasks.teaching import UNLABELLED, Loss, Training
from mobilebert_lite.text.examples import TextExample
from mobilebert_lite.text.features import Features, TextPlaces, encode_texts, join, pack
from mobilebert_lite.text.tokenization import Tokenizer


class MaskedTraining(Training):
    """Cross-entropy at the words that ``training.masks`` hides."""

    # No other words are hidden.
    scratch: ClassVar = {"epochs": 10.0, "learning_rate": 1e-3, "seq_len": 128, "token_dropout": 0.0}
    fine_tuned: ClassVar = {"epochs": 3.0, "learning_rate": 1e-4, "seq_len": 128}
    per_token = True
    masked = True

    def features(self, task: Task, tokenizer: Tokenizer, example: TextExample, length: int) -> list[Features]:
        """The whole text, nothing hidden; what is longer than ``length`` makes several sequences."""
        refuse_open(example, tokenizer.settings.mask_token)
        if example.pair is not None:
            return [pack(tokenizer, example.text, example.pair, length)]
        [encoded] = encode_texts(tokenizer, {"text": example.text})
        ids, places, room = np.array(encoded.ids, np.int32), TextPlaces.of(encoded), max(1, length - 2)
        return [join(tokenizer, [ids[start:start + room]], places.part(start, start + room),
                     np.ones(len(ids[start:start + room]), bool), length) for start in range(0, len(ids), room)]

    def target(self, example: Any, features: Features, numbers: Mapping[str, int], problem: str) -> np.ndarray:
        """Every token but [CLS] and [SEP], which end the texts. *Shape:* int32 [tokens]"""
        targets: np.ndarray = np.where(features.mask == 1, features.ids, UNLABELLED).astype(np.int32)
        ends = features.length_used - 1
        targets[[0, ends]] = UNLABELLED
        # Between two texts.
        second = np.flatnonzero(features.segment_ids)
        if len(second):
            targets[second[0] - 1] = UNLABELLED
        return targets

    def loss(self, problem: str = SINGLE_LABEL, smoothing: float = 0.0) -> Loss:
        """*Shape:* logits (batch, places, words), labels int32 (batch, places) → (batch, places)"""
        from mobilebert_lite.tasks.losses import classes

        return lambda outputs, batch: classes(outputs["logits"], batch["labels"], smoothing)

    def distance(self, problem: str = SINGLE_LABEL, temperature: float = 1.0) -> Loss:
        """Raises DataError: a teacher reads the data once, and other words are hidden in every step."""
        raise DataError("fill-mask learns from a teacher's layers alone: other words are hidden in every step; give "
                        "--distill features or attention")

    def outputs(self, labels: Sequence[str], examples: Sequence[Any], problem: str) -> int:
        """As wide as the network, whatever this says."""
        return 1


TRAINING = MaskedTraining()
