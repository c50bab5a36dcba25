"""Channels of one tensor are balanced, so that one int8 scale serves them all.

``channels`` says where a vector c may scale an activation. There a channel's range m follows c, the rows w of the
layers that read it follow 1/c. Rounding the activation wants all c·m alike, rounding the weights wants all w/c alike;
c = √(w/m) is the middle (Xiao et al. 2022, arXiv:2211.10438, at α = 0.5). It does not depend on how the channels were
scaled before: two checkpoints that compute the same function in other units become the same network here.

A stretch of blocks that share one vector ends where a block would lose more than ``MOST_BITS`` of resolution against a
vector of its own, on average over the channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mobilebert_lite.fusion.channels import ChannelRanges, ScaleChoice, floored, geometric_mean, scale
from mobilebert_lite.fusion.plan import Fused

NAME = "equalize"

# Ranges are those of tokens: what int8 clips at padding reaches no answer.
PADDING = False

MOST_BITS = 1.0


def apply(fused: Fused, ranges: ChannelRanges, most_bits: float = MOST_BITS) -> Fused:
    """Applies to no_norm networks; ``ranges`` are those of ``Network.channel_ranges`` for ``fused`` itself.

    With ``most_bits`` of infinity one vector serves the whole stream, and no multiplication is left on it.
    """
    if fused.normalizes:
        return fused.refused(NAME, "streams pass through normalizations")
    # What reads the query is the key, and the other way round.
    choice = ScaleChoice(balance, balance, lambda places: bits_lost(places) <= most_bits, geometric_mean, last=False)
    scaled, kept = scale(fused, ranges, choice)
    return scaled.changed(NAME, f"{len(fused.layers)} blocks equalized, {kept} multiplications on the stream between "
                          "them")


def balance(maximum: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """c = √(rows/maximum). *Shape:* (channels,) twice → (channels,)"""
    gain: np.ndarray = np.sqrt(floored(rows) / floored(maximum))
    return gain


def bits_lost(maxima: Sequence[np.ndarray]) -> float:
    """What the worst place loses when one vector brings all of ``maxima`` to one range: mean over the channels of
    log2(range of the tensor / range of the channel)."""
    shape = geometric_mean(maxima)
    scaled = [floored(one) / shape for one in maxima]
    return max(float(np.log2(one.max() / one).mean()) for one in scaled)
