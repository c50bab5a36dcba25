"""Small graphs made by hand, without TensorFlow, and what dense layers there are in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilebert_lite.tflite.edits import add_buffer, add_signature, new_operator
from mobilebert_lite.tflite.flatbuffer import schema, write_model
from mobilebert_lite.tflite.op_versions import operator_name, type_name

FLOAT32, INT32, STRING, BOOL = 0, 2, 5, 6


class Graph:
    """A model to which tensors and operators are added."""

    def __init__(self) -> None:
        self.model = schema().ModelT()
        self.model.version, self.model.description = 3, b"by hand"
        self.model.operatorCodes, self.model.subgraphs, self.model.signatureDefs = [], [], []
        self.model.metadata, self.model.buffers = [], [schema().BufferT()]

    def subgraph(self, inputs: Sequence[int] = (0,), outputs: Sequence[int] = (1,)) -> Any:
        """A new one; what follows goes there."""
        self.now = schema().SubGraphT()
        self.now.tensors, self.now.operators = [], []
        self.now.inputs, self.now.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        self.model.subgraphs.append(self.now)
        return self.now

    def tensor(self, shape: Sequence[int], kind: int = FLOAT32, data: np.ndarray | bytes | None = None) -> Any:
        """A new one, constant where there is ``data``."""
        made = schema().TensorT()
        made.shape, made.type, made.name = np.array(shape, np.int32), kind, f"t{len(self.now.tensors)}".encode()
        made.buffer = 0 if data is None else add_buffer(self.model, data)
        self.now.tensors.append(made)
        return made

    def operator(self, name: str, inputs: Sequence[int], outputs: Sequence[int], options: str = "",
                 **values: int) -> Any:
        """A new one; ``options`` names its table."""
        made = new_operator(self.model, name, inputs, outputs, options=options, **values)
        self.now.operators.append(made)
        return made

    def signature(self, name: str, subgraph: int, inputs: dict[str, int], outputs: dict[str, int]) -> None:
        """A new one: names -> tensors."""
        add_signature(self.model, name, subgraph, inputs.items(), outputs.items())

    def bytes(self) -> bytes:
        """The file."""
        return write_model(self.model)


def adding(shape: Sequence[int] = (2, 3)) -> Graph:
    """x + a constant, as signature ``add``: tensors x, constant, sum."""
    graph = Graph()
    graph.subgraph((0,), (2,))
    graph.tensor(shape)
    graph.tensor([3], data=np.arange(3, dtype=np.float32))
    graph.tensor(shape)
    graph.operator("ADD", (0, 1), (2,), "AddOptions")
    graph.signature("add", 0, {"x": 0}, {"y": 2})
    return graph


def endless() -> Graph:
    """WHILE whose condition is a constant true: signature ``loop``."""
    graph = Graph()
    graph.subgraph()
    graph.tensor([1])
    graph.tensor([1])
    graph.operator("WHILE", (0,), (1,), "WhileOptions", condSubgraphIndex=1, bodySubgraphIndex=2)
    graph.subgraph()
    graph.tensor([1])
    graph.tensor([1], BOOL, np.ones(1, np.uint8))
    graph.subgraph((0,), (2,))
    graph.tensor([1])
    graph.tensor([1], data=np.ones(1, np.float32))
    graph.tensor([1])
    graph.operator("ADD", (0, 1), (2,), "AddOptions")
    graph.signature("loop", 0, {"x": 0}, {"y": 1})
    return graph


def recursive() -> Graph:
    """``endless``, with the loop itself as the body of a loop."""
    graph = endless()
    graph.model.subgraphs[2] = graph.now = graph.model.subgraphs[0]
    graph.subgraph()
    graph.tensor([1])
    graph.tensor([1])
    graph.operator("WHILE", (0,), (1,), "WhileOptions", condSubgraphIndex=1, bodySubgraphIndex=3)
    graph.model.subgraphs[0].operators[0].builtinOptions.bodySubgraphIndex = 3
    return graph


def dense_layers(model: Any) -> list[tuple[str, str, str]]:
    """Formats of input, weights and output of every dense layer."""
    return [(type_name(subgraph.tensors[operator.inputs[0]]), type_name(subgraph.tensors[operator.inputs[1]]),
             type_name(subgraph.tensors[operator.outputs[0]]))
            for subgraph in model.subgraphs for operator in subgraph.operators
            if operator_name(model.operatorCodes[operator.opcodeIndex]) == "FULLY_CONNECTED"]


def sharing(tensors: int, name: int) -> bytes:
    """A file of ``tensors`` offsets that all lead to one tensor, whose name has ``name`` bytes."""
    import flatbuffers

    made = flatbuffers.Builder(1024)
    text = made.CreateString("x" * name)
    schema().TensorStart(made)
    schema().TensorAddName(made, text)
    tensor = schema().TensorEnd(made)
    schema().SubGraphStartTensorsVector(made, tensors)
    for _ in range(tensors):
        made.PrependUOffsetTRelative(tensor)
    vector = made.EndVector()
    schema().SubGraphStart(made)
    schema().SubGraphAddTensors(made, vector)
    subgraph = schema().SubGraphEnd(made)
    schema().ModelStartSubgraphsVector(made, 1)
    made.PrependUOffsetTRelative(subgraph)
    subgraphs = made.EndVector()
    schema().ModelStart(made)
    schema().ModelAddVersion(made, 3)
    schema().ModelAddSubgraphs(made, subgraphs)
    made.Finish(schema().ModelEnd(made), b"TFL3")
    return bytes(made.Output())
