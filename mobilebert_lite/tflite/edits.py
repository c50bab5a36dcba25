"""Additions to the object form of a ``.tflite`` (``flatbuffer.read_model``, ``graph.Graphs.raw``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mobilebert_lite.tflite.flatbuffer import schema

# The name that generic tools look for.
DEFAULT_SIGNATURE = "serving_default"


def add_buffer(model: Any, content: bytes | np.ndarray) -> int:
    """Append ``content`` as a buffer and return its index."""
    buffer = schema().BufferT()
    buffer.data = np.frombuffer(content, np.uint8) if isinstance(content, bytes) else content.view(np.uint8).ravel()
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def add_tensor(subgraph: Any, kind: str, shape: Sequence[int], buffer: int = 0, name: str | None = None) -> int:
    """Append a tensor of ``kind`` (FLOAT32, INT32 …) to the raw ``subgraph`` and return its index."""
    tensor = schema().TensorT()
    tensor.type, tensor.shape, tensor.buffer = getattr(schema().TensorType, kind), list(shape), buffer
    tensor.name = None if name is None else name.encode()
    subgraph.tensors.append(tensor)
    return len(subgraph.tensors) - 1


def add_operator_code(model: Any, name: str, version: int | None = None) -> int:
    """The index of the code for the built-in operator ``name``, which is appended where it is missing.

    ``version``: the one that it must have; None: any, and 1 where it is appended.
    """
    builtin = getattr(schema().BuiltinOperator, name)
    for index, code in enumerate(model.operatorCodes):
        if (max(code.builtinCode, code.deprecatedBuiltinCode) == builtin and not code.customCode
                and version in (None, code.version)):
            return index
    code = schema().OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), version or 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def new_operator(model: Any, name: str, inputs: Sequence[int], outputs: Sequence[int], *, options: str = "",
                 version: int | None = None, **values: int) -> Any:
    """A built-in operator, to be put among those of a subgraph; ``options`` names its table (``AddOptions``)."""
    operator = schema().OperatorT()
    operator.opcodeIndex = add_operator_code(model, name, version)
    operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
    if options:
        operator.builtinOptions = getattr(schema(), f"{options}T")()
        operator.builtinOptionsType = getattr(schema().BuiltinOptions, options)
        for key, value in values.items():
            setattr(operator.builtinOptions, key, value)
    return operator


def add_signature(model: Any, name: str, subgraph: int, inputs: Iterable[tuple[str, int]],
                  outputs: Iterable[tuple[str, int]]) -> None:
    """Append a signature of the subgraph with that number; ``inputs`` and ``outputs`` are names and tensors."""
    definition = schema().SignatureDefT()
    definition.signatureKey, definition.subgraphIndex = name.encode(), subgraph
    definition.inputs, definition.outputs = ([_named(*pair) for pair in pairs] for pairs in (inputs, outputs))
    model.signatureDefs = [*(model.signatureDefs or []), definition]


def _named(name: str, tensor: int) -> Any:
    entry = schema().TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), tensor
    return entry


def set_metadata(model: Any, name: str, content: bytes) -> None:
    """Put ``content`` under ``name`` among the model's metadata, in place of an entry of that name."""
    entry = schema().MetadataT()
    entry.name, entry.buffer = name.encode(), add_buffer(model, content)
    others = [other for other in model.metadata or [] if other.name.decode() != name]
    model.metadata = [*others, entry]
