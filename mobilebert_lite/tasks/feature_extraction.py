"""Vectors of a text: one per token, and one for the whole."""

from __future__ import annotations

import numpy as np

from mobilebert_lite.tasks.base import Outputs, Task, output_row
from mobilebert_lite.text.examples import TextExample
from mobilebert_lite.text.features import Features, pack
from mobilebert_lite.text.tokenization import Tokenizer

# Below this, nearest neighbors start to change.
MIN_COSINE = 0.99


class FeatureExtraction(Task):
    """The encoder's own outputs."""

    name = "features"
    aliases = ("feature-extraction",)
    heads = ()
    outputs = ("sequence_output", "pooled_output")
    per_token = vectors = ("sequence_output",)
    example_type = TextExample
    min_length = 1

    def features(self, tokenizer: Tokenizer, example: TextExample, length: int) -> list[Features]:
        """One sequence; too long texts are cut, the longer first."""
        self._check(example)
        return [pack(tokenizer, example.text, example.pair, length)]

    def _same(self, features: Features, reference: Outputs, candidate: Outputs) -> bool:
        """Each output that the reference has: cosine 0.99 or more, for the sequence on average over its tokens."""
        return all(_cosine(_vectors(features, reference, name), _vectors(features, candidate, name)) >= MIN_COSINE
                   for name in self.outputs if name in reference)


def _vectors(features: Features, outputs: Outputs, name: str) -> np.ndarray:
    """Output ``name`` as float64 [vectors, H], without the padding positions of a sequence."""
    row = output_row(outputs, name)
    return row[features.mask == 1] if row.ndim == 2 else row[None]


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Mean cosine of corresponding rows; two zero vectors count as equal."""
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    equal = (a == b).all(axis=-1)
    cosines = np.where(equal, 1.0, (a * b).sum(axis=-1) / np.where(lengths > 0, lengths, 1.0))
    return float(cosines.mean())
