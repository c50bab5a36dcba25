"""What adds to the residual stream between blocks, and what reads it."""

from __future__ import annotations

import numpy as np

from mobilebert_lite.config import MobileBertConfig
from mobilebert_lite.fusion.algebra import Tensors, rescale_output
from mobilebert_lite.weights import has_projection


def scale_embedding(tensors: Tensors, gain: np.ndarray, config: MobileBertConfig) -> None:
    """The embedding gives gain⊙x where it gave x: each of its summands is scaled."""
    if has_projection(config):  # transformers stores one in any case
        rescale_output(tensors, "embeddings.projection", gain)
    else:
        tensors["embeddings.word"] = tensors["embeddings.word"] * gain
    for summand in ("position", "token_type", "segment_step"):
        if f"embeddings.{summand}" in tensors:
            tensors[f"embeddings.{summand}"] = tensors[f"embeddings.{summand}"] * gain


def head_readers(tensors: Tensors) -> list[str]:
    """Dense layers that read the last hidden states; with a pooler, classifiers read its output instead."""
    pooled = () if "pooler.kernel" in tensors else ("classifier", "nsp")
    return [dense for dense in ("pooler", "qa", "mlm.transform", *pooled) if f"{dense}.kernel" in tensors]
