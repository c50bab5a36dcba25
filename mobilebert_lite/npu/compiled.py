"""Compiled ``.tflite`` files: contexts for the NPU behind the flatbuffer, and operators that stay on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.tflite.flatbuffer import read_model, write_model
from mobilebert_lite.tflite.graph import Graphs, Operator

# The operator that stands for a part of the graph that was compiled.
DISPATCH = "DISPATCH_OP"
_OFFSET, _SIZE, _NAME = "bytecode_offset", "bytecode_size", "name"
_ALIGNMENT = 16


@dataclass(frozen=True)
class Partition:
    """A part of a graph that was compiled."""

    # Of the graph in its context, which may hold several.
    name: str
    # Bytes of the file where the context is.
    offset: int
    size: int

    def context(self, content: bytes) -> bytes:
        """What the NPU loads."""
        return content[self.offset:self.offset + self.size]


def is_compiled(content: bytes) -> bool:
    """Whether some of the ``.tflite`` was compiled."""
    return any(code.customCode == DISPATCH.encode() for code in read_model(content).operatorCodes)


def is_dispatch(operator: Operator) -> bool:
    """Whether ``operator`` stands for a part that was compiled."""
    return operator.custom and operator.name == DISPATCH


def partition_of(raw: Any, content: bytes) -> Partition:
    """What the operator ``raw`` of a compiled file stands for. Raises ModelFileError when it is damaged."""
    from flatbuffers import flexbuffers

    try:
        options = flexbuffers.Loads(bytes(raw.customOptions))
        found = Partition(str(options[_NAME]), int(options[_OFFSET]), int(options[_SIZE]))
    except Exception as error:  # the reader fails in any way on damaged options
        raise ModelFileError(f"the options of a {DISPATCH} are damaged: {type(error).__name__}") from None
    if not 0 < found.offset < found.offset + found.size <= len(content):
        raise ModelFileError(f"a {DISPATCH} names bytes {found.offset} to {found.offset + found.size} of a file of "
                             f"{len(content)}")
    return found


def left_to_cpu(graphs: Graphs) -> list[tuple[int, Operator]]:
    """(Number of the subgraph, operator) of what was not compiled."""
    return [(subgraph.index, operator) for subgraph in graphs.subgraphs for operator in subgraph.operators
            if not is_dispatch(operator)]


def rewrite(content: bytes, change: Callable[[Any], object]) -> bytes:
    """A compiled file after ``change`` of its object form, with its contexts where the operators look for them.

    What else stands behind the flatbuffer, such as appended files, is left out.
    """
    model = read_model(content)
    operators = [operator for subgraph in model.subgraphs for operator in subgraph.operators
                 if model.operatorCodes[operator.opcodeIndex].customCode == DISPATCH.encode()]
    partitions = [partition_of(operator, content) for operator in operators]
    change(model)
    start = 0
    while True:  # the size of a number in the options depends on the number
        places: dict[tuple[int, int], int] = {}
        end = start
        for one in partitions:
            if (one.offset, one.size) not in places:
                places[one.offset, one.size] = end
                end = _aligned(end + one.size)
        for operator, one in zip(operators, partitions, strict=True):
            operator.customOptions = _options(one.name, places[one.offset, one.size], one.size)
        flatbuffer = write_model(model)
        if _aligned(len(flatbuffer)) <= start:
            break
        start = _aligned(len(flatbuffer))
    result = bytearray(flatbuffer.ljust(start, b"\0"))
    for (offset, size), place in places.items():
        result += b"\0" * (place - len(result)) + content[offset:offset + size]
    return bytes(result)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _options(name: str, offset: int, size: int) -> np.ndarray:
    from flatbuffers import flexbuffers

    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Key(_OFFSET)
        builder.UInt(offset)
        builder.Key(_SIZE)
        builder.UInt(size)
        builder.Key(_NAME)
        builder.String(name)
    return np.frombuffer(bytes(builder.Finish()), np.uint8)
