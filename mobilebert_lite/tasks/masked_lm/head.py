"""A score for every word of the vocabulary, over the word table that the embedding gathers from."""

from __future__ import annotations

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.common.tf import tf
from mobilebert_lite.graph.ops import Tensors, activation, dense, standardize
from mobilebert_lite.tasks.base import Task


def draw(task: Task, tensors: Tensors, config: MobileBertConfig, x: tf.Tensor, positions: tf.Tensor | None
         ) -> dict[str, tf.Tensor]:
    """logits (batch, seq or positions, vocabulary)."""
    return {"logits": logits(tensors, config, x if positions is None else at_positions(x, positions))}


def logits(tensors: Tensors, config: MobileBertConfig, x: tf.Tensor) -> tf.Tensor:
    """A score for every word of the vocabulary. *Shape:* (batch, seq, hidden) → (batch, seq, vocabulary)

    The matrix is the word table itself with ``mlm.extra`` beside it. They are multiplied one by one, so that the table
    of the embedding serves both. The normalization is a real one in networks of NoNorm too.
    """
    x = activation(dense(tensors, "mlm.transform", x), config.hidden_act)
    x = standardize(x, config.layer_norm_eps) * tensors["mlm.norm.gamma"] + tensors["mlm.norm.beta"]
    width = config.embedding_size
    tied = tensors.get("mlm.word", tensors["embeddings.word"])
    if "mlm.extra" not in tensors:
        return _times_words(tied, "embeddings.word", x) + tensors["mlm.bias"]
    batch, seq = x.shape[0] or -1, x.shape[1]
    first = tf.slice(x, [0, 0, 0], [batch, seq, width])
    rest = tf.slice(x, [0, 0, width], [batch, seq, config.hidden_size - width])
    return (_times_words(tensors["mlm.extra"], "embeddings.extra", rest) + tensors["mlm.bias"]
            + _times_words(tied, "embeddings.word", first))


def _times_words(table: tf.Tensor, scope: str, x: tf.Tensor) -> tf.Tensor:
    """*Shape:* (words, width), (batch, seq, width) → (batch, seq, words)"""
    with tf.name_scope(f"mlm.{scope}"):
        return tf.matmul(x, table, transpose_b=True)


def at_positions(x: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    """The rows of ``x`` at ``positions``. *Shape:* (batch, seq, hidden), int32 (batch, P) → (batch, P, hidden)

    A product with rows of zeros and a one: XNNPACK has no GATHER, which would cut the graph in two.
    """
    return tf.matmul(tf.one_hot(positions, x.shape[1], dtype=x.dtype), x)
