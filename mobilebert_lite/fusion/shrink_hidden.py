"""Hidden units that say nothing of their own go away.

A hidden unit of a feed-forward network is act(x·w + b), and adds act(x·w + b)·u to the output. It can go

- where w is zero: it is the constant act(b), and act(b)·u belongs into the output's bias;
- where u is zero: nothing reads it;
- where another unit has the same w and b: one of them stays, with the sum of both u. For relu a multiple serves as
  well: relu(c·a) = c·relu(a) for c > 0.

Trained networks have few of these; networks that were pruned with zeros, or grown from smaller ones, have many.
"""

from __future__ import annotations

from dataclasses import replace
from math import erf, sqrt, tanh

import numpy as np

from mobilebert_lite.architecture.shape import BlockShape
from mobilebert_lite.fusion.algebra import Tensors
from mobilebert_lite.fusion.plan import Fused

NAME = "shrink-hidden"

# How far multiples of a unit may differ, as a share of its greatest weight: float32 has rounded them, to 2^-24.
_ROUNDING = 2.0 ** -22
_SCALAR = {
    "relu": lambda x: max(x, 0.0), "relu6": lambda x: min(max(x, 0.0), 6.0),
    "gelu": lambda x: x * (1 + erf(x / sqrt(2))) / 2,
    "gelu_new": lambda x: x * (1 + tanh(sqrt(2 / np.pi) * (x + 0.044715 * x ** 3))) / 2}


def apply(fused: Fused) -> Fused:
    """Applies where a network has such units; one unit stays in any case, for a network cannot have none."""
    tensors = dict(fused.tensors)
    shapes, before, after = [], 0, 0
    for block in fused.blocks:
        widths = tuple(_shrink(tensors, scope, fused.config.hidden_act) for scope in block.networks)
        shapes.append(BlockShape(block.heads, widths))
        before, after = before + sum(block.feed_forward), after + sum(widths)
    if before == after:
        return fused.refused(NAME, "every hidden unit says something of its own")
    smaller = replace(fused, config=fused.config.with_shapes(shapes))
    return smaller.changed(NAME, f"{before - after} of {before} hidden units were constant, unread or duplicates",
                           tensors)


def _shrink(tensors: Tensors, scope: str, activation: str) -> int:
    """Change the network ``scope`` in place; returns how many units it has then."""
    inside, bias = tensors[f"{scope}.intermediate.kernel"], tensors[f"{scope}.intermediate.bias"]
    read = tensors[f"{scope}.output.kernel"].copy()
    constant = ~inside.any(axis=0)
    says = np.array([_SCALAR[activation](float(one)) for one in bias[constant]])
    if constant.any():
        tensors[f"{scope}.output.bias"] = tensors[f"{scope}.output.bias"] + says @ read[constant]
        read[constant] = 0
    stays = _merged(inside, bias, read, activation)
    if not stays:
        stays = [0]
        read[0] = 0
    if len(stays) < len(read):
        tensors[f"{scope}.intermediate.kernel"], tensors[f"{scope}.intermediate.bias"] = inside[:, stays], bias[stays]
        tensors[f"{scope}.output.kernel"] = read[stays]
    return len(stays)


def _merged(inside: np.ndarray, bias: np.ndarray, read: np.ndarray, activation: str) -> list[int]:
    """The units that stay. What duplicates are read with is added to the first of them in ``read``, in place."""
    said = np.flatnonzero(read.any(axis=1))
    rows = np.vstack([inside, bias]).T[said]
    sizes = np.abs(rows).max(axis=1) if activation == "relu" else np.ones(len(rows))
    for i, first in enumerate(_firsts(rows / sizes[:, None], _ROUNDING if activation == "relu" else 0.0)):
        if first != i:
            read[said[first]] += read[said[i]] * (sizes[i] / sizes[first])
            read[said[i]] = 0
    return [int(i) for i in said if read[i].any()]


def _firsts(units: np.ndarray, tolerance: float) -> list[int]:
    """For each row the first that is the same within ``tolerance``: only rows that are near in one direction can be."""
    direction = np.random.default_rng(0).normal(size=units.shape[1])
    along, most = units @ direction, tolerance * float(np.abs(direction).sum()) + 1e-12
    found = list(range(len(units)))
    order = np.lexsort((np.arange(len(units)), along))
    for place, i in enumerate(order):
        for j in order[place + 1:]:
            if along[j] - along[i] > most:
                break
            if found[i] != found[j] and np.abs(units[i] - units[j]).max() <= tolerance:
                one, other = found[i], found[j]
                found = [min(one, other) if each in (one, other) else each for each in found]
    return found
