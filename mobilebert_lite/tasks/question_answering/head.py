"""Two dense columns over the hidden states: the ends of an answer."""

from __future__ import annotations

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.common.tf import tf
from mobilebert_lite.graph.ops import Tensors
from mobilebert_lite.tasks.base import Task


def draw(task: Task, tensors: Tensors, config: MobileBertConfig, x: tf.Tensor, positions: tf.Tensor | None
         ) -> dict[str, tf.Tensor]:
    """end_logits and start_logits, each (batch, seq).

    One dense layer per column: slicing a two-column result keeps nodes off the GPU accelerator.
    """
    kernel, bias = tensors["qa.kernel"], tensors["qa.bias"]
    with tf.name_scope("head"):
        start, end = (tf.reshape(tf.matmul(x, kernel[:, i:i + 1]) + bias[i:i + 1], [-1, x.shape[1]]) for i in (0, 1))
    return {"end_logits": end, "start_logits": start}
