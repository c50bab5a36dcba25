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

# Digits in which multiples of a unit must agree: they were rounded to float32, which has seven, and are never equal by
# chance in all of their inputs.
_DIGITS = 6
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
    rows = np.vstack([inside, bias]).T
    sizes = np.abs(rows).max(axis=1) if activation == "relu" else np.ones(len(rows))
    first: dict[bytes, int] = {}
    for i, row in enumerate(rows):
        if not read[i].any():
            continue
        unit = row / sizes[i]
        key = (np.round(unit, _DIGITS) + 0.0).tobytes() if activation == "relu" else unit.tobytes()
        kept = first.setdefault(key, i)
        if kept != i:
            read[kept] += read[i] * (sizes[i] / sizes[kept])
    return sorted(i for i in first.values() if read[i].any())
