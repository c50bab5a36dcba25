"""Examples into rows: the tokens of ``tasks`` with the targets that training needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import Task
from mobilebert_lite.text.features import Features
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.training.batches import EncodedRow


@dataclass(frozen=True)
class RowMaker:
    """What it takes to make rows of examples of one task."""

    task: Task
    tokenizer: Tokenizer
    # Longest sequence, in tokens.
    length: int
    # Names of the classes in the order of the outputs.
    labels: tuple[str, ...] = ()

    def rows(self, examples: Sequence[Any]) -> list[EncodedRow]:
        """The rows of all ``examples``, several for a long text. Raises DataError naming the example."""
        numbers = {label: i for i, label in enumerate(self.labels)}
        training, problem = self.task.training, self.task.form.problem_type
        made = []
        for example in examples:
            try:
                for features in training.features(self.task, self.tokenizer, example, self.length):
                    made.append(_row(features, training.target(example, features, numbers, problem),
                                     training.per_token))
            except DataError as error:
                raise DataError(f"example {example.id}: {error}") from None
        return made


def _row(features: Features, labels: np.ndarray, per_token: bool) -> EncodedRow:
    used = features.length_used
    # Copies, or every row would keep its padded arrays alive.
    return EncodedRow(features.ids[..., :used].copy(), features.segment_ids[..., :used].copy(),
                      labels[:used].copy() if per_token else labels, per_token,
                      mask=features.mask[..., :used].copy() if features.mask.ndim > 1 else None)
