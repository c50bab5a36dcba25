"""Keys are centered where the scores could leave float16.

q·(k - v) = q·k - q·v, and q·v is the same for every key of a row: softmax does not see it. With v in the middle
between the least and the greatest value of each channel, the scores lie around zero and their largest is about half of
what a row spans, which is the least that is possible. No other rule can make scores smaller: they belong to the
function. In float arithmetic the key's bias -v costs nothing.
"""

from __future__ import annotations

import numpy as np

from mobilebert_lite.fusion.channels import ChannelRanges
from mobilebert_lite.fusion.plan import Fused

NAME = "center-keys"

# Ranges are those of all positions: scores of padding are computed like all others.
PADDING = True

# Scores that cannot exceed this need nothing: a quarter of 2^16, where float16 ends.
ENOUGH = 2.0 ** 14


def apply(fused: Fused, ranges: ChannelRanges) -> Fused:
    """``ranges`` are those of ``Network.channel_ranges`` for ``fused`` itself.

    Applies unless the mask multiplies the scores: a row then has q·v in some places and not in others.
    """
    if fused.masking.multiplies:
        return fused.refused(NAME, "the mask multiplies the scores")
    tensors = dict(fused.tensors)
    changed = 0
    for block in fused.blocks:
        scope = f"{block.name}.attention"
        if block.heads and score_bound(ranges[f"{scope}.query"], ranges[f"{scope}.key"], block.heads) > ENOUGH:
            low, high = ranges[f"{scope}.key"]
            bias = tensors.get(f"{scope}.key.bias", np.zeros_like(low))
            tensors[f"{scope}.key.bias"] = (bias - (low + high) / 2).astype(low.dtype)
            changed += 1
    if not changed:
        return fused.refused(NAME, f"no score can exceed {ENOUGH:.0f}")
    return fused.changed(NAME, f"keys of {changed} of {len(fused.layers)} blocks centered, whose scores could exceed "
                         f"{ENOUGH:.0f}", tensors)


def score_bound(query: np.ndarray, key: np.ndarray, heads: int) -> float:
    """What no score can exceed: the sum of |q|·|k| over the channels of a head. *Shape:* (2, channels) twice"""
    products = np.abs(query).max(axis=0).astype(np.float64) * np.abs(key).max(axis=0)
    return float(products.reshape(heads, -1).sum(axis=1).max())
