"""1/√d goes into the query.

softmax(q·kᵀ/√d) with q = xW + b: (xW + b)/√d = x(W/√d) + b/√d.
"""

from __future__ import annotations

import math
from dataclasses import replace

from mobilebert_lite.fusion.algebra import Tensors
from mobilebert_lite.fusion.plan import Fused

NAME = "fold-query-scale"


def apply(fused: Fused) -> Fused:
    """Always applies."""
    scale = 1.0 / math.sqrt(fused.config.head_size)
    tensors: Tensors = dict(fused.tensors)
    for layer in fused.attentive:
        for part in ("kernel", "bias"):
            tensors[f"{layer}.attention.query.{part}"] = tensors[f"{layer}.attention.query.{part}"] * scale
    return fused.changed(NAME, f"1/√{fused.config.head_size} folded into {len(fused.attentive)} queries", tensors,
                         replace(fused.plan, query_scaled=True))
