"""Classes from [CLS], through the pooler where there is one."""

from __future__ import annotations

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.common.tf import tf
from mobilebert_lite.graph import heads
from mobilebert_lite.graph.ops import Tensors, dense
from mobilebert_lite.tasks.base import Task


def draw(task: Task, tensors: Tensors, config: MobileBertConfig, x: tf.Tensor, positions: tf.Tensor | None
         ) -> dict[str, tf.Tensor]:
    """probability or logits, (batch, labels)."""
    return heads.classes(dense(tensors, "classifier", heads.pool(tensors, x)), task.form)
