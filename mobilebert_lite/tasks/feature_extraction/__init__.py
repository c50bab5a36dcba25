"""Vectors of a text: one per token, and one for the whole."""

from __future__ import annotations

import numpy as np

from mobilebert_lite.tasks import wording
from mobilebert_lite.tasks.base import Outputs, ReadyModel, Task, output_row, read_one
from mobilebert_lite.text.examples import TextExample
from mobilebert_lite.text.features import Features

# Below this, nearest neighbors start to change.
MIN_COSINE = 0.99


class FeatureExtraction(Task):
    """The encoder's own outputs."""

    name = "features"
    aliases = ("feature-extraction",)
    tensorflow1 = True
    min_length = 1
    outputs = ("sequence_output", "pooled_output")
    per_token = vectors = ("sequence_output",)
    shows_hidden = True
    purpose = "vectors of a text and its tokens"
    texts = wording.TEXTS
    scored = False

    def answer(self, model: ReadyModel, example: TextExample) -> dict[str, np.ndarray]:
        """``embed``."""
        return embed(model, example.text, example.pair)

    def describe(self, output: str) -> str:
        """Of what it is a vector."""
        return "Last hidden state of each token." if output in self.per_token else "Vector of the whole text."

    def axes(self, output: str) -> tuple[str, ...]:
        """Vectors end in the hidden width."""
        return ("batch", "token", "hidden") if output in self.per_token else ("batch", "hidden")

    def _same(self, features: Features, reference: Outputs, candidate: Outputs) -> bool:
        """Each output that the reference has: cosine 0.99 or more, for the sequence on average over its tokens."""
        return all(_cosine(_vectors(features, reference, name), _vectors(features, candidate, name)) >= MIN_COSINE
                   for name in self.outputs if name in reference)


def embed(model: ReadyModel, text: str, pair: str | None = None) -> dict[str, np.ndarray]:
    """``sequence_output`` float32 [tokens, H] and ``pooled_output`` [H] of a text."""
    features, outputs = read_one(model, TextExample(text, pair))
    return {"sequence_output": outputs["sequence_output"][0, :features.length_used],
            "pooled_output": outputs["pooled_output"][0]}


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


TASK = FeatureExtraction()
