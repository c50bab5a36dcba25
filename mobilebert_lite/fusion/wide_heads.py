"""Attention heads become rows, so that all heads of a block are one product, and keys need no layer of their own.

The scores of head h are (x·Q_h + q_h)·(x·K_h)ᵀ = (x·Q_h·K_hᵀ + q_h·K_hᵀ)·xᵀ. So one dense layer that holds Q_h·K_hᵀ of
every head gives rows that meet x itself. Where keys have a bias that counts, or read something else or something wide,
the layer holds Q with the channels of all heads but one zeroed: those rows meet x·K.

The probabilities of a row times all of V hold what its head wants in the channels of that head; the output layer reads
those alone when its kernel is repeated for each head, with the rows of the other heads zeroed.

Transposes, reshapes and one product for each head disappear; the products have as many more channels as there are
heads. That pays on NPUs, whose time goes by operators, and costs on CPUs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mobilebert_lite.architecture.shape import Block
from mobilebert_lite.fusion.plan import Fused

NAME = "wide-heads"


def apply(fused: Fused) -> Fused:
    """Applies to files with one sequence: rows are positions and heads, and nothing else.

    Comes last, for the other rules know these layers by their shapes.
    """
    if fused.task.form.choices:
        return fused.refused(NAME, "a file for several choices has several sequences")
    tensors, folded = dict(fused.tensors), 0
    blocks = [block for block in fused.blocks if block.heads]
    for block in blocks:
        # [heads, attention]: 1 where a channel belongs to a head.
        own = np.repeat(np.eye(block.heads), block.head_size, axis=1)
        query, output = f"{block.name}.attention.query", f"{block.name}.attention.output.kernel"
        folds = _folds(tensors, block)
        keys = tensors.pop(f"{block.name}.attention.key.kernel").T if folds else np.eye(block.attention_size)
        folded += folds
        for name in (f"{query}.kernel", f"{query}.bias"):
            if name in tensors:
                wide = (tensors[name][..., np.newaxis, :] * own) @ keys
                tensors[name] = wide.reshape(*tensors[name].shape[:-1], own.size)
        tensors[output] = (tensors[output] * own[:, :, np.newaxis]).reshape(own.size, -1)
    return fused.changed(NAME, f"{sum(block.heads for block in blocks)} heads of {len(blocks)} blocks are rows of "
                         f"products; {folded} layers of keys folded", tensors, replace(fused.plan, rows=True))


def _folds(tensors: Mapping[str, np.ndarray], block: Block) -> bool:
    """Whether the keys of a block read what its queries read, as many channels as they have, and have no bias."""
    kernel = tensors[f"{block.name}.attention.key.kernel"]
    return ({"attention.query", "attention.key"} <= set(block.bottleneck_readers)
            and kernel.shape[0] == kernel.shape[1] and f"{block.name}.attention.key.bias" not in tensors)
