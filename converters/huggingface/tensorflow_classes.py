"""What transformers' TensorFlow classes save, in the words of its PyTorch ones: one model, two lists of names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.converters.names.name_maps import (
    huggingface_rows,
    huggingface_tensorflow_rows,
    read_tensors,
    write_tensors,
)

# The parts of a model, as its class names them.
_LAYERS = ("mobilebert", "qa_outputs", "classifier", "predictions___cls", "seq_relationship___cls")


def are(names: Iterable[str]) -> bool:
    """Whether ``names`` are paths of variables, as those classes have them."""
    return any("/" in name for name in names)


def translated(config: MobileBertConfig, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """``tensors`` as the PyTorch class of the same model names them, with a decoder of the masked LM head of their own.

    A name that no TensorFlow class has is kept.
    """
    named = {_from_layer(name): tensor for name, tensor in tensors.items()}
    ours = read_tensors(huggingface_tensorflow_rows(config), named)
    return write_tensors(huggingface_rows(config, tied=False), ours)


def _from_layer(name: str) -> str:
    """The path of a variable from its layer on, without what depends on the file and on the name of the model.

    ``mobilebert/tf_mobile_bert_model/mobilebert/pooler/dense/kernel:0`` in a whole file, the same without its first
    part in a shard, and without the second in safetensors, is ``mobilebert/pooler/dense/kernel``.
    """
    parts = name.removesuffix(":0").split("/")
    start = max((i for i, part in enumerate(parts) if part in _LAYERS), default=0)
    return "/".join(parts[start:])
