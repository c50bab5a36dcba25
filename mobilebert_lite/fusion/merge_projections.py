"""Dense layers that read the same activation become one.

[xA + a | xB + b] = x[A | B] + [a | b]. The input is read, and in dynamic int8 quantized, once instead of two or three
times. The merged layer is called after its parts, ``layers.0.attention.query-attention.key``; what it gives is cut
apart again by slices (``graph.ops.project``).

A merged layer has one scale for all it gives, so recipes that quantize these outputs switch the rule off.
"""

from __future__ import annotations

import numpy as np

from mobilebert_lite.architecture.weights import merged_name
from mobilebert_lite.fusion.algebra import Tensors
from mobilebert_lite.fusion.plan import Fused

NAME = "merge-projections"


def apply(fused: Fused) -> Fused:
    """Applies to layers without a normalization of their own; comes last, for other rules look for the parts."""
    merged = 0
    tensors = dict(fused.tensors)
    for block in fused.blocks:
        layer = block.name
        for readers in (block.stream_readers, block.bottleneck_readers):
            if len(readers) > 1 and not any(f"{layer}.{part}.norm.gamma" in tensors for part in readers):
                _merge(tensors, layer, readers)
                merged += 1
    if not merged:
        return fused.refused(NAME, "a normalization follows each layer, or no two layers read the same")
    return fused.changed(NAME, f"{merged} groups of dense layers merged", tensors)


def _merge(tensors: Tensors, layer: str, parts: tuple[str, ...]) -> None:
    name = f"{layer}.{merged_name(parts)}"
    kernels = [tensors.pop(f"{layer}.{part}.kernel") for part in parts]
    biases = [tensors.pop(f"{layer}.{part}.bias", None) for part in parts]
    tensors[f"{name}.kernel"] = np.concatenate(kernels, axis=1)
    if any(bias is not None for bias in biases):
        tensors[f"{name}.bias"] = np.concatenate([np.zeros(kernel.shape[1]) if bias is None else bias
                                                  for kernel, bias in zip(kernels, biases, strict=True)])
