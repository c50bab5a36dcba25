"""A model that reads texts of ours although the tool that runs it feeds it random numbers.

LiteRT's own ``benchmark_model`` takes no inputs and draws int32 values that are no valid segments, so a look-up fails
(``GATHER index out of bounds``). Here each input x becomes ``x · 0 + constant``: two operators on a few hundred
numbers, microseconds before milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.tflite.flatbuffer import read_model, schema, write_model


def with_inputs(content: bytes, signature: str, arrays: Mapping[str, np.ndarray]) -> bytes:
    """The file whose ``signature`` computes what it computed for ``arrays`` (input name -> int32), whatever it reads.

    Raises ModelFileError when it has no such signature or input.
    """
    model = read_model(content)
    definition = _definition(model, signature)
    graph = model.subgraphs[definition.subgraphIndex]
    operators = []
    for entry in definition.inputs:
        name = entry.name.decode()
        if name not in arrays:
            raise ModelFileError(f"no values for input {name!r}; there are {', '.join(arrays)}")
        operators += _replaced(schema(), model, graph, entry.tensorIndex, np.asarray(arrays[name], np.int32))
    graph.operators = [*operators, *graph.operators]
    return write_model(model)


def inputs_in_order(content: bytes, signature: str) -> list[str]:
    """The input names of ``signature`` in the order of the graph's inputs, which tools bind by.

    Raises ModelFileError when there is no such signature.
    """
    model = read_model(content)
    definition = _definition(model, signature)
    names = {entry.tensorIndex: entry.name.decode("utf-8", "replace") for entry in definition.inputs}
    return [names[int(index)] for index in model.subgraphs[definition.subgraphIndex].inputs if int(index) in names]


def _definition(model: Any, signature: str) -> Any:
    for one in model.signatureDefs or []:
        if one.signatureKey == signature.encode():
            return one
    raise ModelFileError(f"the model has no signature {signature!r}")


def _replaced(schema: Any, model: Any, graph: Any, index: int, values: np.ndarray) -> list[Any]:
    """Operators that compute tensor ``index`` from a product with zero, in which its readers see no difference: the
    old tensor keeps its number as input, and the readers get a new one."""
    source = graph.tensors[index]
    shape = list(map(int, source.shape))
    zeroed = _tensor(schema, graph, source, f"{index}_zeroed", shape, buffer=0)
    fixed = _tensor(schema, graph, source, f"{index}_fixed", shape, buffer=0)
    zero = _tensor(schema, graph, source, f"{index}_zero", [1], buffer=_buffer(schema, model, np.zeros(1, np.int32)))
    constant = _tensor(schema, graph, source, f"{index}_text", shape,
                       buffer=_buffer(schema, model, values.reshape(shape)))
    for operator in graph.operators:
        operator.inputs = np.where(np.asarray(operator.inputs) == index, fixed, operator.inputs).astype(np.int32)
    built = schema.BuiltinOperator
    return [_operator(schema, model, built.MUL, schema.BuiltinOptions.MulOptions, schema.MulOptionsT(),
                      inputs=(index, zero), output=zeroed),
            _operator(schema, model, built.ADD, schema.BuiltinOptions.AddOptions, schema.AddOptionsT(),
                      inputs=(zeroed, constant), output=fixed)]


def _tensor(schema: Any, graph: Any, like: Any, name: str, shape: list[int], *, buffer: int) -> int:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = f"text_{name}".encode(), shape, like.type, buffer
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _buffer(schema: Any, model: Any, values: np.ndarray) -> int:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def _operator(schema: Any, model: Any, code: int, kind: int, options: Any, *, inputs: tuple[int, int],
              output: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex = _code(schema, model, code)
    operator.builtinOptionsType, operator.builtinOptions = kind, options
    operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
    return operator


def _code(schema: Any, model: Any, code: int) -> int:
    """The index of version 1 of a built-in operator, which it is given where it is missing."""
    for i, one in enumerate(model.operatorCodes):
        if one.builtinCode == code and one.version == 1:
            return i
    one = schema.OperatorCodeT()
    one.builtinCode, one.deprecatedBuiltinCode, one.version = code, min(code, 127), 1
    model.operatorCodes.append(one)
    return len(model.operatorCodes) - 1
