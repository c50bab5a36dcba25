"""The stack of blocks."""

from __future__ import annotations

import tensorflow as tf

from mobilebert_lite.config import MobileBertConfig
from mobilebert_lite.fusion.plan import Plan
from mobilebert_lite.graph.attention import MASK_CONSTANT, attend, mask_bias
from mobilebert_lite.graph.embeddings import embed, lookup
from mobilebert_lite.graph.ops import Tap, Tensors, activation, dense, norm, untapped


def encode(tensors: Tensors, config: MobileBertConfig, ids: tf.Tensor, mask: tf.Tensor, segment_ids: tf.Tensor,
           mask_constant: float = MASK_CONSTANT, plan: Plan | None = None, tap: Tap = untapped) -> tf.Tensor:
    """The encoder's last hidden states; with ``plan.cls_only`` those of position 0 alone.

    *Shape:* int32 (batch, seq) three times → float32 (batch, seq or 1, hidden)
    """
    plan = plan or Plan()
    x = embed(tensors, config, ids, segment_ids)
    bias = (tabulated_mask_bias if plan.tabulated else mask_bias)(mask, mask_constant, x.dtype)
    for i in range(config.num_hidden_layers):
        last = i == config.num_hidden_layers - 1
        x = tap(f"layers.{i}.stream", x)
        x = block(tensors, f"layers.{i}", config, x, bias, plan, tap, first_row=plan.cls_only and last)
    return norm(tensors, "final", tap("final.stream", x), config)


def tabulated_mask_bias(mask: tf.Tensor, constant: float, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """What is added to the scores, as rows of a table: a GATHER gives int8 where a CAST would give float.

    *Shape:* int32 (batch, seq) → float (batch, 1, 1, seq)
    """
    return tf.reshape(lookup(tf.constant([[constant], [0.0]], dtype), mask), [-1, 1, 1, mask.shape[1]])


def block(tensors: Tensors, scope: str, config: MobileBertConfig, x: tf.Tensor, bias: tf.Tensor, plan: Plan,
          tap: Tap = untapped, first_row: bool = False) -> tf.Tensor:
    """One block. *Shape:* (batch, seq, hidden) → (batch, seq, hidden), or (batch, 1, hidden) with ``first_row``"""
    inner, query_input, value_input = block_inputs(tensors, scope, config, x)
    key_input = query_input
    if first_row:
        x = tf.slice(x, [0, 0, 0], [x.shape[0] or -1, 1, config.hidden_size])
        inner, query_input, _ = block_inputs(tensors, scope, config, x)
    attended = attend(tensors, f"{scope}.attention", config, query_input, key_input, value_input, bias, plan, tap)
    inner = residual(tensors, f"{scope}.attention.norm", attended, inner, config)
    for j in range(config.num_feedforward_networks):
        inner = feed_forward(tensors, f"{scope}.ffn.{j}", config, tap(f"{scope}.ffn.{j}.inner", inner), tap)
    if not config.use_bottleneck:
        return inner
    inner = tap(f"{scope}.output.inner", inner)
    return residual(tensors, f"{scope}.output.norm", dense(tensors, f"{scope}.output", inner), x, config)


def residual(tensors: Tensors, scope: str, branch: tf.Tensor, stream: tf.Tensor,
             config: MobileBertConfig) -> tf.Tensor:
    """norm(branch + stream), the stream rescaled first where fusion asks for it."""
    rescale = tensors.get(f"{scope}.rescale")
    with tf.name_scope(f"{scope.removesuffix('.norm')}.residual"):
        summed = branch + (stream if rescale is None else stream * rescale)
    return norm(tensors, scope, summed, config)


def block_inputs(tensors: Tensors, scope: str, config: MobileBertConfig,
                 x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The block's own residual, what query and key read, and what value reads."""
    if not config.use_bottleneck:
        return x, x, x
    inner = _bottleneck(tensors, f"{scope}.bottleneck.input", config, x)
    if config.use_bottleneck_attention:
        return inner, inner, inner
    if f"{scope}.bottleneck.attention.kernel" in tensors:
        return inner, _bottleneck(tensors, f"{scope}.bottleneck.attention", config, x), x
    return inner, x, x


def feed_forward(tensors: Tensors, scope: str, config: MobileBertConfig, x: tf.Tensor,
                 tap: Tap = untapped) -> tf.Tensor:
    """One feed-forward network with its residual. *Shape:* (batch, seq, block) → (batch, seq, block)"""
    hidden = tap(f"{scope}.hidden", activation(dense(tensors, f"{scope}.intermediate", x), config.hidden_act))
    return residual(tensors, f"{scope}.norm", dense(tensors, f"{scope}.output", hidden), x, config)


def _bottleneck(tensors: Tensors, scope: str, config: MobileBertConfig, x: tf.Tensor) -> tf.Tensor:
    return norm(tensors, f"{scope}.norm", dense(tensors, scope, x), config)
