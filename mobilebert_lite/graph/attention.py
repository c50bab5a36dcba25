"""Multi-head self-attention at the width of the block."""

from __future__ import annotations

import math

import tensorflow as tf

from mobilebert_lite.config import MobileBertConfig
from mobilebert_lite.fusion.plan import Plan
from mobilebert_lite.graph.ops import Tap, Tensors, dense, untapped

# Added to the scores of padding positions (google-research/mobilebert of 2020). Hugging Face and Model Garden
# add more; for float arithmetic all of them are exact zeros after the softmax.
MASK_CONSTANT = -10000.0


def mask_bias(mask: tf.Tensor, constant: float = MASK_CONSTANT, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """What is added to the scores. *Shape:* int32 (batch, seq) → float (batch, 1, 1, seq)"""
    missing = 1.0 - tf.cast(mask, dtype)
    return tf.reshape(missing * constant, [-1, 1, 1, mask.shape[1]])


def attend(tensors: Tensors, scope: str, config: MobileBertConfig, query: tf.Tensor, key: tf.Tensor,
           value: tf.Tensor, bias: tf.Tensor, plan: Plan, tap: Tap = untapped) -> tf.Tensor:
    """softmax(QKᵀ/√d + bias)·V and the output projection.

    *Shape:* (batch, rows, block), (batch, seq, block) twice, (batch, 1, 1, seq) → (batch, rows, block)
    """
    def split(x: tf.Tensor) -> tf.Tensor:
        x = tf.reshape(x, [-1, x.shape[1], config.num_attention_heads, config.head_size])
        return tf.transpose(x, [0, 2, 1, 3])

    if not plan.query_scaled:
        query *= 1.0 / math.sqrt(config.head_size)
    query = split(tap(f"{scope}.query", query))
    key = split(tap(f"{scope}.key", key))
    value = split(tap(f"{scope}.value", value))
    probabilities = tf.nn.softmax(tf.matmul(query, key, transpose_b=True) + bias)
    context = tf.transpose(tf.matmul(probabilities, value), [0, 2, 1, 3])
    context = tf.reshape(context, [-1, context.shape[1], config.block_size])
    return dense(tensors, f"{scope}.output", context)
