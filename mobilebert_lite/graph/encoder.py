"""The stack of blocks."""

from __future__ import annotations

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.shape import Block
from mobilebert_lite.common.tf import tf
from mobilebert_lite.fusion.plan import FusionPlan
from mobilebert_lite.graph.attention import attend, attend_rows
from mobilebert_lite.graph.embeddings import embed
from mobilebert_lite.graph.masking import Mask, make_mask
from mobilebert_lite.graph.ops import Tap, Tensors, activation, dense, norm, project, untapped


def encode(tensors: Tensors, config: MobileBertConfig, ids: tf.Tensor, mask: tf.Tensor, segment_ids: tf.Tensor,
           *, masking: Masking | None = None, plan: FusionPlan | None = None, tap: Tap = untapped) -> tf.Tensor:
    """The encoder's last hidden states; with ``plan.cls_only`` those of position 0 alone.

    *Shape:* int32 (batch, seq) three times → float32 (batch, seq or 1, hidden)
    """
    plan = plan or FusionPlan()
    x = embed(tensors, config, ids, segment_ids)
    if plan.rows:
        x = tf.reshape(x, [x.shape[1], x.shape[2]])
    padding = make_mask(mask, masking or Masking(), x.dtype, plan.tabulated, plan.rows)
    blocks = config.blocks
    for one in blocks:
        x = tap(f"{one.name}.stream", x)
        x = draw_block(tensors, one, config, x, padding, plan=plan, tap=tap,
                       first_row=plan.cls_only and one is blocks[-1])
    x = norm(tensors, "final", tap("final.stream", x), config)
    return tf.reshape(x, [1, *x.shape]) if plan.rows else x


def draw_block(tensors: Tensors, block: Block, config: MobileBertConfig, x: tf.Tensor, mask: Mask, *,
               plan: FusionPlan, tap: Tap = untapped, first_row: bool = False) -> tf.Tensor:
    """One block. *Shape:* (batch, seq, hidden) → (batch, seq, hidden), or (batch, 1, hidden) with ``first_row``"""
    scope = block.name
    read = project(tensors, block, block.stream_readers, x, config)
    inner = read.get("bottleneck.input", x)
    shared = inner
    if "bottleneck.attention" in read:
        shared = tap(f"{scope}.bottleneck.attention", read["bottleneck.attention"])
    read |= project(tensors, block, block.bottleneck_readers, shared, config)
    if first_row:
        x, inner = _first_row(x), _first_row(inner)
    if block.heads:
        query, value = read["attention.query"], read["attention.value"]
        key = read.get("attention.key", shared)  # it is folded into the queries (fusion.wide_heads)
        if first_row:
            query = _first_row(query)
        if plan.rows:
            attended = attend_rows(tensors, block, query, key, value=value, mask=mask, plan=plan)
        else:
            attended = attend(tensors, block, query, key, value=value, mask=mask, plan=plan, tap=tap)
        attended = tap(f"{scope}.attention.branch", attended)
        inner = residual(tensors, f"{scope}.attention.norm", attended, inner, config)
    for network in block.networks:
        inner = feed_forward(tensors, network, config, tap(f"{network}.inner", inner), tap)
    if not config.use_bottleneck:
        return inner
    inner = tap(f"{scope}.output.inner", inner)
    branch = tap(f"{scope}.output.branch", dense(tensors, f"{scope}.output", inner))
    return residual(tensors, f"{scope}.output.norm", branch, x, config)


def residual(tensors: Tensors, scope: str, branch: tf.Tensor, stream: tf.Tensor,
             config: MobileBertConfig) -> tf.Tensor:
    """norm(branch + stream), the stream rescaled first where fusion asks for it."""
    rescale = tensors.get(f"{scope}.rescale")
    with tf.name_scope(f"{scope.removesuffix('.norm')}.residual"):
        summed = branch + (stream if rescale is None else stream * rescale)
    return norm(tensors, scope, summed, config)


def feed_forward(tensors: Tensors, scope: str, config: MobileBertConfig, x: tf.Tensor,
                 tap: Tap = untapped) -> tf.Tensor:
    """One feed-forward network with its residual. *Shape:* (batch, seq, block) → (batch, seq, block)"""
    hidden = tap(f"{scope}.hidden", activation(dense(tensors, f"{scope}.intermediate", x), config.hidden_act))
    branch = tap(f"{scope}.branch", dense(tensors, f"{scope}.output", hidden))
    return residual(tensors, f"{scope}.norm", branch, x, config)


def _first_row(x: tf.Tensor) -> tf.Tensor:
    """*Shape:* ([batch,] seq, channels) → ([batch,] 1, channels)"""
    if len(x.shape) == 2:
        return tf.slice(x, [0, 0], [1, x.shape[1]])
    return tf.slice(x, [0, 0, 0], [x.shape[0] or -1, 1, x.shape[2]])
