"""The operators and tensors of a ``.tflite``, in the terms that checks are written in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.tflite.op_versions import needed_version, operator_name, right_since, type_name

# Operators that hand values on as they are, or in another number format.
PASSING = ("RESHAPE", "QUANTIZE", "DEQUANTIZE", "CAST", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "PACK")

_FLOATS: dict[str, np.dtype[Any]] = {"FLOAT32": np.dtype("<f4"), "FLOAT16": np.dtype("<f2"), "FLOAT64": np.dtype("<f8")}


@dataclass(frozen=True, eq=False)
class Tensor:
    """An operand of the graph."""

    index: int
    name: str
    # FLOAT32, INT8 and so on.
    kind: str
    shape: tuple[int, ...]
    # Shape with -1 for sizes that are given at run time; None where all are fixed.
    dynamic_shape: tuple[int, ...] | None
    # float32 and int64, one value or one for each channel; empty where the tensor is not quantized.
    scales: np.ndarray
    zero_points: np.ndarray
    # The bytes of a constant; None for what is computed.
    data: np.ndarray | None

    @property
    def quantized(self) -> bool:
        """Whether it is a number format that needs a scale."""
        return self.kind in ("INT8", "UINT8", "INT16", "INT4", "INT2")

    @property
    def is_dynamic(self) -> bool:
        """Whether a size is given at run time."""
        return self.dynamic_shape is not None and -1 in self.dynamic_shape

    def floats(self) -> np.ndarray:
        """The values of a float constant; empty for everything else."""
        kind = _FLOATS.get(self.kind)
        if self.data is None or kind is None or len(self.data) % kind.itemsize:
            return np.zeros(0, np.float32)
        return self.data.view(kind)


@dataclass(frozen=True, eq=False)
class Operator:
    """One step of the graph."""

    index: int
    # Custom operators have the name they were given.
    name: str
    custom: bool
    # The version stamped, and the one that its operands need.
    version: int
    needed: int
    # The first runtime that computes it rightly, where older ones load it and do not.
    right_since: str | None
    # None for an operand that is left out.
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Any

    @property
    def place(self) -> str:
        """``FULLY_CONNECTED #12``, for messages."""
        return f"{self.name} #{self.index}"

    def input(self, number: int) -> Tensor | None:
        """Operand ``number``; None where it is left out."""
        return self.inputs[number] if number < len(self.inputs) else None


class Subgraph:
    """One graph of the file."""

    def __init__(self, model: Any, index: int) -> None:
        self._model, self._raw, self.index = model, model.subgraphs[index], index

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of them, in the order of the file."""
        return tuple(self._tensor(index, raw) for index, raw in enumerate(self._raw.tensors or []))

    @cached_property
    def inputs(self) -> tuple[Tensor, ...]:
        """In the order in which clients without names see them."""
        return tuple(self.tensors[index] for index in _list(self._raw.inputs))

    @cached_property
    def outputs(self) -> tuple[Tensor, ...]:
        """In the order in which clients without names see them."""
        return tuple(self.tensors[index] for index in _list(self._raw.outputs))

    @cached_property
    def operators(self) -> tuple[Operator, ...]:
        """In the order of execution."""
        return tuple(self._operator(index, raw) for index, raw in enumerate(self._raw.operators or []))

    @cached_property
    def _producers(self) -> dict[int, Operator]:
        return {tensor.index: operator for operator in self.operators for tensor in operator.outputs}

    def producer(self, tensor: Tensor) -> Operator | None:
        """The operator that computes ``tensor``, past those that only hand values on; None for inputs and constants."""
        operator = self._producers.get(tensor.index)
        for _ in self.operators:  # a graph with a loop must not hold us
            if operator is None or operator.name not in PASSING or operator.inputs[0] is None:
                break
            operator = self._producers.get(operator.inputs[0].index)
        return operator

    def same_values(self, tensor: Tensor) -> Iterator[Tensor]:
        """``tensor`` and, upstream, what it is a copy of in another shape or number format."""
        for _ in range(len(self.operators) + 1):
            yield tensor
            operator = self._producers.get(tensor.index)
            if operator is None or operator.name not in PASSING or operator.inputs[0] is None:
                return
            tensor = operator.inputs[0]

    def table_read_by(self, ids: Tensor) -> Tensor | None:
        """The table whose rows ``ids`` choose (GATHER or EMBEDDING_LOOKUP); None where it is not found."""
        for operator in self.operators:
            operands = operator.inputs[:2]
            if operator.name not in ("GATHER", "EMBEDDING_LOOKUP") or len(operands) < 2 or None in operands:
                continue
            table, rows = operands if operator.name == "GATHER" else operands[::-1]
            if table is not None and rows is not None and ids in self.same_values(rows):
                return table
        return None

    def _tensor(self, index: int, raw: Any) -> Tensor:
        if not 0 <= raw.buffer < len(self._model.buffers):
            raise ModelFileError(f"tensor {index} is in buffer {raw.buffer}, but there are {len(self._model.buffers)}")
        data = self._model.buffers[raw.buffer].data
        quantization = raw.quantization
        return Tensor(
            index, (raw.name or b"").decode("utf-8", "replace"), type_name(raw), _ints(raw.shape) or (),
            _ints(raw.shapeSignature), _array(quantization and quantization.scale, np.float32),
            _array(quantization and quantization.zeroPoint, np.int64), data if data is not None and len(data) else None)

    def _operator(self, index: int, raw: Any) -> Operator:
        code = self._model.operatorCodes[raw.opcodeIndex]
        return Operator(
            index, operator_name(code), bool(code.customCode), int(code.version),
            needed_version(self._model, self._raw, raw), right_since(self._model, self._raw, raw),
            tuple(self.tensors[one] if one >= 0 else None for one in _list(raw.inputs)),
            tuple(self.tensors[one] for one in _list(raw.outputs)), raw.builtinOptions)


def _list(values: Any) -> list[int]:
    return [] if values is None else [int(value) for value in values]


def _ints(values: Any) -> tuple[int, ...] | None:
    return None if values is None else tuple(int(value) for value in values)


def _array(values: Any, kind: type) -> np.ndarray:
    return np.zeros(0, kind) if values is None else np.asarray(values, kind).ravel()
