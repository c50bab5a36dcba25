"""What balancing did to the channels, in a few numbers per block: for provenance and `mbl inspect --html`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

# Of the ranges of a tensor's channels. The last one, the loudest channel, decides the scale of a whole int8 tensor.
PERCENTILES = (10, 50, 100)

# Part -> the names of its activations inside a block, as `graph` taps them. Places that share a vector, and the hidden
# layers of one block, are taken together.
PARTS = {
    "residual stream": r"stream",
    "residual stream inside blocks": r"ffn\.\d+\.inner|output\.inner",
    "query and key input": r"bottleneck\.attention",
    "queries": r"attention\.query",
    "keys": r"attention\.key",
    "values": r"attention\.value",
    "hidden layers": r"ffn\.\d+\.hidden",
}


def summarise(channels: Mapping[str, tuple[np.ndarray, np.ndarray]], layers: int) -> dict[str, Any]:
    """Part → ``before`` and ``after``: for each block the PERCENTILES of its channels' largest absolute values, three
    digits. Parts that were not scaled are left out.

    *Shape:* per name two [channels] → per part two lists [layers][percentiles]
    """
    found = {}
    for part, pattern in PARTS.items():
        blocks = [[name for name in channels if re.fullmatch(rf"layers\.{layer}\.({pattern})", name)]
                  for layer in range(layers)]
        if all(blocks):
            found[part] = {moment: [_percentiles(np.concatenate([channels[name][i] for name in names]))
                                    for names in blocks] for i, moment in enumerate(("before", "after"))}
    return found


def _percentiles(ranges: np.ndarray) -> list[float]:
    return [float(f"{value:.3g}") for value in np.percentile(ranges, PERCENTILES)]
