"""The operators of a compiled file that stay on the CPU, as files of their own that the runtime takes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from mobilebert_lite.tflite.edits import add_signature
from mobilebert_lite.tflite.flatbuffer import read_model, write_model
from mobilebert_lite.tflite.graph import Graphs, Operator, Subgraph

SIGNATURE = "part"


def tensor_name(index: int) -> str:
    """What inputs and outputs of a part are called."""
    return f"t{index}"


def part(content: bytes, subgraph: Subgraph, operators: Sequence[Operator]) -> tuple[bytes, list[int], list[int]]:
    """(File that computes ``operators`` of ``subgraph`` of ``content``, tensors that it reads, tensors that it gives).

    ``operators`` follow one another.
    """
    made = {tensor.index for operator in operators for tensor in operator.outputs}
    read = sorted({tensor.index for operator in operators for tensor in operator.operands
                   if not tensor.constant and tensor.index not in made})
    numbers = {operator.index for operator in operators}
    wanted = {tensor.index for tensor in subgraph.outputs} | {
        tensor.index for operator in subgraph.operators if operator.index not in numbers
        for tensor in operator.operands}
    given = sorted(made & wanted)
    model: Any = read_model(content)
    own = copy.copy(model.subgraphs[subgraph.index])
    own.operators = [own.operators[number] for number in sorted(numbers)]
    own.inputs, own.outputs = read, given
    model.subgraphs, model.signatureDefs = [own], []
    add_signature(model, SIGNATURE, 0, [(tensor_name(one), one) for one in read],
                  [(tensor_name(one), one) for one in given])
    return write_model(model), read, given


def runs(graphs: Graphs, index: int, stays: set[int]) -> list[list[Operator]]:
    """The operators of a subgraph in the order of execution, those next to one another in ``stays`` together."""
    found: list[list[Operator]] = []
    for operator in graphs.subgraphs[index].operators:
        if found and operator.index in stays and found[-1][-1].index in stays:
            found[-1].append(operator)
        else:
            found.append([operator])
    return found
