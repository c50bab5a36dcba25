"""What adds to the residual stream between blocks, and what reads it."""

from __future__ import annotations

import numpy as np

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.heads import HEADS, EncoderTask, heads_in
from mobilebert_lite.architecture.weights import has_projection
from mobilebert_lite.fusion.algebra import Tensors, rescale_output


def scale_embedding(tensors: Tensors, gain: np.ndarray, config: MobileBertConfig) -> None:
    """The embedding gives gain⊙x where it gave x: each of its summands is scaled."""
    if has_projection(config):  # transformers stores one in any case
        rescale_output(tensors, "embeddings.projection", gain)
    else:
        if "mlm.bias" in tensors:  # the masked LM head reads the table as it was
            tensors.setdefault("mlm.word", tensors["embeddings.word"])
        tensors["embeddings.word"] = tensors["embeddings.word"] * gain
    for summand in ("position", "token_type", "segment_step"):
        if f"embeddings.{summand}" in tensors:
            tensors[f"embeddings.{summand}"] = tensors[f"embeddings.{summand}"] * gain


def head_readers(tensors: Tensors, task: EncoderTask) -> list[str]:
    """Dense layers that read the last hidden states; with a pooler, classifiers of whole texts read its output."""
    pooler = "pooler.kernel" in tensors
    return ["pooler"] * pooler + [HEADS[head].scope for head in heads_in(tensors)
                                  if not (pooler and task.pools(head))]
