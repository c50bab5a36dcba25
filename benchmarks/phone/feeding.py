"""A model that reads texts of ours although the tool that runs it feeds it random numbers.

LiteRT's own ``benchmark_model`` takes no inputs and draws int32 values that are no valid segments, so a look-up fails
(``GATHER index out of bounds``). Here each input x becomes ``x · 0 + constant``: two operators on a few hundred
numbers, microseconds before milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.tflite.edits import add_buffer, add_tensor, new_operator
from mobilebert_lite.tflite.flatbuffer import write_model
from mobilebert_lite.tflite.graph import Graphs, Tensor


def with_inputs(content: bytes, signature: str, arrays: Mapping[str, np.ndarray]) -> bytes:
    """The file whose ``signature`` computes what it computed for ``arrays`` (input name -> int32), whatever it reads.

    Raises ModelFileError when it has no such signature or input.
    """
    graphs = Graphs.read(content)
    entry = graphs.entry(signature)
    operators: list[Any] = []
    for name, tensor in entry.inputs.items():
        if name not in arrays:
            raise ModelFileError(f"no values for input {name!r}; there are {', '.join(arrays)}")
        operators += _replaced(graphs.raw, entry.subgraph.raw, tensor, np.asarray(arrays[name], np.int32))
    entry.subgraph.raw.operators = [*operators, *entry.subgraph.raw.operators]
    return write_model(graphs.raw)


def signatures(content: bytes) -> list[str]:
    """Names of the entry points, that of the first graph first: programs that choose none run that one."""
    return [entry.name for entry in sorted(Graphs.read(content).entries, key=lambda entry: entry.subgraph.index)]


def inputs_in_order(content: bytes, signature: str) -> list[str]:
    """The input names of ``signature`` in the order of the graph's inputs, which tools bind by.

    Raises ModelFileError when there is no such signature.
    """
    entry = Graphs.read(content).entry(signature)
    names = {tensor.index: name for name, tensor in entry.inputs.items()}
    return [names[tensor.index] for tensor in entry.subgraph.inputs if tensor.index in names]


def _replaced(model: Any, graph: Any, source: Tensor, values: np.ndarray) -> list[Any]:
    """Operators that compute ``source`` from a product with zero, in which its readers see no difference: the old
    tensor keeps its number as input, and the readers get a new one."""
    def add(what: str, shape: Sequence[int], content: np.ndarray | None = None) -> int:
        buffer = 0 if content is None else add_buffer(model, content)
        return add_tensor(graph, source.kind, shape, buffer, f"text_{source.index}_{what}")

    zeroed, fixed = add("zeroed", source.shape), add("fixed", source.shape)
    zero = add("zero", [1], np.zeros(1, np.int32))
    constant = add("text", source.shape, np.ascontiguousarray(values.reshape(source.shape)))
    for operator in graph.operators:
        inputs = np.asarray(operator.inputs)
        operator.inputs = np.where(inputs == source.index, fixed, inputs).astype(np.int32)
    return [new_operator(model, "MUL", (source.index, zero), (zeroed,), options="MulOptions", version=1),
            new_operator(model, "ADD", (zeroed, constant), (fixed,), options="AddOptions", version=1)]
