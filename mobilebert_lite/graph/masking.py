"""Scores of padding, out of the softmax's way."""

from __future__ import annotations

from typing import NamedTuple

from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.common.tf import tf
from mobilebert_lite.graph.embeddings import lookup


class Mask(NamedTuple):
    """What a mask does to the scores. *Shape:* (batch, 1, [1,] seq)"""

    # Added to the scores.
    bias: tf.Tensor
    # The scores are multiplied by it first; None where they are not.
    keep: tf.Tensor | None = None


def make_mask(mask: tf.Tensor, masking: Masking, dtype: tf.DType = tf.float32, tabulated: bool = False,
              rows: bool = False) -> Mask:
    """*Shape:* int32 (batch, seq) → float (batch, 1, 1, seq), or (batch, 1, seq) with ``rows``

    ``tabulated``: looked up as rows of a table, for a GATHER gives int8 where a CAST would give float.
    """
    shape = [-1, 1, mask.shape[1]] if rows else [-1, 1, 1, mask.shape[1]]
    if tabulated:
        bias, keep = (tf.reshape(lookup(tf.constant(rows, dtype), mask), shape)
                      for rows in ([[masking.constant], [0.0]], [[0.0], [1.0]]))
    else:
        keep = tf.reshape(tf.cast(mask, dtype), shape)
        bias = (1.0 - keep) * masking.constant
    return Mask(bias, keep if masking.multiplies else None)


def apply_mask(scores: tf.Tensor, mask: Mask) -> tf.Tensor:
    """*Shape:* (batch, [heads,] rows, seq) → the same"""
    return (scores if mask.keep is None else scores * mask.keep) + mask.bias
