"""One view of the graphs in a ``.tflite``: what every module that looks at operators and tensors reads.

A view is read once and never changes. What edits a file does so on ``Graphs.raw`` (``tflite.edits``) and takes a new
view afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.tflite.flatbuffer import read_model, schema
from mobilebert_lite.tflite.op_versions import needed_version, operator_name, right_since, type_name

# Operators that hand values on as they are, or in another number format.
PASSING = ("RESHAPE", "QUANTIZE", "DEQUANTIZE", "CAST", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "PACK")

# So often at most is a value handed on; who looks for its source looks no further.
_LONGEST_CHAIN = 64

_FORMATS: dict[str, np.dtype[Any]] = {
    "FLOAT32": np.dtype("<f4"), "FLOAT16": np.dtype("<f2"), "FLOAT64": np.dtype("<f8"), "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"), "INT32": np.dtype("<i4"), "INT64": np.dtype("<i8")}


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
    # Where its bytes are; tensors of several subgraphs may share one.
    buffer: int
    # float32 and int64, one value, one for each entry of ``axis``, or one for each block; empty where the tensor is
    # not quantized.
    scales: np.ndarray
    zero_points: np.ndarray
    axis: int
    # Entries of the last axis that share a scale; None but for blockwise formats.
    block: int | None
    # The bytes of a constant; None for what is computed.
    data: np.ndarray | None

    @property
    def quantized(self) -> bool:
        """Whether it is a number format that needs a scale."""
        return self.kind in ("INT8", "UINT8", "INT16", "INT4", "INT2")

    @property
    def constant(self) -> bool:
        """Whether its values are in the file."""
        return self.data is not None

    @property
    def is_dynamic(self) -> bool:
        """Whether a size is given at run time."""
        return self.dynamic_shape is not None and -1 in self.dynamic_shape

    @property
    def bytes(self) -> int:
        """Stored in the file; 0 for what is computed."""
        return 0 if self.data is None else len(self.data)

    def floats(self) -> np.ndarray:
        """The values of a float constant; empty for everything else."""
        form = _FORMATS.get(self.kind)
        if self.data is None or form is None or form.kind != "f" or len(self.data) % form.itemsize:
            return np.zeros(0, np.float32)
        return self.data.view(form)

    def values(self) -> np.ndarray | None:
        """The real values of a constant, scales applied; None for the rest. *Shape:* as the tensor"""
        form = _FORMATS.get(self.kind)
        if self.data is None or form is None or self.block is not None:
            return None
        array = np.frombuffer(self.data.tobytes(), form).reshape(self.shape)
        if not len(self.scales):
            return array
        shape = [1] * array.ndim
        if len(self.scales) > 1:
            shape[self.axis] = -1
        scale, zero = (np.asarray(one, np.float64).reshape(shape) for one in (self.scales, self.zero_points))
        real: np.ndarray = ((array - zero) * scale).astype(np.float32)
        return real


@dataclass(frozen=True, eq=False)
class Operator:
    """One step of the graph."""

    index: int
    # Custom operators have the name they were given.
    name: str
    custom: bool
    # Its number in the schema.
    builtin: int
    # The version stamped.
    version: int
    # None for an operand that is left out.
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    # The table of its options in the generated schema; None without one.
    options: Any
    # Of the file: the model, the subgraph and the operator.
    _raw: tuple[Any, Any, Any] = field(repr=False)

    @cached_property
    def needed(self) -> int:
        """The version that its operands need."""
        return needed_version(*self._raw)

    @cached_property
    def right_since(self) -> str | None:
        """The first runtime that computes it rightly, where older ones load it and do not."""
        return right_since(*self._raw)

    @property
    def place(self) -> str:
        """``FULLY_CONNECTED #12``, for messages."""
        return f"{self.name} #{self.index}"

    @property
    def output(self) -> Tensor:
        """The first output, which is the only one of most operators."""
        return self.outputs[0]

    def input(self, number: int) -> Tensor | None:
        """Operand ``number``; None where it is left out."""
        return self.inputs[number] if number < len(self.inputs) else None

    def operand(self, number: int) -> Tensor:
        """Operand ``number``. Raises ModelFileError where it is left out."""
        tensor = self.input(number)
        if tensor is None:
            raise ModelFileError(f"{self.place} has no operand {number}")
        return tensor

    @property
    def operands(self) -> tuple[Tensor, ...]:
        """Those that are not left out."""
        return tuple(tensor for tensor in self.inputs if tensor is not None)


