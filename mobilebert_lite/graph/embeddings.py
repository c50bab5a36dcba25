"""Word vectors, trigrams, positions and segments."""

from __future__ import annotations

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import has_projection
from mobilebert_lite.common.tf import tf
from mobilebert_lite.graph.ops import Tensors, dense, norm


def embed(tensors: Tensors, config: MobileBertConfig, ids: tf.Tensor, segment_ids: tf.Tensor) -> tf.Tensor:
    """The input of the first block.

    *Shape:* ids and segment_ids int32 (batch, seq) → float32 (batch, seq, hidden)
    """
    x = lookup_words(tensors, ids)
    if config.trigram_input:
        x = trigrams(x)
    if has_projection(config):
        x = dense(tensors, "embeddings.projection", x)
    seq = ids.shape[1]
    x += tf.slice(tensors["embeddings.position"], [0, 0], [seq, config.hidden_size])
    if "embeddings.token_type" in tensors:
        x += lookup(tensors["embeddings.token_type"], segment_ids)
    elif "embeddings.segment_step" in tensors:
        x += tf.reshape(tf.cast(segment_ids, x.dtype), [-1, seq, 1]) * tensors["embeddings.segment_step"]
    return norm(tensors, "embeddings.norm", x, config)


def lookup_words(tensors: Tensors, ids: tf.Tensor) -> tf.Tensor:
    """Word vectors of ``ids``; an int8 table is widened after the gather, row by row.

    With ``embeddings.word.low`` the table holds the high bytes of sixteen bits and this the low ones.
    *Shape:* (batch, seq) → (batch, seq, width)
    """
    table, scale = tensors["embeddings.word"], tensors.get("embeddings.word.scale")
    rows = _rows(table, ids)
    if scale is not None:
        rows = tf.cast(rows, scale.dtype)
        if "embeddings.word.low" in tensors:
            rows += tf.cast(_rows(tensors["embeddings.word.low"], ids), scale.dtype) / 256.0
        rows *= _rows(scale, ids)
    return tf.reshape(rows, [-1, ids.shape[1], table.shape[1]])


def lookup(table: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Rows of ``table``. *Shape:* (batch, seq) → (batch, seq, width)"""
    return tf.reshape(_rows(table, ids), [-1, ids.shape[1], table.shape[1]])


def _rows(table: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Rows of ``table``, one after the other: the GPU accelerator gathers with 1-D indices only."""
    return tf.gather(table, tf.reshape(ids, [-1]))


def trigrams(x: tf.Tensor) -> tf.Tensor:
    """[next, current, previous] side by side; beyond the ends stand zeros.

    *Shape:* (batch, seq, width) → (batch, seq, 3 · width). Padding positions take part, as in every source.
    """
    # XNNPACK slices only where every size is spelt out; -1 is for the open batch size of training.
    batch, seq, width = x.shape[0] or -1, x.shape[1], x.shape[2]
    edge = tf.zeros_like(tf.slice(x, [0, 0, 0], [batch, 1, width]))
    if seq == 1:
        return tf.concat([edge, x, edge], axis=2)
    following = tf.concat([tf.slice(x, [0, 1, 0], [batch, seq - 1, width]), edge], axis=1)
    previous = tf.concat([edge, tf.slice(x, [0, 0, 0], [batch, seq - 1, width])], axis=1)
    return tf.concat([following, x, previous], axis=2)
