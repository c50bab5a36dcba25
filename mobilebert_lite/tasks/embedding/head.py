"""The pooled vector, through the checkpoint's dense layer and to length 1 where it has these."""

from __future__ import annotations

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.common.tf import tf
from mobilebert_lite.graph.heads import first_token
from mobilebert_lite.graph.ops import Tensors, dense
from mobilebert_lite.graph.pooling import unit_length
from mobilebert_lite.tasks.base import Task

_ACTIVATIONS = {"linear": tf.identity, "tanh": tf.tanh, "relu": tf.nn.relu, "sigmoid": tf.math.sigmoid,
                "gelu": tf.nn.gelu}


def draw(task: Task, tensors: Tensors, config: MobileBertConfig, x: tf.Tensor, positions: tf.Tensor | None
         ) -> dict[str, tf.Tensor]:
    """embedding (batch, dimensions), of the pooled hidden states (batch, 1, hidden)."""
    x = first_token(x)
    if task.form.dense:
        with tf.name_scope("head"):
            x = _ACTIVATIONS[task.form.dense](dense(tensors, "embedding", x))
    return {"embedding": unit_length(x) if task.form.normalize else x}
