"""The heads of masked words and of next sentences."""

from __future__ import annotations

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.common.tf import tf
from mobilebert_lite.graph.ops import Tensors
from mobilebert_lite.tasks.base import Task
from mobilebert_lite.tasks.masked_lm import head as masked_words
from mobilebert_lite.tasks.next_sentence import head as next_sentence


def draw(task: Task, tensors: Tensors, config: MobileBertConfig, x: tf.Tensor, positions: tf.Tensor | None
         ) -> dict[str, tf.Tensor]:
    """prediction_logits (batch, seq, vocabulary) and seq_relationship_logits (batch, 2)."""
    return {"prediction_logits": masked_words.logits(tensors, config, x),
            "seq_relationship_logits": next_sentence.logits(tensors, x)}
