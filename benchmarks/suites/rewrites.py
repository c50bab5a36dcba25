"""Other weights for the same function: the channels of every stream scaled apart, and key biases that change nothing.

Published MobileBERTs look like this, checkpoints trained here do not. A NoNorm network lets any positive vector scale
a stream: what produces it is multiplied, what reads it divided. NoNorm itself acts channel by channel, so γ stays
where a stream is scaled on both sides of it, and β is scaled with it.
"""

from __future__ import annotations

import numpy as np

from mobilebert_lite.architecture.weights import Weights, has_projection

Tensors = dict[str, np.ndarray]

# Standard deviation of the logarithm of the scales; how many channels stand out and how far; largest key bias.
SPREAD, OUTLIERS, OUTLIER, KEY_BIAS = 1.0, 4, 20.0, 14.0


def with_outliers(weights: Weights, seed: int, strength: float = 1.0) -> Weights:
    """``weights`` with the stream between blocks, the stream in every block and every key rewritten.

    With a ``strength`` of 1 the channels differ as those of published checkpoints do; with 0 nothing changes.

    The function is the same but for float rounding (arithmetic is float64, rounded once). For no_norm networks with
    bottlenecks. Raises ValueError for others.
    """
    config = weights.config
    if config.normalization_type != "no_norm" or not config.use_bottleneck or config.use_bottleneck_attention:
        raise ValueError("only no_norm networks whose query and key have a bottleneck of their own can be rewritten")
    if not has_projection(config) or "pooler.kernel" in weights.tensors:
        raise ValueError("the embedding needs a projection, and a pooler is not rewritten")
    rng = np.random.default_rng(seed)
    tensors = {name: value.astype(np.float64) for name, value in weights.tensors.items()}
    layers = [f"layers.{i}" for i in range(config.num_hidden_layers)]
    _scale_outer(tensors, layers, scales(rng, config.hidden_size) ** strength)
    for layer in layers:
        _scale_inner(tensors, layer, scales(rng, config.block_size) ** strength, config.num_feedforward_networks)
        tensors[f"{layer}.attention.key.bias"] = strength * rng.uniform(-KEY_BIAS, KEY_BIAS, config.block_size)
    return weights.with_tensors({name: value.astype(np.float32) for name, value in tensors.items()})


def magnified(weights: Weights, gain: float) -> Weights:
    """``weights`` with the stream between blocks ``gain`` times as large, the same function.

    Published checkpoints reach 1e6 there, beyond what float16 holds. For networks as ``with_outliers`` takes them.
    """
    tensors = {name: value.astype(np.float64) for name, value in weights.tensors.items()}
    if not has_projection(weights.config) or "pooler.kernel" in tensors:
        raise ValueError("the embedding needs a projection, and a pooler is not rewritten")
    _scale_outer(tensors, [f"layers.{i}" for i in range(weights.config.num_hidden_layers)],
                 np.full(weights.config.hidden_size, gain))
    return weights.with_tensors({name: value.astype(np.float32) for name, value in tensors.items()})


def scales(rng: np.random.Generator, width: int) -> np.ndarray:
    """Log-normal, a few channels larger by far. *Shape:* → (width,)"""
    values = rng.lognormal(0.0, SPREAD, width)
    values[rng.choice(width, min(OUTLIERS, width // 4), replace=False)] *= OUTLIER
    return values


def _scale_outer(tensors: Tensors, layers: list[str], gain: np.ndarray) -> None:
    for name in ("projection.kernel", "projection.bias", "position", "token_type", "norm.beta"):
        tensors[f"embeddings.{name}"] = tensors[f"embeddings.{name}"] * gain
    for layer in layers:
        for reader in ("bottleneck.input", "bottleneck.attention", "attention.value"):
            tensors[f"{layer}.{reader}.kernel"] = tensors[f"{layer}.{reader}.kernel"] / gain[:, None]
        for name in ("output.kernel", "output.bias", "output.norm.beta"):
            tensors[f"{layer}.{name}"] = tensors[f"{layer}.{name}"] * gain
    for head in ("qa", "classifier"):
        if f"{head}.kernel" in tensors:
            tensors[f"{head}.kernel"] = tensors[f"{head}.kernel"] / gain[:, None]


def _scale_inner(tensors: Tensors, layer: str, gain: np.ndarray, networks: int) -> None:
    """The stream starts at the input bottleneck, whose γ carries the scale as trained networks carry it."""
    for name in ("gamma", "beta"):
        tensors[f"{layer}.bottleneck.input.norm.{name}"] = tensors[f"{layer}.bottleneck.input.norm.{name}"] * gain
    for scope in ("attention", *(f"ffn.{j}" for j in range(networks))):
        for name in ("output.kernel", "output.bias", "norm.beta"):
            tensors[f"{layer}.{scope}.{name}"] = tensors[f"{layer}.{scope}.{name}"] * gain
    for reader in (*(f"ffn.{j}.intermediate" for j in range(networks)), "output"):
        tensors[f"{layer}.{reader}.kernel"] = tensors[f"{layer}.{reader}.kernel"] / gain[:, None]
