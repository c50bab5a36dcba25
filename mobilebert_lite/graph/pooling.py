"""One vector of the vectors of a text's tokens."""

from __future__ import annotations

from mobilebert_lite.architecture.pooling import CLS, MEAN
from mobilebert_lite.common.tf import tf
from mobilebert_lite.graph.embeddings import lookup

# Below it a vector counts as zero: the smallest number of float16.
_SMALLEST = 2.0 ** -24


def pool_tokens(x: tf.Tensor, mask: tf.Tensor, mode: str, tabulated: bool = False) -> tf.Tensor:
    """``x`` of the tokens as one row; padding has no part in it. ``mode`` is one of pooling.POOLINGS.

    ``tabulated`` as in ``masking.make_mask``. *Shape:* (batch, seq, hidden), int32 (batch, seq) → (batch, 1, hidden)
    """
    with tf.name_scope("pooling"):
        if mode == CLS:
            return x if x.shape[1] == 1 else tf.slice(x, [0, 0, 0], [x.shape[0] or -1, 1, x.shape[2]])
        return _mean(x, mask, tabulated) if mode == MEAN else _greatest(x, mask, tabulated)


def _mean(x: tf.Tensor, mask: tf.Tensor, tabulated: bool) -> tf.Tensor:
    """A product with shares that add up to 1: no sum on the way is greater than the greatest value, so that float16
    holds it wherever it holds ``x``."""
    seq, width = x.shape[1], x.shape[2]
    keep = tf.reshape(_keep(mask, x.dtype, tabulated), [-1, 1, 1, seq])
    if tabulated:
        shares = tf.constant([[1.0 / max(count, 1)] for count in range(seq + 1)], x.dtype)
        share = tf.reshape(tf.gather(shares, tf.reduce_sum(mask, axis=1)), [-1, 1, 1, 1])
        weights = keep * share
    else:
        weights = keep / tf.reduce_sum(keep, axis=-1, keepdims=True)
    return tf.reshape(tf.matmul(weights, tf.reshape(x, [-1, 1, seq, width])), [-1, 1, width])


def _greatest(x: tf.Tensor, mask: tf.Tensor, tabulated: bool) -> tf.Tensor:
    """The vector of [CLS], which is a token, stands in for padding: a constant below all values would have to fit the
    range of each number format."""
    keep = tf.reshape(_keep(mask, x.dtype, tabulated), [-1, x.shape[1], 1])
    first = tf.slice(x, [0, 0, 0], [x.shape[0] or -1, 1, x.shape[2]])
    x = x * keep + first * (1.0 - keep)
    if not tabulated:
        return tf.reduce_max(x, axis=1, keepdims=True)
    # The quantizer leaves REDUCE_MAX in float.
    seq, width = x.shape[1], x.shape[2]
    pooled = tf.nn.max_pool2d(tf.reshape(x, [-1, seq, 1, width]), [seq, 1], [1, 1], "VALID")
    return tf.reshape(pooled, [-1, 1, width])


def _keep(mask: tf.Tensor, dtype: tf.DType, tabulated: bool) -> tf.Tensor:
    """1 for tokens, 0 for padding. *Shape:* (batch, seq) → (batch, seq), or (batch, seq, 1) where it is tabulated"""
    return lookup(tf.constant([[0.0], [1.0]], dtype), mask) if tabulated else tf.cast(mask, dtype)


def unit_length(x: tf.Tensor) -> tf.Tensor:
    """``x`` divided by its length; zeros stay zeros. *Shape:* (batch, width) → the same

    By its greatest value first: the squares of a float16 end at 255.
    """
    with tf.name_scope("unit_length"):
        x = x / tf.maximum(tf.reduce_max(tf.abs(x), axis=-1, keepdims=True), _SMALLEST)
        # 1 or more, but for zeros.
        return x * tf.math.rsqrt(tf.maximum(tf.reduce_sum(x * x, axis=-1, keepdims=True), 0.5))
