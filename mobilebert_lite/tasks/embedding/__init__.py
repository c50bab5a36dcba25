"""Sentence embeddings: one vector for a text, to be compared with those of other texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.architecture.heads import Head
from mobilebert_lite.architecture.pooling import CLS, MAX, Pooling
from mobilebert_lite.tasks.base import Outputs, ReadyModel, Task, output_row
from mobilebert_lite.tasks.embedding.retrieval import QueryExample, read_query
from mobilebert_lite.tasks.feature_extraction import MIN_COSINE
from mobilebert_lite.text.examples import TextExample
from mobilebert_lite.text.features import Features, pack
from mobilebert_lite.text.tokenization import Tokenizer

if TYPE_CHECKING:
    from mobilebert_lite.architecture.weights import Weights

OUTPUT = "embedding"


class Embedding(Task):
    """One vector for each text. A pair of texts makes two sequences, whose vectors are compared."""

    name = "embedding"
    aliases = ("sentence-embedding",)
    own_heads = (Head("embedding", "sentence embeddings (a dense layer behind the pooling)", False,
                      "sentence_embedding.linear"),)
    outputs = (OUTPUT,)
    form_options = ("pooling",)
    purpose = "a vector of a text, to be compared with those of other texts"
    texts: Mapping[str, str] = {"text": "A text, UTF-8."}  # type: ignore[misc]
    trained_elsewhere = "train them with sentence-transformers, and give its folder to mbl convert"

    @property
    def cls_only(self) -> bool:  # type: ignore[override]
        """Where [CLS] alone is read."""
        return self.form.pooling == CLS

    @property
    def shows_hidden(self) -> bool:  # type: ignore[override]
        """Unless a dense layer reads what is pooled; then fusion may change the hidden states, but not which of them is
        the greatest."""
        return not self.form.dense or self.form.pooling == MAX

    @property
    def scale_free(self) -> bool:  # type: ignore[override]
        """Vectors of length 1 are the same whatever the hidden states are multiplied by."""
        return self.form.normalize and not self.form.dense

    def form_of(self, weights: Weights, examples: Sequence[Any], form: Form, problem: str | None) -> Form:
        """What the checkpoint says of its dense layer is in the form; pooling and length are as asked for or as there.
        """
        return replace(form, dense=weights.pooling.dense if weights.pooling else "")

    def usual_length(self, weights: Weights) -> int:
        """As long as the checkpoint's own code reads texts."""
        return (weights.pooling.max_length if weights.pooling else 0) or self.default_length

    def read_example(self, raw: Mapping[str, Any], where: str, default_id: str) -> Any:
        """A query with its documents; other rows are texts or pairs."""
        return read_query(raw, where, default_id)

    def features(self, tokenizer: Tokenizer, example: TextExample, length: int) -> list[Features]:
        """A sequence for each text of ``example``; too long ones are cut. Raises as ``Task.features``."""
        self._check(example)
        return [pack(tokenizer, text, None, length) for text in texts_of(example)]

    def answer(self, model: ReadyModel, example: TextExample) -> np.ndarray:
        """``embed`` of its texts."""
        return embed(model, texts_of(example))

    def describe(self, output: str) -> str:
        """What the vector is made of."""
        made = str(Pooling(self.form.pooling, self.form.normalize, self.form.dense))
        return f"Vector of the text ({made}). Texts that mean the same have a cosine near 1."

    def axes(self, output: str) -> tuple[str, ...]:
        """A vector."""
        return "batch", "dimension"

    def _same(self, features: Features, reference: Outputs, candidate: Outputs) -> bool:
        return bool(cosines(*(output_row(outputs, OUTPUT)[None] for outputs in (reference, candidate)))[0, 0]
                    >= MIN_COSINE)


def texts_of(example: TextExample) -> list[str]:
    """The texts of ``example``, each of which has a vector."""
    more = example.documents if isinstance(example, QueryExample) else ()
    return [example.text, *([] if example.pair is None else [example.pair]), *more]


def embed(model: ReadyModel, texts: Sequence[str]) -> np.ndarray:
    """The vectors of ``texts``, float32 [texts, dimensions]. Raises DataError for an empty text."""
    rows = []
    for text in texts:
        [features] = model.task.features(model.tokenizer, TextExample(text), model.longest)
        rows.append(output_row(model.run(features)[1], OUTPUT))
    return np.array(rows, np.float32)


def similarity(model: ReadyModel, first: str, second: str) -> float:
    """The cosine of the vectors of two texts, -1 to 1."""
    one, other = embed(model, [first, second])
    return float(cosines(one[None], other[None])[0, 0])


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of each row of one with each row of the other, in float64; 0 where either is zero.

    *Shape:* (n, dimensions), (m, dimensions) → (n, m)
    """
    one, other = (_unit(rows.astype(np.float64)) for rows in (first, second))
    found: np.ndarray = np.clip(one @ other.T, -1.0, 1.0)
    return found


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    found: np.ndarray = rows / np.where(lengths > 0, lengths, 1.0)
    return found


TASK = Embedding()
