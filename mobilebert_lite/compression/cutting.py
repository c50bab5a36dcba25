"""A network without some of its heads, hidden units and blocks: the same function as with zeros in their place.

A step of a residual stream whose branch is gone, h' = γ⊙(h + b) + β, is affine without normalization, and nothing else
reads h. It goes into the γ₀ and β₀ that h came from: γ₀ ← γ⊙γ₀, β₀ ← γ⊙(β₀ + b) + β.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.shape import BlockShape
from mobilebert_lite.architecture.weights import Weights, checked
from mobilebert_lite.errors import RequestError

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Kept:
    """What stays of a block.

    heads: numbers of its attention heads; none: it has no attention.
    units: numbers of the hidden units of each of its feed-forward networks; of none, the network is left out.
    whole: whether the block is there at all.
    """

    heads: tuple[int, ...]
    units: tuple[tuple[int, ...], ...]
    whole: bool = True

    def columns(self, head_size: int) -> np.ndarray:
        """Channels of queries, keys and values that stay. *Shape:* int [channels]"""
        return np.concatenate([np.arange(i * head_size, (i + 1) * head_size) for i in self.heads]
                              or [np.zeros(0, int)])


def everything(config: MobileBertConfig) -> list[Kept]:
    """All of a network."""
    return [Kept(tuple(range(block.heads)), tuple(tuple(range(units)) for units in block.feed_forward))
            for block in config.blocks]


def cut(weights: Weights, kept: Sequence[Kept], fitted: Mapping[str, np.ndarray] | None = None) -> Weights:
    """``weights`` with what is ``kept`` of each block.

    ``fitted`` are kernels and biases that take the place of the old ones, by their old names and of what is kept.
    Raises RequestError where nothing is left, or a step cannot go because it is normalized.
    """
    work = _Cutter(weights, {**weights.tensors, **narrowed(weights, kept), **(fitted or {})})
    for block, stays in zip(weights.config.blocks, kept, strict=True):
        work.take(block.name, stays)
    if not work.shapes:
        raise RequestError("no block would be left of the network; ask for less")
    return checked(weights.config.with_shapes(work.shapes), work.tensors, weights.source)


def narrowed(weights: Weights, kept: Sequence[Kept]) -> Tensors:
    """Kernels and biases of what is ``kept``, by their old names."""
    found: Tensors = {}
    old = weights.tensors
    for block, stays in zip(weights.config.blocks, kept, strict=True):
        columns = stays.columns(block.head_size)
        if stays.heads:
            for part in ("query", "key", "value"):
                for kind in ("kernel", "bias"):
                    found[f"{block.name}.attention.{part}.{kind}"] = old[
                        f"{block.name}.attention.{part}.{kind}"][..., columns]
            found[f"{block.name}.attention.output.kernel"] = old[f"{block.name}.attention.output.kernel"][columns]
        for scope, units in zip(block.networks, stays.units, strict=True):
            chosen = list(units)
            for kind in ("kernel", "bias"):
                found[f"{scope}.intermediate.{kind}"] = old[f"{scope}.intermediate.{kind}"][..., chosen]
            found[f"{scope}.output.kernel"] = old[f"{scope}.output.kernel"][chosen]
    return found


class _Cutter:
    """Blocks into a new network, one after the other."""

    def __init__(self, weights: Weights, tensors: Mapping[str, np.ndarray]) -> None:
        self.config, self.old = weights.config, tensors
        self.tensors: Tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("layers.")}
        self.shapes: list[BlockShape] = []
        # The normalization that the stream between blocks comes from.
        self.stream = "embeddings.norm"

    def take(self, name: str, stays: Kept) -> None:
        """The block ``name``."""
        if not stays.whole:
            self._fold(self.stream, f"{name}.output.norm", f"{name}.output.bias")
            return
        new = f"layers.{len(self.shapes)}"
        bottleneck = self.config.use_bottleneck
        if bottleneck:
            self._copy(f"{name}.bottleneck.input.", f"{new}.bottleneck.input.")
        inner = f"{new}.bottleneck.input.norm" if bottleneck else self.stream
        inner = self._step(inner, f"{name}.attention", f"{new}.attention", bool(stays.heads))
        if stays.heads:
            self._copy(f"{name}.bottleneck.attention.", f"{new}.bottleneck.attention.")
        shape = BlockShape(len(stays.heads), tuple(len(units) for units in stays.units if units))
        for j, units in enumerate(stays.units):
            place = sum(bool(before) for before in stays.units[:j])
            inner = self._step(inner, f"{name}.ffn.{j}", f"{new}.ffn.{place}", bool(units))
        if bottleneck:
            self._copy(f"{name}.output.", f"{new}.output.")
        self.stream = f"{new}.output.norm" if bottleneck else inner
        if bottleneck or shape.heads or shape.feed_forward:
            self.shapes.append(shape)

    def _step(self, stream: str, old: str, new: str, stays: bool) -> str:
        """A step of the stream that comes from ``stream``; returns the normalization that it comes from then."""
        if f"{old}.norm.gamma" not in self.old:
            return stream
        if not stays:
            self._fold(stream, f"{old}.norm", f"{old}.output.bias")
            return stream
        self._copy(f"{old}.", f"{new}.")
        return f"{new}.norm"

    def _fold(self, stream: str, norm: str, bias: str) -> None:
        if self.config.normalization_type != "no_norm":
            raise RequestError(f"{norm.removesuffix('.norm')} cannot be left out whole: what it adds to passes through "
                               "a normalization")
        gamma, beta = (self.old[f"{norm}.{kind}"].astype(np.float64) for kind in ("gamma", "beta"))
        before = self.tensors[f"{stream}.beta"] + self.old[bias].astype(np.float64)
        self.tensors[f"{stream}.beta"] = gamma * before + beta
        self.tensors[f"{stream}.gamma"] = gamma * self.tensors[f"{stream}.gamma"]

    def _copy(self, old: str, new: str) -> None:
        self.tensors |= {new + name.removeprefix(old): tensor for name, tensor in self.old.items()
                         if name.startswith(old)}
