"""NoNorm disappears.

NoNorm(x) = γ⊙x + β, without statistics, so the residual network is affine between ReLUs and softmaxes. Write every
residual stream as h = G⊙s + B and compute s alone. A residual step h' = γ⊙(h + d) + β with d = uW + b becomes

    s' = s + d/G,   G' = γ⊙G,   B' = γ⊙B + β,

so the branch's dense layer divides its columns and bias by G, and every dense layer that reads h' takes G' into its
rows and B' into its bias. A NoNorm straight after a dense layer goes into that layer.

Dividing needs G away from zero: where |G| would fall below ``SMALLEST`` (a γ near zero, or the product of many small
ones), the stream is brought back to its own scale by one multiplication, h' = r⊙s + d', which is exact for every γ.
"""

from __future__ import annotations

import numpy as np

from mobilebert_lite.architecture.shape import Block
from mobilebert_lite.fusion.algebra import Tensors, absorb, rescale_output, take_norm
from mobilebert_lite.fusion.plan import Fused
from mobilebert_lite.fusion.stream import head_readers, scale_embedding

NAME = "eliminate-no-norm"

# Relative to the largest of a stream. Published checkpoints reach 1.1e-3 of 12 after 24 blocks; s is 1/G as large, and
# float32 has room for this much without losing the digits of other channels (each channel has its own exponent).
SMALLEST = 1e-6


def apply(fused: Fused) -> Fused:
    """Applies to no_norm networks."""
    config = fused.config
    if config.normalization_type != "no_norm":
        return fused.refused(NAME, f"normalization_type is {config.normalization_type}, which has statistics")
    tensors = dict(fused.tensors)
    before = sum(name.endswith(".gamma") for name in tensors)
    stream = _embedding(tensors, fused)
    resets = 0
    for block in fused.blocks:
        layer = block.name
        if config.use_bottleneck:
            inner = _enter_block(tensors, block, stream, fused)
            inner, kept = _inside_block(tensors, block, inner)
            absorb(tensors, f"{layer}.output", *inner)
            stream, more = _residual(tensors, f"{layer}.output", f"{layer}.output.norm", stream)
            resets += kept + more
        else:
            for reader in block.stream_readers:
                absorb(tensors, f"{layer}.{reader}", *stream)
            stream, kept = _inside_block(tensors, block, stream)
            resets += kept
    _leave(tensors, stream, fused)
    after = sum(name.endswith((".gamma", ".rescale")) for name in tensors)
    return fused.changed(NAME, f"{before - after} of {before} normalizations folded, {resets} kept as a multiplication",
                         tensors)


Stream = tuple[np.ndarray, np.ndarray]


def _embedding(tensors: Tensors, fused: Fused) -> Stream:
    """γ and β of the embedding go into its three summands, so the stream starts as h itself."""
    gamma, beta = take_norm(tensors, "embeddings.norm")
    scale_embedding(tensors, gamma, fused.config)
    tensors["embeddings.position"] = tensors["embeddings.position"] + beta
    return np.ones_like(gamma), np.zeros_like(beta)


def _enter_block(tensors: Tensors, block: Block, stream: Stream, fused: Fused) -> Stream:
    """The dense layers that read the stream between blocks; the block's own stream starts as h itself."""
    gain, shift = stream
    for part in block.stream_readers:
        reader = f"{block.name}.{part}"
        absorb(tensors, reader, gain, shift)
        if f"{reader}.norm.gamma" in tensors:
            rescale_output(tensors, reader, *take_norm(tensors, f"{reader}.norm"))
    # transformers stores this one for TINY, where nothing reads it.
    for part in ("kernel", "bias", "norm.gamma", "norm.beta") if fused.config.use_bottleneck_attention else ():
        tensors.pop(f"{block.name}.bottleneck.attention.{part}", None)
    return np.ones(block.width), np.zeros(block.width)


def _inside_block(tensors: Tensors, block: Block, stream: Stream) -> tuple[Stream, int]:
    """Attention and feed-forward networks with their residuals."""
    resets = 0
    if block.heads:
        scope = f"{block.name}.attention"
        stream, resets = _residual(tensors, f"{scope}.output", f"{scope}.norm", stream)
    for scope in block.networks:
        absorb(tensors, f"{scope}.intermediate", *stream)
        stream, more = _residual(tensors, f"{scope}.output", f"{scope}.norm", stream)
        resets += more
    return stream, resets


def _residual(tensors: Tensors, dense: str, norm: str, stream: Stream) -> tuple[Stream, int]:
    """One residual step; returns the new stream and whether a multiplication was kept."""
    gain, shift = stream
    gamma, beta = take_norm(tensors, norm)
    new_gain, new_shift = gamma * gain, gamma * shift + beta
    if np.abs(new_gain).min() >= SMALLEST * np.abs(new_gain).max() > 0:
        rescale_output(tensors, dense, 1.0 / gain)
        return (new_gain, new_shift), 0
    # s' = h' - B' = (γG)⊙s + γ⊙d
    tensors[f"{norm}.rescale"] = new_gain
    rescale_output(tensors, dense, gamma)
    return (np.ones_like(gain), new_shift), 1


def _leave(tensors: Tensors, stream: Stream, fused: Fused) -> None:
    """What reads the last hidden states: heads absorb; tasks that show them get h back by one NoNorm."""
    if fused.task.shows_hidden:
        tensors["final.gamma"], tensors["final.beta"] = stream
        return
    for dense in head_readers(tensors, fused.task):
        absorb(tensors, dense, *stream)
