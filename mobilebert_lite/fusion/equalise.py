"""Channels of one tensor are brought to one range, so that one int8 scale serves them all.

Any positive vector c may scale an activation if what produces it is multiplied and what reads it is divided:

- a residual stream once NoNorm is gone: every dense layer that adds to it ×c, every one that reads it ÷c;
- a value channel: value ×c, the rows of the attention output ÷c, for P(V·diag c) = (PV)·diag c;
- a query/key pair of channels: query ×c, key ÷c, for q·k is a sum over channels;
- a hidden channel of a feed-forward network: ×c before and ÷c after, for relu(cx) = c·relu(x).

With c = (common range)/(range of the channel), the rounding error of each channel is as small as one scale allows,
whatever reads it. The ranges are measured on calibration texts (cross-layer equalisation, Nagel et al. 2019,
arXiv:1906.04721, applied to residual streams, which LayerNorm networks cannot do).

The stream between blocks passes through all of them, and a vector that is right for block 0 can be wrong for block 23:
its steps were divided by the running product of γ. So the blocks are cut into stretches, each with a vector of its
own, and between two stretches stands one multiplication. A stretch ends where channels would lose more than
``MOST_BITS`` of resolution on average.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mobilebert_lite.fusion.algebra import Tensors, absorb, precise, rescale_output, single
from mobilebert_lite.fusion.plan import Fused

NAME = "equalise"

MOST_BITS = 1.0

# A channel that calibration saw near zero may still speak on other texts: it is not amplified beyond this.
LARGEST_GAIN = 256.0

Maxima = Mapping[str, np.ndarray]


def apply(fused: Fused, maxima: Maxima) -> Fused:
    """Applies to no_norm networks; ``maxima`` are those of ``Network.channel_maxima`` for ``fused`` itself."""
    if any(name.endswith("norm.gamma") for name in fused.tensors):
        return fused.refused(NAME, "streams pass through normalisations")
    tensors = precise(fused.tensors)
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
                         "stream between them", single(tensors))


def gains(maximum: np.ndarray) -> np.ndarray:
    """c for a tensor whose channels reach ``maximum``: all end at the largest of them."""
    largest = maximum.max()
    if largest <= 0:
        return np.ones_like(maximum, np.float64)
    return np.minimum(largest / np.maximum(maximum, largest / LARGEST_GAIN), LARGEST_GAIN).astype(np.float64)


def _attention(tensors: Tensors, layer: str, maxima: Maxima) -> None:
    scope = f"{layer}.attention"
    gain = gains(maxima[f"{scope}.value"])
    rescale_output(tensors, f"{scope}.value", gain)
    absorb(tensors, f"{scope}.output", 1.0 / gain)
    query, key = (np.maximum(maxima[f"{scope}.{part}"].astype(np.float64), 1e-6) for part in ("query", "key"))
    gain = np.sqrt(key / query)
    # A factor common to all channels changes neither tensor's resolution; leave the sizes as they are.
    gain /= np.exp(np.mean(np.log(gain)))
    rescale_output(tensors, f"{scope}.query", gain)
    rescale_output(tensors, f"{scope}.key", 1.0 / gain)


def _hidden(tensors: Tensors, layer: str, maxima: Maxima, fused: Fused) -> None:
    for j in range(fused.config.num_feedforward_networks):
        gain = gains(maxima[f"{layer}.ffn.{j}.hidden"])
        rescale_output(tensors, f"{layer}.ffn.{j}.intermediate", gain)
        absorb(tensors, f"{layer}.ffn.{j}.output", 1.0 / gain)


def _inner_stream(tensors: Tensors, layer: str, maxima: Maxima, fused: Fused) -> None:
    networks = range(fused.config.num_feedforward_networks)
    readers = [*(f"{layer}.ffn.{j}.intermediate" for j in networks), f"{layer}.output"]
    places = [*(f"{layer}.ffn.{j}.inner" for j in networks), f"{layer}.output.inner"]
    if fused.config.use_bottleneck_attention:
        readers += [f"{layer}.attention.{part}" for part in ("query", "key", "value")]
    gain = gains(profile([maxima[place] for place in places]))
    for producer in (f"{layer}.bottleneck.input", f"{layer}.attention.output",
                     *(f"{layer}.ffn.{j}.output" for j in networks)):
        rescale_output(tensors, producer, gain)
    for reader in readers:
        absorb(tensors, reader, 1.0 / gain)


def profile(maxima: Sequence[np.ndarray]) -> np.ndarray:
    """One vector of ranges for several places of a stream: the geometric mean of their shapes."""
    shapes = [np.maximum(one, one.max() / LARGEST_GAIN**2) / max(one.max(), 1e-30) for one in maxima]
    return np.exp(np.mean(np.log(np.maximum(shapes, 1e-12)), axis=0))


def bits_lost(maxima: Sequence[np.ndarray], gain: np.ndarray) -> float:
    """Mean over places and channels of log2(range of the tensor / range of the channel) under ``gain``."""
    lost = []
    for one in maxima:
        scaled = np.maximum(one, one.max() / LARGEST_GAIN**2) * gain
        lost.append(np.log2(scaled.max() / np.maximum(scaled, 1e-30)).mean())
    return float(np.max(lost))


def stretches(maxima: Sequence[np.ndarray]) -> list[tuple[int, int]]:
    """(first, past the last) places that one vector serves, as few as ``MOST_BITS`` allows, from the front."""
    found = []
    start = 0
    for end in range(1, len(maxima) + 1):
        if end == len(maxima):
            found.append((start, end))
        elif bits_lost(part := maxima[start:end + 1], gains(profile(part))) > max(
                MOST_BITS, *(bits_lost([one], gains(one)) for one in part)):
            found.append((start, end))
            start = end
    return found


def _outer_stream(tensors: Tensors, maxima: Maxima, fused: Fused) -> int:
    """Equalise the stream between blocks; returns the number of stretches."""
    places = [maxima[f"{layer}.stream"] for layer in fused.layers]
    vectors: list[np.ndarray] = []
    for start, end in (parts := stretches(places)):
        # Only ratios count inside a stretch, but a jump in size would cost the multiplication nothing, so keep sizes.
        vectors += [gains(profile(places[start:end]))] * (end - start)
    _scale_embedding(tensors, vectors[0])
    for i, layer in enumerate(fused.layers):
        here = vectors[i]
        after = vectors[i + 1] if i + 1 < len(vectors) else here
        for reader in _stream_readers(tensors, layer, fused):
            absorb(tensors, reader, 1.0 / here)
        rescale_output(tensors, f"{layer}.output", after)
        if after is not here:
            name = f"{layer}.output.norm.rescale"
            tensors[name] = tensors.get(name, 1.0) * after / here
    _scale_readers_at_the_end(tensors, vectors[-1])
    return len(parts)


def _scale_embedding(tensors: Tensors, gain: np.ndarray) -> None:
    if "embeddings.projection.kernel" in tensors:
        rescale_output(tensors, "embeddings.projection", gain)
    else:
        tensors["embeddings.word"] = tensors["embeddings.word"] * gain
    for summand in ("position", "token_type", "segment_step"):
        if f"embeddings.{summand}" in tensors:
            tensors[f"embeddings.{summand}"] = tensors[f"embeddings.{summand}"] * gain


def _stream_readers(tensors: Tensors, layer: str, fused: Fused) -> list[str]:
    """Dense layers of a block that read the stream between blocks."""
    readers = [f"{layer}.bottleneck.input"]
    if fused.config.use_bottleneck_attention:
        return readers
    if f"{layer}.bottleneck.attention.kernel" in tensors:
        return [*readers, f"{layer}.bottleneck.attention", f"{layer}.attention.value"]
    return [*readers, *(f"{layer}.attention.{part}" for part in ("query", "key", "value"))]


def _scale_readers_at_the_end(tensors: Tensors, gain: np.ndarray) -> None:
    if "final.gamma" in tensors:
        tensors["final.gamma"] = tensors["final.gamma"] / gain
        return
    for dense in ("pooler", "qa", "mlm.transform", *(() if "pooler.kernel" in tensors else ("classifier", "nsp"))):
        if f"{dense}.kernel" in tensors:
            absorb(tensors, dense, 1.0 / gain)
