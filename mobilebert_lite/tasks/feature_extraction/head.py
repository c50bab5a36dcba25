"""The encoder's own outputs."""

from __future__ import annotations

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.common.tf import tf
from mobilebert_lite.graph.heads import pool
from mobilebert_lite.graph.ops import Tensors
from mobilebert_lite.tasks.base import Task


def draw(task: Task, tensors: Tensors, config: MobileBertConfig, x: tf.Tensor, positions: tf.Tensor | None
         ) -> dict[str, tf.Tensor]:
    """sequence_output (batch, seq, hidden) and pooled_output (batch, hidden)."""
    return {"sequence_output": x, "pooled_output": pool(tensors, x)}
