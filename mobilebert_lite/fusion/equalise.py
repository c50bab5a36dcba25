"""Channels of one tensor are balanced, so that one int8 scale serves them all.

Any positive vector c may scale an activation if what produces it is multiplied and what reads it is divided:

- a residual stream once NoNorm is gone: every dense layer that adds to it ×c, every one that reads it ÷c;
- a value channel: value ×c, the rows of the attention output ÷c, for P(V·diag c) = (PV)·diag c;
- a query/key pair of channels: query ×c, key ÷c, for q·k is a sum over channels;
- a hidden channel of a feed-forward network: ×c before and ÷c after, for relu(cx) = c·relu(x).

A channel's range m follows c, the rows w of the layers that read it follow 1/c. Rounding the activation wants all
c·m alike, rounding the weights wants all w/c alike; c = √(w/m) is the middle (Xiao et al. 2022, arXiv:2211.10438, at
α = 0.5). It does not depend on how the channels were scaled before: two checkpoints that compute the same function in
other units become the same network here. LayerNorm networks cannot do this to their streams.

The stream between blocks passes through all of them, and a vector that is right for block 0 can be wrong for block 23:
its steps were divided by the running product of γ. So the blocks are cut into stretches, each with a vector of its
own, and between two stretches stands one multiplication. A stretch ends where a block would lose more than
``MOST_BITS`` of resolution against a vector of its own, on average over the channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mobilebert_lite.fusion.algebra import Tensors, absorb, cast, rescale_output
from mobilebert_lite.fusion.plan import Fused
from mobilebert_lite.fusion.stream import head_readers, scale_embedding

NAME = "equalise"

MOST_BITS = 1.0

# Ranges and rows below this share of the largest count as this much: a channel that calibration saw near zero may
# still speak on other texts.
SMALLEST = 1e-5

Maxima = Mapping[str, np.ndarray]


def apply(fused: Fused, maxima: Maxima) -> Fused:
    """Applies to no_norm networks; ``maxima`` are those of ``Network.channel_maxima`` for ``fused`` itself."""
    if any(name.endswith("norm.gamma") for name in fused.tensors):
        return fused.refused(NAME, "streams pass through normalisations")
    tensors = cast(fused.tensors, np.float64)
    stretches = 0
    if fused.config.use_bottleneck:
        for layer in fused.layers:
            _inner_stream(tensors, layer, maxima, fused)
        stretches = _outer_stream(tensors, maxima, fused)
    for layer in fused.layers:
        _attention(tensors, layer, maxima)
        if fused.config.hidden_act == "relu":
            _hidden(tensors, layer, maxima, fused)
    return fused.changed(NAME, f"{len(fused.layers)} blocks equalised, {max(stretches - 1, 0)} multiplications on the "
                         "stream between them", cast(tensors, fused.tensors["embeddings.position"].dtype.type))


def balance(maximum: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """c = √(rows/maximum). *Shape:* (channels,) twice → (channels,)"""
    gain: np.ndarray = np.sqrt(_floored(rows) / _floored(maximum))
    return gain


def _floored(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float64)
    largest = values.max()
    return np.maximum(values, SMALLEST * largest) if largest > 0 else np.ones_like(values)


def row_sizes(tensors: Tensors, readers: Sequence[str], maximum: np.ndarray) -> np.ndarray:
    """How strongly the dense layers that read an activation of range ``maximum`` depend on each of its channels.

    The Euclidean length of each input row, every output column taken in units of its own size: weights have a scale
    per output, so a column's units must not count.
    """
    columns = np.concatenate([tensors[f"{reader}.kernel"] for reader in readers], axis=1)
    sizes = np.linalg.norm(columns * _floored(maximum)[:, None], axis=0)
    lengths: np.ndarray = np.linalg.norm(columns / np.maximum(sizes, 1e-30), axis=1)
    return lengths


def _move(tensors: Tensors, gain: np.ndarray, producers: Sequence[str], readers: Sequence[str]) -> None:
    for producer in producers:
        rescale_output(tensors, producer, gain)
    for reader in readers:
        absorb(tensors, reader, 1.0 / gain)


def _attention(tensors: Tensors, layer: str, maxima: Maxima) -> None:
    scope = f"{layer}.attention"
    readers = [f"{scope}.output"]
    maximum = maxima[f"{scope}.value"]
    _move(tensors, balance(maximum, row_sizes(tensors, readers, maximum)), [f"{scope}.value"], readers)
    # What reads the query is the key, and the other way round.
    gain = balance(maxima[f"{scope}.query"], maxima[f"{scope}.key"])
    rescale_output(tensors, f"{scope}.query", gain)
    rescale_output(tensors, f"{scope}.key", 1.0 / gain)


def _hidden(tensors: Tensors, layer: str, maxima: Maxima, fused: Fused) -> None:
    for j in range(fused.config.num_feedforward_networks):
        readers = [f"{layer}.ffn.{j}.output"]
        maximum = maxima[f"{layer}.ffn.{j}.hidden"]
        gain = balance(maximum, row_sizes(tensors, readers, maximum))
        _move(tensors, gain, [f"{layer}.ffn.{j}.intermediate"], readers)


def _inner_stream(tensors: Tensors, layer: str, maxima: Maxima, fused: Fused) -> None:
    networks = range(fused.config.num_feedforward_networks)
    places = [*(f"{layer}.ffn.{j}.inner" for j in networks), f"{layer}.output.inner"]
    readers = [*(f"{layer}.ffn.{j}.intermediate" for j in networks), f"{layer}.output"]
    if fused.config.use_bottleneck_attention:
        readers += [f"{layer}.attention.{part}" for part in ("query", "key", "value")]
    producers = [f"{layer}.bottleneck.input", f"{layer}.attention.output",
                 *(f"{layer}.ffn.{j}.output" for j in networks)]
    maximum = profile([maxima[place] for place in places])
    _move(tensors, balance(maximum, row_sizes(tensors, readers, maximum)), producers, readers)


def profile(maxima: Sequence[np.ndarray]) -> np.ndarray:
    """One vector of ranges for several places of a stream: their geometric mean."""
    mean: np.ndarray = np.exp(np.mean([np.log(_floored(one)) for one in maxima], axis=0))
    return mean


def bits_lost(maxima: Sequence[np.ndarray]) -> float:
    """What the worst place loses when one vector brings all of ``maxima`` to one range: mean over the channels of
    log2(range of the tensor / range of the channel)."""
    shape = profile(maxima)
    scaled = [_floored(one) / shape for one in maxima]
    return max(float(np.log2(one.max() / one).mean()) for one in scaled)


def stretches(maxima: Sequence[np.ndarray]) -> list[tuple[int, int]]:
    """(first, past the last) places that one vector serves, each as long as ``MOST_BITS`` allows, from the front."""
    found = []
    start = 0
    for end in range(1, len(maxima) + 1):
        if end == len(maxima) or bits_lost(maxima[start:end + 1]) > MOST_BITS:
            found.append((start, end))
            start = end
    return found


def _outer_stream(tensors: Tensors, maxima: Maxima, fused: Fused) -> int:
    """Balance the stream between blocks; returns the number of stretches."""
    readers = {layer: [f"{layer}.{part}" for part in fused.config.stream_readers] for layer in fused.layers}
    parts = stretches([maxima[f"{layer}.stream"] for layer in fused.layers])
    vectors: list[np.ndarray] = []
    for start, end in parts:
        within = fused.layers[start:end]
        maximum = profile([maxima[f"{layer}.stream"] for layer in within])
        rows = row_sizes(tensors, [reader for layer in within for reader in readers[layer]], maximum)
        vectors += [balance(maximum, rows)] * len(within)
    scale_embedding(tensors, vectors[0], fused.config)
    for layer, here, after in zip(fused.layers, vectors, [*vectors[1:], vectors[-1]], strict=True):
        _move(tensors, here, [], readers[layer])
        rescale_output(tensors, f"{layer}.output", after)
        if after is not here:
            name = f"{layer}.output.norm.rescale"
            tensors[name] = tensors.get(name, 1.0) * after / here
    if "final.gamma" in tensors:
        tensors["final.gamma"] = tensors["final.gamma"] / vectors[-1]
    else:
        _move(tensors, vectors[-1], [], head_readers(tensors, fused.task))
    return len(parts)
