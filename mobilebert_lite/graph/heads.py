"""What stands on the encoder, one function per task: hidden states in, named outputs out."""

from __future__ import annotations

import tensorflow as tf

from mobilebert_lite.graph.ops import Tensors, dense


def first_token(x: tf.Tensor) -> tf.Tensor:
    """The [CLS] position. *Shape:* (batch, seq, hidden) → (batch, hidden)"""
    return tf.reshape(tf.slice(x, [0, 0, 0], [-1, 1, -1]), [-1, x.shape[2]])


def pool(tensors: Tensors, x: tf.Tensor) -> tf.Tensor:
    """[CLS], through tanh(dense) where the checkpoint has a pooler. *Shape:* (batch, seq, hidden) → (batch, hidden)"""
    cls = first_token(x)
    return tf.tanh(dense(tensors, "pooler", cls)) if "pooler.kernel" in tensors else cls


def features(tensors: Tensors, x: tf.Tensor) -> dict[str, tf.Tensor]:
    """sequence_output (batch, seq, hidden) and pooled_output (batch, hidden)."""
    return {"sequence_output": x, "pooled_output": pool(tensors, x)}


def question_answering(tensors: Tensors, x: tf.Tensor) -> dict[str, tf.Tensor]:
    """end_logits and start_logits, each (batch, seq).

    One dense layer per column: slicing a two-column result keeps nodes off the GPU accelerator.
    """
    kernel, bias = tensors["qa.kernel"], tensors["qa.bias"]
    with tf.name_scope("head"):
        start, end = (tf.reshape(tf.matmul(x, kernel[:, i:i + 1]) + bias[i:i + 1], [-1, x.shape[1]]) for i in (0, 1))
    return {"end_logits": end, "start_logits": start}


def classification_logits(tensors: Tensors, x: tf.Tensor) -> tf.Tensor:
    """*Shape:* (batch, seq, hidden) → (batch, labels)"""
    return dense(tensors, "classifier", pool(tensors, x))


def classification(tensors: Tensors, x: tf.Tensor) -> dict[str, tf.Tensor]:
    """probability (batch, labels), a softmax over the labels."""
    return {"probability": tf.nn.softmax(classification_logits(tensors, x))}
