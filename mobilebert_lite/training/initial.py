"""Where training starts: new weights from a seed, more layers from fewer, a new head on a checkpoint.

A residual network without normalization has nothing that keeps its activations in bounds, so it must start near the
identity: every branch ends in a kernel that is smaller by the root of the number of branches (Zhang et al. 2019,
"Fixup", arXiv:1901.09321, section 2; as GPT-2's initialization), so that the variance at the end of the stream is
that of its beginning times a constant, however deep the network. All gammas start at 1, betas and biases at 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.heads import HEADS
from mobilebert_lite.architecture.weights import Weights, checked, tensor_table

_LAYER = re.compile(r"layers\.(\d+)\.(.*)")
# Of the word table and of positions and segments, which are added to it.
_WORD, _PLACE = 0.5, 0.05
# Of a head on a trained encoder, as initializer_range of BERT.
_HEAD = 0.02


def initial(config: MobileBertConfig, heads: Mapping[str, int], seed: int, pooler: bool = False) -> Weights:
    """Seeded weights to train from."""
    rng = np.random.default_rng([seed, 0])
    branches = sum(len(one.feed_forward) + (one.heads > 0) + config.use_bottleneck for one in config.blocks)
    tensors = {}
    for name, spec in tensor_table(config, heads, pooler).items():
        kind = name.rsplit(".", 1)[-1]
        if kind == "kernel":
            gain = 1 / np.sqrt(branches) if name.endswith("output.kernel") else 1.0
            value = rng.normal(0, gain / np.sqrt(spec.shape[0]), spec.shape)
        elif kind in ("gamma", "beta", "bias"):
            value = np.full(spec.shape, float(kind == "gamma"))
        else:
            value = rng.normal(0, _WORD if kind == "word" else _PLACE, spec.shape)
        tensors[name] = value
    # The trigram carries [PAD]'s vector into the last real token; a zero says "nothing there".
    tensors["embeddings.word"][config.pad_token_id] = 0
    return checked(config, tensors)


def stacked(tensors: Mapping[str, np.ndarray], config: MobileBertConfig, fill: str = "copy") -> dict[str, np.ndarray]:
    """``tensors`` of fewer layers as those of ``config``, which compute the same function.

    Progressive stacking (Gong et al. 2019, "Efficient training of BERT by progressively stacking"): layer i of the new
    ones begins as a copy of layer i modulo the old number. Without normalization a plain copy would add its branches
    twice; so its last kernel is zero and its last NoNorm the identity: the block passes its input on until it learns.
    ``fill="zero"``: zeros in place of copies, for the optimizer's means.
    """
    layers = 1 + max(int(match[1]) for match in map(_LAYER.match, tensors) if match)
    silent = _silencers(config)
    grown = {}
    for name, tensor in tensors.items():
        match = _LAYER.match(name)
        if not match:
            grown[name] = tensor
            continue
        for i in range(int(match[1]), config.num_hidden_layers, layers):
            copy = np.zeros_like(tensor) if fill == "zero" else silent.get(match[2], np.asarray)(tensor)
            grown[f"layers.{i}.{match[2]}"] = tensor if i < layers else copy
    return {name: grown[name] for name in _sorted(grown)}


def _silencers(config: MobileBertConfig) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Name within a block -> what to make of the tensor, so that the block passes its input on.

    With LayerNorm nothing does: a block is copied as it is.
    """
    if config.normalization_type == "layer_norm":
        return {}
    # Every residual branch of the block itself, or the one around the bottleneck.
    branches = {"output": "output.norm"} if config.use_bottleneck else {
        "attention.output": "attention.norm",
        **{f"ffn.{j}.output": f"ffn.{j}.norm" for j in range(config.num_feedforward_networks)}}
    return {name: change for branch, norm in branches.items() for name, change in (
        (f"{branch}.kernel", np.zeros_like), (f"{branch}.bias", np.zeros_like),
        (f"{norm}.gamma", np.ones_like), (f"{norm}.beta", np.zeros_like))}


def _sorted(names: Mapping[str, np.ndarray]) -> list[str]:
    def key(name: str) -> tuple[int, int]:
        match = _LAYER.match(name)
        group = 0 if name.startswith("embeddings.") else 1 if match else 2
        return group, int(match[1]) if match else 0

    return sorted(names, key=key)


def head_of(weights: Weights, head: str, outputs: int) -> dict[str, np.ndarray] | None:
    """The tensors of ``head`` in ``weights``; None where they have none of ``outputs``, or not all of it."""
    names = _head_table(weights.config, head, outputs, "mlm.word" in weights.tensors)
    fits = all(name in weights.tensors and weights.tensors[name].shape == shape for name, shape in names.items())
    return {name: weights.tensors[name] for name in names} if fits else None


def with_head(weights: Weights, head: str, outputs: int, seed: int, fresh: bool, *, pooler: bool) -> Weights:
    """``weights`` with ``head`` alone: their own, or a new one of ``outputs`` where they have none or ``fresh``.

    ``pooler``: whether the head reads the pooler, where the checkpoint has one.
    """
    others = tuple(f"{name}." for name in HEADS) + (() if pooler else ("pooler.",))
    tensors = {name: tensor for name, tensor in weights.tensors.items() if not name.startswith(others)}
    own = None if fresh else head_of(weights, head, outputs)
    tensors |= own if own is not None else _new_head(weights.config, head, outputs, seed)
    # Where the configuration asks for a pooler, transformers would make one up.
    config = replace(weights.config, classifier_activation="pooler.kernel" in tensors)
    return checked(config, tensors, weights.source)


def _head_table(config: MobileBertConfig, head: str, outputs: int, untied: bool = False) -> dict[str, tuple[int, ...]]:
    """Name of each tensor of ``head`` → its shape."""
    network = tensor_table(config)
    return {name: spec.shape for name, spec in tensor_table(config, {head: outputs}, untied=untied).items()
            if name not in network}


def _new_head(config: MobileBertConfig, head: str, outputs: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([seed, 0])
    tensors = {}
    for name, shape in _head_table(config, head, outputs).items():
        kind = name.rsplit(".", 1)[-1]
        value = (np.full(shape, float(kind == "gamma")) if kind in ("gamma", "beta", "bias") else
                 rng.normal(0, _HEAD, shape))
        tensors[name] = value.astype(np.float32)
    return tensors
