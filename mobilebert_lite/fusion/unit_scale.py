"""Vectors of length 1 do not tell how large the hidden states were that they are made of.

The last hidden states h = G⊙s + B of published checkpoints reach 1e7 at [CLS], where float16 ends at 65504, though s
fits once its channels are centered. So G and B are divided by the power of two that is nearest to the largest of them:
the vector stays the same, bit for bit in float32.
"""

from __future__ import annotations

import numpy as np

from mobilebert_lite.fusion.plan import Fused

NAME = "unit-scale"


def apply(fused: Fused) -> Fused:
    """Applies to tasks whose outputs are normalized; comes after the channels have been balanced."""
    if not fused.task.scale_free:
        return fused.refused(NAME, f"the outputs of task {fused.task.name} depend on the size of the hidden states")
    if "final.gamma" not in fused.tensors:
        return fused.refused(NAME, "the last hidden states come from a normalization, which knows no size")
    ends = {name: fused.tensors[name] for name in ("final.gamma", "final.beta")}
    largest = max(float(np.abs(end).max()) for end in ends.values())
    scale = float(2.0 ** -np.rint(np.log2(largest))) if largest > 0 else 1.0
    return fused.changed(NAME, f"the last hidden states times {scale:g}",
                         {**fused.tensors, **{name: end * scale for name, end in ends.items()}})
