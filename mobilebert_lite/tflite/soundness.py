"""What an interpreter takes on trust in a ``.tflite`` whose offsets are right: indices, shapes, sizes, order.

The kernels read through these without looking (tensorflow/lite/core/interpreter_builder.cc checks some, and only while
it loads): an index too large is a read outside an array, a stride of 0 a division by it, a subgraph that calls itself
an endless recursion.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

import numpy as np

from mobilebert_lite.common.budget import Budget
from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.tflite.verifier import Fields, read_tables

SCHEMA_VERSION = 3
# Bytes of one tensor; TFLite counts them in 32 bits in places.
LARGEST_TENSOR = 1 << 31
LARGEST_RANK = 8
# Of a file: subgraphs, and signatures of them.
LARGEST_SUBGRAPHS = 1024
# Inputs or outputs of a subgraph or an operator.
LARGEST_OPERANDS = 1024

# enum TensorType -> bits of an element; 0 for what has no fixed size (STRING, RESOURCE, VARIANT).
_BITS = (32, 16, 32, 8, 64, 0, 8, 16, 64, 8, 64, 128, 64, 0, 0, 32, 16, 4, 16, 2, 4, 8, 8)
_STRING = 5

# enum BuiltinOperator -> fields of its options that must be positive.
_POSITIVE = {
    1: ("Pool2DOptions", "stride_w", "stride_h", "filter_width", "filter_height"),
    12: ("Pool2DOptions", "stride_w", "stride_h", "filter_width", "filter_height"),
    17: ("Pool2DOptions", "stride_w", "stride_h", "filter_width", "filter_height"),
    3: ("Conv2DOptions", "stride_w", "stride_h"), 4: ("DepthwiseConv2DOptions", "stride_w", "stride_h"),
    67: ("TransposeConvOptions", "stride_w", "stride_h"),
    132: ("Conv3DOptions", "stride_d", "stride_w", "stride_h"),
    141: ("Conv3DOptions", "stride_d", "stride_w", "stride_h"),
    5: ("DepthToSpaceOptions", "block_size"), 26: ("SpaceToDepthOptions", "block_size"),
    49: ("SplitOptions", "num_splits"), 102: ("SplitVOptions", "num_splits"),
}
# Those whose default is 1, so that only a 0 that is written is wrong.
_DILATIONS = ("dilation_w_factor", "dilation_h_factor", "dilation_d_factor")
# enum BuiltinOperator -> fields of its options that name subgraphs.
CALLS = {
    31: ("subgraph",), 118: ("then_subgraph_index", "else_subgraph_index"),
    119: ("cond_subgraph_index", "body_subgraph_index"), 129: ("init_subgraph_index",), 174: ("body_subgraph_index",),
    190: ("update_computation_subgraph_index",), 198: ("body_subgraph_index",), 199: ("comparator_subgraph_index",),
    200: ("cond_subgraph_index", "body_subgraph_index"), 206: ("decomposition_subgraph_index",),
    209: ("branch_subgraph_indices",),
}


def check_tflite(content: bytes) -> None:
    """Raise ModelFileError when ``content`` is damaged, or describes what no interpreter should be given."""
    model = read_tables(content)
    version = model.get("version", 0)
    if version != SCHEMA_VERSION:
        raise ModelFileError(f"schema version {version}; runtimes read version {SCHEMA_VERSION}")
    buffers, subgraphs = model.get("buffers", []), model.get("subgraphs", [])
    if not subgraphs:
        raise ModelFileError("the model has no subgraph")
    if len(subgraphs) > LARGEST_SUBGRAPHS:
        raise ModelFileError(f"{len(subgraphs):,} subgraphs; the most is {LARGEST_SUBGRAPHS:,}")
    sizes = [_buffer_size(i, buffer, len(content)) for i, buffer in enumerate(buffers)]
    Budget(len(content)).copy(sum(sizes), "the list of buffers")
    for i, subgraph in enumerate(subgraphs):
        where = f"subgraph {i}"
        tensors = subgraph.get("tensors", [])
        for number, tensor in enumerate(tensors):
            _check_tensor(tensor, sizes, f"{where}, tensor {number}")
        for field in ("inputs", "outputs"):
            _check_indices(subgraph.get(field, ()), len(tensors), f"{where}: {field}")
        _check_operators(subgraph, model, sizes, where, len(content))
    _check_calls(model)
    _check_texts(model, buffers)
    for i, entry in enumerate(model.get("metadata", [])):
        if entry.get("buffer", 0) >= len(buffers):
            raise ModelFileError(f"metadata entry {i}: buffer {entry['buffer']} of {len(buffers)}")
    _check_signatures(model)


def _buffer_size(index: int, buffer: Fields, file_size: int) -> int:
    """Bytes of a buffer, which may stand behind the flatbuffer (an offset of 1 stands for none)."""
    offset, size = buffer.get("offset", 0), buffer.get("size", 0)
    if offset <= 1:
        return len(buffer.get("data", ()))
    if offset + size > file_size:
        raise ModelFileError(f"buffer {index}: {size:,} bytes from byte {offset:,} on, in a file of {file_size:,}")
    return int(size)


def _check_tensor(tensor: Fields, sizes: Sequence[int], where: str) -> None:
    shape, kind = _shape(tensor), tensor.get("type", 0)
    if not 0 <= kind < len(_BITS):
        raise ModelFileError(f"{where}: unknown type {kind}")
    if len(shape) > LARGEST_RANK or min(shape, default=0) < 0:
        raise ModelFileError(f"{where}: shape {shape[:LARGEST_RANK + 1]}; it must have at most {LARGEST_RANK} "
                             "dimensions, none of them negative")
    needed = (math.prod(shape) * _BITS[kind] + 7) // 8
    if needed > LARGEST_TENSOR:
        raise ModelFileError(f"{where}: shape {shape} needs {needed:,} bytes; the most is {LARGEST_TENSOR:,}")
    index = tensor.get("buffer", 0)
    if index >= max(1, len(sizes)):
        raise ModelFileError(f"{where}: buffer {index} of {len(sizes)}")
    given = sizes[index] if sizes else 0
    if given and _BITS[kind] and given != needed and "sparsity" not in tensor:
        raise ModelFileError(f"{where}: shape {shape} needs {needed:,} bytes, but its buffer has {given:,}")
    _check_signature(tensor, shape, where)
    _check_quantization(tensor, shape, where)


def _shape(tensor: Fields) -> list[int]:
    return [int(size) for size in tensor.get("shape", ())]


def _check_signature(tensor: Fields, shape: Sequence[int], where: str) -> None:
    """The shape in which -1 marks what is open."""
    signature = tensor.get("shape_signature", ())
    if len(signature) and len(signature) != len(shape):
        raise ModelFileError(f"{where}: a signature of {len(signature)} dimensions for {len(shape)}")


def _check_texts(model: Fields, buffers: Sequence[Fields]) -> None:
    """Constant tensors of texts; a buffer that many tensors share is looked at once for each number of texts."""
    wanted = {(tensor.get("buffer", 0), math.prod(_shape(tensor))) for subgraph in model["subgraphs"]
              for tensor in subgraph.get("tensors", []) if tensor.get("type", 0) == _STRING}
    for index, count in sorted(wanted):
        data = buffers[index].get("data", np.empty(0, np.uint8)) if buffers else np.empty(0, np.uint8)
        if len(data):
            _check_packed(data, count, f"buffer {index}")


def _check_packed(data: np.ndarray, count: int, where: str) -> None:
    """int32 count, count + 1 offsets, then the texts (tensorflow/lite/string_util.h)."""
    header = data[:len(data) // 4 * 4].view("<i4")
    if len(header) < count + 2 or header[0] != count:
        raise ModelFileError(f"{where}: {count} texts do not fit {len(data):,} bytes")
    offsets = header[1:count + 2]
    if offsets[0] < 4 * (count + 2) or (np.diff(offsets.astype(np.int64)) < 0).any() or offsets[-1] > len(data):
        raise ModelFileError(f"{where}: texts outside it")


def _check_quantization(tensor: Fields, shape: Sequence[int], where: str) -> None:
    quantization = tensor.get("quantization", {})
    scales, zeros = len(quantization.get("scale", ())), len(quantization.get("zero_point", ()))
    if scales and scales != zeros:
        raise ModelFileError(f"{where}: {scales} scales and {zeros} zero points; it must be one for each")
    axis = quantization.get("quantized_dimension", 0)
    if scales > 1 and (not 0 <= axis < len(shape) or shape[axis] != scales):
        raise ModelFileError(f"{where}: {scales} scales along dimension {axis} of shape {list(shape)}")


def _check_indices(indices: Sequence[int], count: int, where: str, optional: bool = False) -> None:
    if len(indices) > LARGEST_OPERANDS:
        raise ModelFileError(f"{where}: there are {len(indices):,}; the most is {LARGEST_OPERANDS:,}")
    for index in indices:
        if not (-1 if optional else 0) <= index < count:
            raise ModelFileError(f"{where}: tensor {index} of {count}")


def _check_operators(subgraph: Fields, model: Fields, sizes: Sequence[int], where: str, file_size: int) -> None:
    """Operators in turn: what one reads must be there, and what is constant is not written."""
    tensors, codes = subgraph.get("tensors", []), model.get("operator_codes", [])
    constant = {i for i, tensor in enumerate(tensors) if sizes and sizes[tensor.get("buffer", 0)]}
    known = {*constant, *map(int, subgraph.get("inputs", ())), -1}
    known |= {i for i, tensor in enumerate(tensors) if tensor.get("is_variable") or 0 in _shape(tensor)}
    for number, operator in enumerate(subgraph.get("operators", [])):
        place = f"{where}, operator {number}"
        code = operator.get("opcode_index", 0)
        if code >= len(codes):
            raise ModelFileError(f"{place}: operator code {code} of {len(codes)}")
        for field in ("inputs", "outputs", "intermediates"):
            _check_indices(operator.get(field, ()), len(tensors), f"{place}: {field}", optional=field != "outputs")
        for index in map(int, operator.get("inputs", ())):
            if index not in known:
                raise ModelFileError(f"{place}: it reads tensor {index}, which nothing before it has written")
        outputs = set(map(int, operator.get("outputs", ())))
        if written := outputs & constant:
            raise ModelFileError(f"{place}: it writes tensor {min(written)}, which is a constant")
        known |= outputs
        end = operator.get("large_custom_options_offset", 0) + operator.get("large_custom_options_size", 0)
        if end > file_size:
            raise ModelFileError(f"{place}: its custom options end at byte {end:,}, after the file")
        _check_options(operator, _builtin(codes[code]), place)
    for index in map(int, subgraph.get("outputs", ())):
        if index not in known:
            raise ModelFileError(f"{where}: output tensor {index} is never written")


def _builtin(code: Fields) -> int:
    """The number of a built-in operator; older writers use the field of one byte alone."""
    return int(max(code.get("builtin_code", 0), code.get("deprecated_builtin_code", 0)))


def _options(operator: Fields) -> Mapping[str, int]:
    return operator.get("builtin_options") or operator.get("builtin_options2") or {}


def _check_options(operator: Fields, builtin: int, where: str) -> None:
    options = _options(operator)
    name, *positive = _POSITIVE.get(builtin, ("", ))
    for field in positive:
        if options.get(field, 0) <= 0:
            raise ModelFileError(f"{where}: {name}.{field} is {options.get(field, 0)}; it must be positive")
    for field in _DILATIONS:
        if options.get(field, 1) <= 0:
            raise ModelFileError(f"{where}: {field} is {options[field]}; it must be positive")


def _called(model: Fields, subgraph: Fields) -> Iterator[tuple[int, int]]:
    """(operator, subgraph that it calls), in order."""
    codes = model.get("operator_codes", [])
    for number, operator in enumerate(subgraph.get("operators", [])):
        for field in CALLS.get(_builtin(codes[operator.get("opcode_index", 0)]), ()):
            for index in np.atleast_1d(_options(operator).get(field, 0)):
                yield number, int(index)


def _check_calls(model: Fields) -> None:
    """Every subgraph that is called is there, and none calls itself, however indirectly."""
    subgraphs = model.get("subgraphs", [])
    calls: list[set[int]] = []
    for i, subgraph in enumerate(subgraphs):
        calls.append(set())
        for number, called in _called(model, subgraph):
            if not 0 <= called < len(subgraphs):
                raise ModelFileError(f"subgraph {i}, operator {number}: it calls subgraph {called} of "
                                     f"{len(subgraphs)}")
            calls[i].add(called)
    try:
        TopologicalSorter(dict(enumerate(calls))).prepare()
    except CycleError as error:
        raise ModelFileError(f"subgraph {min(error.args[1])} calls itself, directly or through others") from None


def _check_signatures(model: Fields) -> None:
    subgraphs = model.get("subgraphs", [])
    if (count := len(model.get("signature_defs", []))) > LARGEST_SUBGRAPHS:
        raise ModelFileError(f"{count:,} signatures; the most is {LARGEST_SUBGRAPHS:,}")
    keys = set()
    for i, definition in enumerate(model.get("signature_defs", [])):
        key = definition.get("signature_key", b"")
        where = f"signature {key.decode('utf-8', 'replace') or i!r}"
        if key in keys:
            raise ModelFileError(f"{where}: it is there twice")
        keys.add(key)
        index = definition.get("subgraph_index", 0)
        if index >= len(subgraphs):
            raise ModelFileError(f"{where}: subgraph {index} of {len(subgraphs)}")
        for field in ("inputs", "outputs"):
            names = [entry.get("name", b"") for entry in definition.get(field, [])]
            if len(set(names)) < len(names):
                raise ModelFileError(f"{where}: two {field} of one name")
            _check_entries(definition.get(field, []), subgraphs[index], field, where)


def _check_entries(entries: Sequence[Fields], subgraph: Fields, field: str, where: str) -> None:
    of_subgraph = set(map(int, subgraph.get(field, ())))
    for entry in entries:
        index = entry.get("tensor_index", 0)
        if index not in of_subgraph:
            raise ModelFileError(f"{where}: its {field} have tensor {index}, which is none of the subgraph's")
