"""Losses that several tasks share, as TensorFlow operations."""

from __future__ import annotations

from collections.abc import Mapping

from mobilebert_lite.common.tf import tf

Tensors = Mapping[str, tf.Tensor]
# Added to logits of padding, which must not be chosen as an answer's end.
_NEVER = -1e4


def classes(logits: tf.Tensor, labels: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
    """Cross-entropy. *Shape:* float (…, classes), int32 (…) → float (…)"""
    right = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), logits)
    if not smoothing:
        return right
    return (1 - smoothing) * right - smoothing * tf.reduce_mean(tf.nn.log_softmax(logits), axis=-1)


def several(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean binary cross-entropy over the classes. *Shape:* float (batch, classes) twice → (batch)"""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits), axis=-1)


def squares(found: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Mean squared error. *Shape:* float (batch, numbers) twice → (batch)"""
    return tf.reduce_mean(tf.square(wanted - found), axis=-1)


def divergence(student: tf.Tensor, teacher: tf.Tensor, temperature: float) -> tf.Tensor:
    """KL(teacher, student), see ``teaching.Training.distance``. *Shape:* float (…, classes) twice → (…)"""
    wanted = tf.nn.log_softmax(teacher / temperature)
    found = tf.nn.log_softmax(student / temperature)
    return temperature ** 2 * tf.reduce_sum(tf.exp(wanted) * (wanted - found), axis=-1)


def never_padding(batch: Tensors) -> tf.Tensor:
    """What to add to logits of tokens. *Shape:* (batch, seq)"""
    return (1.0 - tf.cast(batch["mask"], tf.float32)) * _NEVER
