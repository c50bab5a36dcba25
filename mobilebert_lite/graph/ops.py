"""The few operations that the network is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.shape import Block
from mobilebert_lite.architecture.weights import merged_name
from mobilebert_lite.common.tf import tf

Tensors = Mapping[str, tf.Tensor]
# Called with the name and the value of each activation that can be measured or replaced; returns what to go on with.
Tap = Callable[[str, tf.Tensor], tf.Tensor]


def untapped(name: str, x: tf.Tensor) -> tf.Tensor:
    """The tap that does nothing."""
    return x


def dense(tensors: Tensors, scope: str, x: tf.Tensor) -> tf.Tensor:
    """``x @ kernel + bias`` on the last axis. *Shape:* (batch, seq, in) → (batch, seq, out)."""
    with tf.name_scope(scope):  # recipes find a layer by the name of its output
        y = tf.matmul(x, tensors[f"{scope}.kernel"])
        bias = tensors.get(f"{scope}.bias")
        return y if bias is None else y + bias


def product(x: tf.Tensor, y: tf.Tensor, transposed: bool = False) -> tf.Tensor:
    """x·y, or x·yᵀ, of two activations. *Shape:* (1, rows, n), (n, columns) → (1, rows, columns)"""
    return tf.raw_ops.BatchMatMulV2(x=x, y=y, adj_x=False, adj_y=transposed)


def project(tensors: Tensors, block: Block, parts: Sequence[str], x: tf.Tensor,
            config: MobileBertConfig) -> dict[str, tf.Tensor]:
    """What the dense layers ``parts`` of ``block`` make of ``x``, each with its normalization.

    *Shape:* (batch, seq, in) → (batch, seq, block.size(part)) each. Where fusion has merged the layers, slices of one
    product; what it has folded into another layer is left out.
    """
    scope = block.name
    merged = f"{scope}.{merged_name(parts)}"
    if len(parts) < 2 or f"{merged}.kernel" not in tensors:
        return {part: norm(tensors, f"{scope}.{part}.norm", dense(tensors, f"{scope}.{part}", x), config)
                for part in parts if f"{scope}.{part}.kernel" in tensors}
    together, found, start = dense(tensors, merged, x), {}, 0
    for part in parts:
        # XNNPACK slices only where every size is spelt out; -1 is for the open batch size of training.
        size = [together.shape[0] or -1, together.shape[1], block.size(part)]
        found[part] = tf.slice(together, [0, 0, start], size)
        start += block.size(part)
    return found


def norm(tensors: Tensors, scope: str, x: tf.Tensor, config: MobileBertConfig) -> tf.Tensor:
    """The normalization at ``scope``; nothing where fusion has absorbed it."""
    if f"{scope}.gamma" not in tensors:
        return x
    if config.normalization_type == "layer_norm":
        x = standardize(x, config.layer_norm_eps)
    return x * tensors[f"{scope}.gamma"] + tensors[f"{scope}.beta"]


def standardize(x: tf.Tensor, eps: float) -> tf.Tensor:
    """Zero mean and unit variance over the last axis, before gamma and beta."""
    centered = x - tf.reduce_mean(x, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centered), axis=-1, keepdims=True)
    return centered * tf.math.rsqrt(variance + eps)


def activation(x: tf.Tensor, name: str) -> tf.Tensor:
    """relu, relu6, gelu (erf form) or gelu_new (tanh form)."""
    if name == "relu":
        return tf.nn.relu(x)
    if name == "relu6":
        return tf.nn.relu6(x)
    return tf.nn.gelu(x, approximate=name == "gelu_new")
