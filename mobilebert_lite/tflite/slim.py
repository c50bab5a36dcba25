"""What a file of several signatures would store more than once, it stores once.

Weights are shared as buffers already, but TensorFlow gives each signature its own position table, and every tensor a
name and an empty quantization table of its own: 0.3 MB and more a signature of a full-size network.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from mobilebert_lite.tflite.edits import add_buffer, add_tensor, new_operator
from mobilebert_lite.tflite.flatbuffer import schema

# In bytes. A slice costs an operator, which little constants are not worth.
_SMALLEST_TABLE = 4096


def slim(model: Any, slices: bool) -> None:
    """Store once what is equal, in place. What the signatures compute stays the same to the bit.

    ``slices``: also what is the beginning of something longer. The LiteRT GPU accelerator rejects the SLICE of a
    constant that this needs.
    """
    if slices:
        share_prefixes(model)
    share_buffers(model)
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            if tensor.quantization is not None and _is_empty(tensor.quantization):
                tensor.quantization = None
    # The names say the same in every signature; those of the first stay, for people.
    for subgraph in model.subgraphs[1:]:
        read = {*subgraph.inputs, *subgraph.outputs}
        for index, tensor in enumerate(subgraph.tensors):
            if index not in read:
                tensor.name = None


def _is_empty(quantization: Any) -> bool:
    fields = (quantization.scale, quantization.zeroPoint, quantization.min, quantization.max, quantization.details)
    return all(value is None or len(value) == 0 for value in fields[:4]) and fields[4] is None


def share_buffers(model: Any) -> None:
    """Let tensors of equal content share one buffer, in place; what nothing uses is emptied."""
    first: dict[bytes, int] = {}
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            data = model.buffers[tensor.buffer].data
            if tensor.buffer and data is not None and len(data):
                tensor.buffer = first.setdefault(hashlib.sha256(data.tobytes()).digest(), tensor.buffer)
    kept = {tensor.buffer for subgraph in model.subgraphs for tensor in subgraph.tensors}
    kept |= {entry.buffer for entry in model.metadata or []}
    for index, buffer in enumerate(model.buffers):
        if index not in kept:
            buffer.data = None


def share_prefixes(model: Any) -> None:
    """Replace float tables that are the first rows of a longer one by slices of it, in place.

    The positions of a shorter signature are the beginning of the longest one's, and flatbuffers cannot point into one
    another.
    """
    longest: dict[bytes, Any] = {}
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            if row := _first_row(model, tensor):
                known = longest.setdefault(row, tensor)
                longest[row] = max(known, tensor, key=lambda table: int(table.shape[0]))
    for subgraph in model.subgraphs:
        for index, tensor in enumerate(list(subgraph.tensors)):
            whole = longest.get(_first_row(model, tensor))
            if whole is not None and tensor.shape[0] < whole.shape[0] and _begins_with(model, whole, tensor):
                _slice(model, subgraph, index, whole)


def _first_row(model: Any, tensor: Any) -> bytes:
    """The bytes of the first row of a constant float table; none for everything else."""
    data = model.buffers[tensor.buffer].data
    table = tensor.type == schema().TensorType.FLOAT32 and tensor.shape is not None and len(tensor.shape) == 2
    if not table or data is None or len(data) < _SMALLEST_TABLE:
        return b""
    return bytes(data[:len(data) // int(tensor.shape[0])])


def _begins_with(model: Any, whole: Any, tensor: Any) -> bool:
    rows = model.buffers[tensor.buffer].data
    return np.array_equal(model.buffers[whole.buffer].data[:len(rows)], rows)


def _slice(model: Any, subgraph: Any, index: int, whole: Any) -> None:
    tensor = subgraph.tensors[index]
    table = add_tensor(subgraph, "FLOAT32", whole.shape, whole.buffer)
    bounds = [add_tensor(subgraph, "INT32", [2], add_buffer(model, np.array(bound, np.int32)))
              for bound in ((0, 0), tensor.shape)]
    tensor.buffer = 0
    operator = new_operator(model, "SLICE", (table, *bounds), (index,))
    # Just before it is read: as the very first operator it would be an XNNPACK partition of its own, ahead of the
    # gathers of the embedding, which are not delegated.
    place = next(i for i, reader in enumerate(subgraph.operators) if index in reader.inputs)
    subgraph.operators.insert(place, operator)
