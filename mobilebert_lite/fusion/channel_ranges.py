"""What balancing did to the channels, in a few numbers per block: for provenance and `mbl inspect --html`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

# Of the ranges of a tensor's channels. The last one, the loudest channel, decides the scale of a whole int8 tensor.
PERCENTILES = (10, 50, 100)

# More blocks than any MobileBERT has, for files that nobody vouches for.
MOST_LAYERS = 200

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


def summarize(channels: Mapping[str, tuple[np.ndarray, np.ndarray]], layers: int) -> dict[str, Any]:
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


def read(record: Any) -> dict[str, Any]:
    """``channel_ranges`` of a provenance, which anybody may have written: its texts, and ``parts`` in the order of
    PARTS as arrays of numbers that float32 can hold. Empty where it is not as `summarize` writes it.

    *Shape:* each of ``before`` and ``after`` [layers, percentiles]
    """
    try:
        parts = {part: {moment: np.array(record["parts"][part][moment], np.float64) for moment in ("before", "after")}
                 for part in PARTS if part in record["parts"]}
        shapes = {array.shape for one in parts.values() for array in one.values()}
        # Activations are float32: what that cannot hold is no range, and would overflow whoever reckons with it.
        if len(shapes) != 1 or not all((np.abs(array) <= np.finfo(np.float32).max).all()
                                       for one in parts.values() for array in one.values()):
            return {}
        layers, percentiles = shapes.pop()
        if percentiles != len(PERCENTILES) or not 0 < layers <= MOST_LAYERS:
            return {}
        return {"rule": str(record["rule"]), "texts": int(record["texts"]), "length": int(record["length"]),
                "padding": bool(record["padding"]), "parts": parts}
    except (KeyError, TypeError, ValueError, OverflowError):
        return {}


def imbalance(record: Any) -> dict[str, tuple[float, float]]:
    """Part → how many times the loudest channel's range is the median's, before and after: geometric means over the
    blocks, without those whose median is zero or too small for a normal float32."""
    found = {}
    for part, moments in read(record).get("parts", {}).items():
        heard = np.all([one[:, 1:] >= np.finfo(np.float32).tiny for one in moments.values()], axis=(0, 2))
        if heard.any():
            before, after = (float(np.exp(np.diff(np.log(moments[moment][heard, 1:])).mean()))
                             for moment in ("before", "after"))
            found[part] = before, after
    return found


def _percentiles(ranges: np.ndarray) -> list[float]:
    return [float(f"{value:.3g}") for value in np.percentile(ranges, PERCENTILES)]
