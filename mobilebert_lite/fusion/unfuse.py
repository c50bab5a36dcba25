"""A fused network as a checkpoint again: the same function with every gamma 1 and every beta 0.

What the rules moved into kernels and biases stays there, and so do balanced channels. Fusing the result once more
gives back what it was made of, so a checkpoint can carry kernels that were trained in this form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from mobilebert_lite.architecture.weights import Weights, checked, merged_name
from mobilebert_lite.errors import ConversionError
from mobilebert_lite.fusion.plan import Fused


def unfuse(fused: Fused, like: Weights) -> Weights:
    """``fused`` as weights with the tensors of ``like``, the checkpoint it was made of.

    Raises ConversionError where a multiplication is left on the stream (see fusion.equalize), for which a checkpoint
    has no tensor.
    """
    found = {name: np.asarray(tensor, np.float64) for name, tensor in fused.tensors.items()}
    if left := sorted(name for name in found if name.endswith(".rescale")):
        raise ConversionError(f"a checkpoint cannot hold {left[0]}")
    found |= _parted(found, fused)
    if fused.plan.query_scaled:
        scale = math.sqrt(fused.config.head_size)
        found |= {name: found[name] * scale for layer in fused.layers for part in ("kernel", "bias")
                  if (name := f"{layer}.attention.query.{part}") in found}
    if "embeddings.token_type" not in found:
        step = found.get("embeddings.segment_step")
        rows = np.zeros_like(like.tensors["embeddings.token_type"], dtype=np.float64)
        if step is not None:
            rows[1] = step
        found["embeddings.token_type"] = rows
    tensors = {}
    for name, tensor in like.tensors.items():
        kind = name.rsplit(".", 1)[-1]
        if name in found:
            tensors[name] = found[name].astype(np.float32)
        elif kind in ("gamma", "beta", "bias"):
            tensors[name] = np.full_like(tensor, float(kind == "gamma"))
        else:
            tensors[name] = tensor  # what this task does not read
    return checked(fused.config, tensors, like.source)


def _parted(tensors: Mapping[str, np.ndarray], fused: Fused) -> dict[str, np.ndarray]:
    """The parts of merged projections."""
    found: dict[str, np.ndarray] = {}
    for block in fused.blocks:
        for parts in (block.stream_readers, block.bottleneck_readers):
            for kind in ("kernel", "bias"):
                merged = tensors.get(f"{block.name}.{merged_name(parts)}.{kind}") if len(parts) > 1 else None
                if merged is not None:
                    ends = np.cumsum([block.size(part) for part in parts])[:-1]
                    found |= {f"{block.name}.{part}.{kind}": cut
                              for part, cut in zip(parts, np.split(merged, ends, axis=-1), strict=True)}
    return found
