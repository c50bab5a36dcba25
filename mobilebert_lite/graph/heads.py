"""What the heads of several tasks are made of: hidden states in, logits or named outputs out."""

from __future__ import annotations

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.common.tf import tf
from mobilebert_lite.graph.ops import Tensors, dense

ACTIVATIONS = {"softmax": tf.nn.softmax, "sigmoid": tf.math.sigmoid}


def first_token(x: tf.Tensor) -> tf.Tensor:
    """The [CLS] position. *Shape:* (batch, seq, hidden) → (batch, hidden)"""
    return tf.reshape(tf.slice(x, [0, 0, 0], [x.shape[0] or -1, 1, x.shape[2]]), [-1, x.shape[2]])


def pool(tensors: Tensors, x: tf.Tensor) -> tf.Tensor:
    """[CLS], through tanh(dense) where the checkpoint has a pooler. *Shape:* (batch, seq, hidden) → (batch, hidden)"""
    cls = first_token(x)
    return tf.tanh(dense(tensors, "pooler", cls)) if "pooler.kernel" in tensors else cls


def classes(logits: tf.Tensor, form: Form) -> dict[str, tf.Tensor]:
    """``probability``, or ``logits`` where ``form`` asks for those or numbers are predicted."""
    activation = ACTIVATIONS.get(form.activation)
    return {"probability": activation(logits)} if activation else {"logits": logits}