class Subgraph:
    """One graph of the file."""

    def __init__(self, model: Any, index: int) -> None:
        self._model, self.raw, self.index = model, model.subgraphs[index], index

    @property
    def name(self) -> str:
        """As the file calls it; may be empty."""
        return _text(self.raw.name)

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of them, in the order of the file."""
        return tuple(self._tensor(index, raw) for index, raw in enumerate(self.raw.tensors or []))

    @cached_property
    def inputs(self) -> tuple[Tensor, ...]:
        """In the order in which clients without names see them."""
        return tuple(self.tensors[index] for index in _list(self.raw.inputs))

    @cached_property
    def outputs(self) -> tuple[Tensor, ...]:
        """In the order in which clients without names see them."""
        return tuple(self.tensors[index] for index in _list(self.raw.outputs))

    @cached_property
    def operators(self) -> tuple[Operator, ...]:
        """In the order of execution."""
        return tuple(self._operator(index, raw) for index, raw in enumerate(self.raw.operators or []))

    @cached_property
    def producers(self) -> Mapping[int, Operator]:
        """Index of a tensor → the operator that computes it; inputs and constants have none."""
        return {tensor.index: operator for operator in self.operators for tensor in operator.outputs}

    @cached_property
    def consumers(self) -> Mapping[int, tuple[Operator, ...]]:
        """Index of a tensor → the operators that read it, in the order of execution."""
        found: dict[int, list[Operator]] = {}
        for operator in self.operators:
            for index in dict.fromkeys(tensor.index for tensor in operator.operands):
                found.setdefault(index, []).append(operator)
        return {index: tuple(operators) for index, operators in found.items()}

    def producer(self, tensor: Tensor) -> Operator | None:
        """The operator that computes ``tensor``, past those that only hand values on; None for inputs and constants."""
        *_, source = self.same_values(tensor)
        return self.producers.get(source.index)

    def same_values(self, tensor: Tensor) -> Iterator[Tensor]:
        """``tensor`` and, upstream, what it is a copy of in another shape or number format."""
        for _ in range(_LONGEST_CHAIN):
            yield tensor
            operator = self.producers.get(tensor.index)
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
        quantization = raw.quantization
        scales, block = _array(quantization and quantization.scale, np.float32), None
        if quantization is not None and quantization.detailsType == schema().QuantizationDetails.BlockwiseQuantization:
            # Blocks keep their scales, float16, in a tensor of their own.
            kept = self._data(index, self.raw.tensors[quantization.details.scales].buffer)
            scales = _array(None if kept is None else kept.view(np.float16), np.float32)
            block = int(quantization.details.blockSize)
        return Tensor(
            index, _text(raw.name), type_name(raw), _ints(raw.shape) or (), _ints(raw.shapeSignature), int(raw.buffer),
            scales, _array(quantization and quantization.zeroPoint, np.int64),
            int(quantization.quantizedDimension) if quantization is not None else 0, block,
            self._data(index, raw.buffer))

    def _data(self, index: int, buffer: int) -> np.ndarray | None:
        if not 0 <= buffer < len(self._model.buffers):
            raise ModelFileError(f"tensor {index} is in buffer {buffer}, but there are {len(self._model.buffers)}")
        data = self._model.buffers[buffer].data
        return np.asarray(data, np.uint8) if data is not None and len(data) else None

    def _operator(self, index: int, raw: Any) -> Operator:
        code = self._model.operatorCodes[raw.opcodeIndex]
        return Operator(
            index, operator_name(code), bool(code.customCode),
            int(max(code.builtinCode, code.deprecatedBuiltinCode)), int(code.version),
            tuple(self.tensors[one] if one >= 0 else None for one in _list(raw.inputs)),
            tuple(self.tensors[one] for one in _list(raw.outputs)), raw.builtinOptions or raw.builtinOptions2,
            (self._model, self.raw, raw))


@dataclass(frozen=True, eq=False)
class Entry:
    """A signature: what programs call a subgraph and its inputs and outputs."""

    name: str
    subgraph: Subgraph
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


class Graphs:
    """All graphs of a file."""

    def __init__(self, raw: Any) -> None:
        """``raw``: the object form (``flatbuffer.read_model``)."""
        self.raw = raw

    @classmethod
    def read(cls, content: bytes) -> Graphs:
        """The graphs of the file ``content``, which must be sound (``soundness.check_tflite``)."""
        return cls(read_model(content))

    @cached_property
    def subgraphs(self) -> tuple[Subgraph, ...]:
        """In the order of the file."""
        return tuple(Subgraph(self.raw, index) for index in range(len(self.raw.subgraphs or [])))

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The signatures, in the order of the file."""
        return tuple(self._entry(definition) for definition in self.raw.signatureDefs or [])

    @property
    def description(self) -> str:
        """What the file says that it is; may be empty."""
        return _text(self.raw.description)

    @cached_property
    def metadata_sizes(self) -> Mapping[int, int]:
        """Buffer of each metadata entry → its bytes."""
        buffers = {int(entry.buffer): self.raw.buffers[entry.buffer].data for entry in self.raw.metadata or []}
        return {index: 0 if data is None else len(data) for index, data in buffers.items()}

    def entry(self, name: str) -> Entry:
        """The signature ``name``. Raises ModelFileError when there is none."""
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise ModelFileError(f"the model has no signature {name!r}")

    def _entry(self, definition: Any) -> Entry:
        subgraph = self.subgraphs[definition.subgraphIndex]
        inputs, outputs = ({_text(one.name): subgraph.tensors[one.tensorIndex] for one in side or []}
                           for side in (definition.inputs, definition.outputs))
        return Entry(_text(definition.signatureKey), subgraph, inputs, outputs)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else (value or b"").decode("utf-8", "replace")


def _list(values: Any) -> list[int]:
    return [] if values is None else [int(value) for value in values]


def _ints(values: Any) -> tuple[int, ...] | None:
    return None if values is None else tuple(int(value) for value in values)


def _array(values: Any, kind: type) -> np.ndarray:
    return np.zeros(0, kind) if values is None else np.asarray(values, kind).ravel()
