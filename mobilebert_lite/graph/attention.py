"""Multi-head self-attention at the width of the block."""

from __future__ import annotations

import math

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.common.tf import tf
from mobilebert_lite.fusion.plan import FusionPlan
from mobilebert_lite.graph.masking import Mask, apply_mask
from mobilebert_lite.graph.ops import Tap, Tensors, dense, product, untapped


def attend(tensors: Tensors, scope: str, config: MobileBertConfig, query: tf.Tensor, key: tf.Tensor,
           *, value: tf.Tensor, mask: Mask, plan: FusionPlan, tap: Tap = untapped) -> tf.Tensor:
    """softmax(QKᵀ/√d, masked)·V and the output projection.

    *Shape:* (batch, rows, block), (batch, seq, block) twice → (batch, rows, block)
    """
    def split(x: tf.Tensor) -> tf.Tensor:
        x = tf.reshape(x, [-1, x.shape[1], config.num_attention_heads, config.head_size])
        return tf.transpose(x, [0, 2, 1, 3])

    if not plan.query_scaled:
        query *= 1.0 / math.sqrt(config.head_size)
    query = split(tap(f"{scope}.query", query))
    key = split(tap(f"{scope}.key", key))
    value = split(tap(f"{scope}.value", value))
    probabilities = tf.nn.softmax(apply_mask(tf.matmul(query, key, transpose_b=True), mask))
    probabilities = tap(f"{scope}.probabilities", probabilities)
    context = tf.transpose(tf.matmul(probabilities, value), [0, 2, 1, 3])
    context = tf.reshape(context, [-1, context.shape[1], config.block_size])
    return dense(tensors, f"{scope}.output", context)


def attend_rows(tensors: Tensors, scope: str, config: MobileBertConfig, query: tf.Tensor, key: tf.Tensor,
                *, value: tf.Tensor, mask: Mask, plan: FusionPlan) -> tf.Tensor:
    """As ``attend`` for one sequence, after ``fusion.wide_heads``: each head of each position is a row.

    *Shape:* (rows, heads · block), (seq, block) twice → (rows, block)
    """
    if not plan.query_scaled:
        query *= 1.0 / math.sqrt(config.head_size)
    # The products have three axes: of two, TensorFlow makes dense layers, which NPUs do not take in 16 bits.
    with tf.name_scope(scope):
        query = tf.reshape(query, [1, query.shape[0] * config.num_attention_heads, config.block_size])
        scores = apply_mask(product(query, key, transposed=True), mask)
        context = product(tf.nn.softmax(scores), value)
        context = tf.reshape(context, [-1, config.num_attention_heads * config.block_size])
    return dense(tensors, f"{scope}.output", context)
