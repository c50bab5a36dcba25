"""A sigmoid over one dense column of [CLS]."""

from __future__ import annotations

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.common.tf import tf
from mobilebert_lite.graph.heads import pool
from mobilebert_lite.graph.ops import Tensors, dense
from mobilebert_lite.tasks.base import Task


def draw(task: Task, tensors: Tensors, config: MobileBertConfig, x: tf.Tensor, positions: tf.Tensor | None
         ) -> dict[str, tf.Tensor]:
    """similarity (batch, 1)."""
    return {"similarity": tf.math.sigmoid(dense(tensors, "similarity", pool(tensors, x)))}
