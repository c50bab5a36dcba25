"""Where channels may be scaled freely, and the walk over all of these places.

Any positive vector c may scale an activation if what produces it is multiplied and what reads it is divided:

- a residual stream once NoNorm is gone: every dense layer that adds to it ×c, every one that reads it ÷c;
- what query and key read, where they share a bottleneck: that layer ×c, query and key ÷c;
- a value channel: value ×c, the rows of the attention output ÷c, for P(V·diag c) = (PV)·diag c;
- a query/key pair of channels: query ×c, key ÷c, for q·k is a sum over channels;
- a hidden channel of a feed-forward network: ×c before and ÷c after, for relu(cx) = c·relu(x). Of relu6 and gelu this
  is not true (the clamp stays at 6), and their hidden layers stay as they are.

The stream between blocks passes through all of them, and a vector that is right for block 0 can be wrong for block 23:
its steps were divided by the running product of γ. So the blocks are cut into stretches, each with a vector of its
own, and between two stretches stands one multiplication. LayerNorm networks cannot do this to their streams.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mobilebert_lite.architecture.shape import Block
from mobilebert_lite.fusion.algebra import Tensors, absorb, cast, rescale_output
from mobilebert_lite.fusion.plan import Fused
from mobilebert_lite.fusion.stream import head_readers, scale_embedding

# Ranges and rows below this share of the largest count as this much: a channel that calibration saw near zero may
# still speak on other texts.
SMALLEST = 1e-5

# Largest absolute value of each channel of an activation, by its name: [channels].
Maxima = Mapping[str, np.ndarray]
# What the channels of an activation were multiplied by, by its name: [channels].
Gains = dict[str, np.ndarray]
# Least and greatest value of each channel: [2, channels].
ChannelRanges = Mapping[str, np.ndarray]
Serves = Callable[[Sequence[np.ndarray]], bool]


@dataclass(frozen=True)
class ScaleChoice:
    """How a rule chooses c. All vectors are [channels]."""

    # (ranges of an activation, rows of what reads it) → c
    gain: Callable[[np.ndarray, np.ndarray], np.ndarray]
    # (ranges of the query, of the key) → c of the query
    pair: Callable[[np.ndarray, np.ndarray], np.ndarray]
    # Whether one vector serves all of these places of a stream, given their ranges.
    serves: Serves
    # The ranges that stand for all of these places where one vector must do.
    profile: Callable[[Sequence[np.ndarray]], np.ndarray]
    # Whether the last hidden states count as well, which only the head reads.
    last: bool


def scale(fused: Fused, ranges: ChannelRanges, choice: ScaleChoice) -> tuple[Fused, int]:
    """``fused`` with every place scaled, and the number of multiplications this left on the stream between blocks.

    ``ranges`` are those of ``Network.channel_ranges`` for ``fused`` itself, which must be without normalizations.
    """
    maxima = {name: np.abs(ends).max(axis=0) for name, ends in ranges.items()}
    tensors = cast(fused.tensors, np.float64)
    gains: Gains = {}
    stretches = 1
    if fused.config.use_bottleneck:
        for block in fused.blocks:
            gains |= _inner_stream(tensors, block, maxima, choice)
        for layer in fused.attentive:
            gains |= _shared_bottleneck(tensors, layer, maxima, choice)
        vectors = _outer_stream(tensors, maxima, choice, fused)
        gains |= {f"{layer}.stream": vector for layer, vector in zip(fused.layers, vectors, strict=True)}
        stretches = len({id(vector) for vector in vectors})
    for layer in fused.attentive:
        gains |= _attention(tensors, layer, maxima, choice)
    for block in fused.blocks if fused.config.hidden_act == "relu" else ():
        gains |= _hidden(tensors, block, maxima, choice)
    dtype = fused.tensors["embeddings.position"].dtype.type
    scaled = replace(fused.with_tensors(cast(tensors, dtype)),
                     channels={name: (maxima[name], maxima[name] * gain) for name, gain in gains.items()})
    return scaled, stretches - 1


def floored(values: np.ndarray, smallest: float = SMALLEST) -> np.ndarray:
    """``values`` in float64, at least ``smallest`` times the largest of them; ones when all are zero."""
    values = values.astype(np.float64)
    largest = values.max()
    return np.maximum(values, smallest * largest) if largest > 0 else np.ones_like(values)


def row_sizes(tensors: Tensors, readers: Sequence[str], maximum: np.ndarray) -> np.ndarray:
    """How strongly the dense layers that read an activation of range ``maximum`` depend on each of its channels.

    The Euclidean length of each input row, every output column taken in units of its own size: weights have a scale
    per output, so a column's units must not count.
    """
    columns = np.concatenate([tensors[f"{reader}.kernel"] for reader in readers], axis=1)
    sizes = np.linalg.norm(columns * floored(maximum)[:, None], axis=0)
    lengths: np.ndarray = np.linalg.norm(columns / np.maximum(sizes, 1e-30), axis=1)
    return lengths


def geometric_mean(maxima: Sequence[np.ndarray]) -> np.ndarray:
    """Of the ranges of several places, channel by channel."""
    mean: np.ndarray = np.exp(np.mean([np.log(floored(one)) for one in maxima], axis=0))
    return mean


def stretches(maxima: Sequence[np.ndarray], serves: Serves) -> list[tuple[int, int]]:
    """(first, past the last) places that one vector serves, each as long as ``serves`` allows, from the front."""
    found = []
    start = 0
    for end in range(1, len(maxima) + 1):
        if end == len(maxima) or not serves(maxima[start:end + 1]):
            found.append((start, end))
            start = end
    return found


def _move(tensors: Tensors, gain: np.ndarray, producers: Sequence[str], readers: Sequence[str]) -> None:
    for producer in producers:
        rescale_output(tensors, producer, gain)
    for reader in readers:
        absorb(tensors, reader, 1.0 / gain)


def _place(tensors: Tensors, maximum: np.ndarray, choice: ScaleChoice, producers: Sequence[str],
           readers: Sequence[str]) -> np.ndarray:
    gain = choice.gain(maximum, row_sizes(tensors, readers, maximum))
    _move(tensors, gain, producers, readers)
    return gain


def _shared_bottleneck(tensors: Tensors, layer: str, maxima: Maxima, choice: ScaleChoice) -> Gains:
    scope = f"{layer}.bottleneck.attention"
    if scope not in maxima:
        return {}
    readers = [f"{layer}.attention.{part}" for part in ("query", "key")]
    return {scope: _place(tensors, maxima[scope], choice, [scope], readers)}


def _attention(tensors: Tensors, layer: str, maxima: Maxima, choice: ScaleChoice) -> Gains:
    scope = f"{layer}.attention"
    value = _place(tensors, maxima[f"{scope}.value"], choice, [f"{scope}.value"], [f"{scope}.output"])
    gain = choice.pair(maxima[f"{scope}.query"], maxima[f"{scope}.key"])
    rescale_output(tensors, f"{scope}.query", gain)
    rescale_output(tensors, f"{scope}.key", 1.0 / gain)
    return {f"{scope}.value": value, f"{scope}.query": gain, f"{scope}.key": 1.0 / gain}


def _hidden(tensors: Tensors, block: Block, maxima: Maxima, choice: ScaleChoice) -> Gains:
    return {f"{scope}.hidden": _place(tensors, maxima[f"{scope}.hidden"], choice, [f"{scope}.intermediate"],
                                      [f"{scope}.output"]) for scope in block.networks}


def _inner_stream(tensors: Tensors, block: Block, maxima: Maxima, choice: ScaleChoice) -> Gains:
    layer, networks = block.name, block.networks
    places = [*(f"{scope}.inner" for scope in networks), f"{layer}.output.inner"]
    # With TINY the attention reads what the networks read.
    attention = block.bottleneck_readers if "bottleneck.attention" not in block.stream_readers else ()
    readers = [*(f"{scope}.intermediate" for scope in networks), f"{layer}.output",
               *(f"{layer}.{part}" for part in attention)]
    producers = [f"{layer}.bottleneck.input", *[f"{layer}.attention.output"] * (block.heads > 0),
                 *(f"{scope}.output" for scope in networks)]
    gain = _place(tensors, choice.profile([maxima[place] for place in places]), choice, producers, readers)
    return dict.fromkeys(places, gain)


def _outer_stream(tensors: Tensors, maxima: Maxima, choice: ScaleChoice, fused: Fused) -> list[np.ndarray]:
    """Scale the stream between blocks; returns each block's vector, the same object throughout a stretch."""
    readers = {block.name: [f"{block.name}.{part}" for part in block.stream_readers] for block in fused.blocks}
    found = [maxima[f"{layer}.stream"] for layer in fused.layers]
    if choice.last:
        found[-1] = np.maximum(found[-1], maxima["final.stream"])
    vectors: list[np.ndarray] = []
    for start, end in stretches(found, choice.serves):
        within = fused.layers[start:end]
        maximum = choice.profile(found[start:end])
        rows = row_sizes(tensors, [reader for layer in within for reader in readers[layer]], maximum)
        vectors += [choice.gain(maximum, rows)] * len(within)
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
    return vectors
