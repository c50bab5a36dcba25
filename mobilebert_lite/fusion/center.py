"""Every channel is brought to the middle of what float16 holds.

GPUs compute in float16, also with the weights of a float32 file. It ends at 65504 = 2^16 and is exact to eleven bits
down to 2^-14; hidden values of a million, as published checkpoints have them, become infinite, and after the softmax
NaN. Where ``channels`` says that a vector c may scale an activation,

    c = 2^round(log2(CENTRE / m)),   CENTRE = 2 = √(2^-14 · 2^16),

for the range m that calibration saw in the channel. What produces the channel and what reads it then have weights of
order one as well, so that they fit float16 too.

Only powers of two: multiplying by them moves the exponent and rounds nothing, so in float32 every output stays the
same bit for bit. A query and its key share what is left of their product, c = 2^round(log2 √(m_key / m_query)).

What cannot be scaled stays: scores and the outputs belong to the function itself, and so does a hidden layer with
gelu. A stretch of blocks that share one vector ends where a channel would leave CENTRE by more than ``MOST_BITS``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mobilebert_lite.fusion.channels import ChannelRanges, ScaleChoice, floored, geometric_mean, scale
from mobilebert_lite.fusion.equalize import balance
from mobilebert_lite.fusion.plan import Fused

NAME = "center"

# Ranges are those of all positions: an infinity at padding reaches every answer, for 0·∞ is NaN.
PADDING = True

CENTRE = 2.0

# Seven of the fifteen bits that lie on either side.
MOST_BITS = 7.0

# A channel that calibration saw near zero is scaled up as if it had this share of the largest: should it speak on
# another text as loudly as that one, it reaches 2^13, still three bits below the end.
SMALLEST = 2.0 ** -12


def apply(fused: Fused, ranges: ChannelRanges) -> Fused:
    """Applies to no_norm networks; ``ranges`` are those of ``Network.channel_ranges`` for ``fused`` itself."""
    if fused.normalizes:
        return fused.refused(NAME, "streams pass through normalizations")
    choice = ScaleChoice(lambda maximum, rows: power_of_two(CENTRE / floored(maximum, SMALLEST)),
                    lambda query, key: power_of_two(balance(query, key)),
                    lambda places: bits_off(places) <= MOST_BITS, profile, last=True)
    scaled, kept = scale(fused, ranges, choice)
    return scaled.changed(NAME, f"channels of {len(fused.layers)} blocks scaled by powers of two, {kept} "
                          "multiplications on the stream between them")


def power_of_two(values: np.ndarray) -> np.ndarray:
    """The powers of two nearest to positive ``values``."""
    nearest: np.ndarray = np.exp2(np.rint(np.log2(values)))
    return nearest


def profile(maxima: Sequence[np.ndarray]) -> np.ndarray:
    """One vector of ranges for several places of a stream: their geometric mean, but none stands above it by more than
    ``MOST_BITS``. Inside a block, where no multiplication is kept, small values lose digits rather than large ones all.
    """
    loudest = np.max([floored(one, SMALLEST) for one in maxima], axis=0)
    found: np.ndarray = np.maximum(floored(geometric_mean(maxima), SMALLEST), loudest / 2 ** MOST_BITS)
    return found


def bits_off(maxima: Sequence[np.ndarray]) -> float:
    """How many powers of two a channel's range lies from the mean, at worst, when one vector serves all these places.
    """
    mean = floored(geometric_mean(maxima), SMALLEST)
    return max(float(np.abs(np.log2(floored(one, SMALLEST) / mean)).max()) for one in maxima)
