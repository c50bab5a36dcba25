"""The key's bias has no effect.

(q·(k + b)) = q·k + q·b, and q·b is the same for every key of a row: softmax does not see it. With key biases of ±14,
as published checkpoints have, it would widen the range of the keys for nothing.
"""

from __future__ import annotations

import numpy as np

from mobilebert_lite.fusion.plan import Fused

NAME = "drop-key-bias"


def apply(fused: Fused) -> Fused:
    """Applies unless the mask multiplies the scores: a row then has q·b in some places and not in others."""
    if fused.masking.multiplies:
        return fused.refused(NAME, "the mask multiplies the scores")
    names = [f"{layer}.attention.key.bias" for layer in fused.attentive]
    largest = max((float(np.abs(fused.tensors[name]).max()) for name in names), default=0.0)
    kept = {name: tensor for name, tensor in fused.tensors.items() if name not in names}
    return fused.changed(NAME, f"{len(names)} key biases dropped (largest {largest:.3g})", kept)
