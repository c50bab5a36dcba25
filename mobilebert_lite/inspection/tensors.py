"""Every tensor of a ``.tflite``: where it belongs, its size, and how it is quantized."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilebert_lite.inspection.parts import places
from mobilebert_lite.tflite.flatbuffer import schema
from mobilebert_lite.tflite.op_versions import operator_name, type_name

# Least and greatest integer of the formats that scales are for.
_INTEGERS = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767), "INT4": (-8, 7), "INT2": (-2, 1)}


@dataclass(frozen=True)
class Quantization:
    """Scales and zero points: real = scale · (integer − zero point)."""

    scales: int
    # The axis that has a scale per entry; None for one scale.
    axis: int | None
    # Entries of the last axis that share a scale; None but for blockwise formats.
    block: int | None
    scale_min: float
    scale_max: float
    zero_point_min: int
    zero_point_max: int
    # The least and greatest real value that the format reaches, over all scales; None where integers have no ends
    # worth a name (32 bits).
    real_min: float | None
    real_max: float | None


@dataclass(frozen=True)
class Tensor:
    """One tensor. Constants that several signatures share are listed once, with the first."""

    subgraph: int
    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    # constant, input, output or activation
    role: str
    # Stored in the file; 0 for what is computed.
    bytes: int
    # As parts.Place.
    part: str
    layer: int | None
    # The operator that computes it, with its place in the order of execution: ``ADD 20``. None for constants and
    # inputs.
    producer: str | None
    quantization: Quantization | None


@dataclass(frozen=True)
class PartSize:
    """Bytes of the file; those of all parts make up the whole."""

    part: str
    bytes: int
    # Number format -> bytes; empty for what is no tensor.
    bytes_by_type: Mapping[str, int]


def read_tensors(model: Any) -> list[Tensor]:
    """The tensors of every subgraph, in the order in which its operators use them."""
    found: list[Tensor] = []
    seen: set[tuple[int, bytes]] = set()
    for number, (subgraph, found_places) in enumerate(zip(model.subgraphs, places(model), strict=True)):
        producers = _producers(model, subgraph)
        for index in _order(subgraph):
            tensor, place = subgraph.tensors[index], found_places[index]
            data = model.buffers[tensor.buffer].data
            size = 0 if data is None else len(data)
            key = (int(tensor.buffer), _scales(model, subgraph, tensor)[0].tobytes())
            if size and key in seen:
                continue
            seen.add(key)
            found.append(Tensor(
                number, index, (tensor.name or b"").decode("utf-8", "replace"), type_name(tensor),
                () if tensor.shape is None else tuple(map(int, tensor.shape)), _role(subgraph, index, size), size,
                place.part, place.layer, producers.get(index), _quantization(model, subgraph, tensor)))
    return found


def _order(subgraph: Any) -> list[int]:
    """Tensors by the first operator that touches them; what none does comes last."""
    first: dict[int, None] = {}
    for operator in subgraph.operators:
        first |= dict.fromkeys(int(index) for index in (*operator.inputs, *operator.outputs) if index >= 0)
    return list(first | dict.fromkeys(range(len(subgraph.tensors))))


def _producers(model: Any, subgraph: Any) -> dict[int, str]:
    return {int(index): f"{operator_name(model.operatorCodes[operator.opcodeIndex])} {number}"
            for number, operator in enumerate(subgraph.operators) for index in operator.outputs}


def _role(subgraph: Any, index: int, size: int) -> str:
    if size:
        return "constant"
    return "input" if index in subgraph.inputs else "output" if index in subgraph.outputs else "activation"


def _scales(model: Any, subgraph: Any, tensor: Any) -> tuple[np.ndarray, int | None]:
    """All scales, and the size of a block where blocks have their own. *Shape:* → (scales,)"""
    quantization = tensor.quantization
    if quantization is None:
        return np.zeros(0, np.float32), None
    if quantization.detailsType == schema().QuantizationDetails.BlockwiseQuantization:
        # Blocks keep their scales, float16, in a tensor of their own.
        data = model.buffers[subgraph.tensors[quantization.details.scales].buffer].data
        return np.asarray(data, np.uint8).view(np.float16).astype(np.float32), int(quantization.details.blockSize)
    return np.asarray([] if quantization.scale is None else quantization.scale, np.float32), None


def _quantization(model: Any, subgraph: Any, tensor: Any) -> Quantization | None:
    scales, block = _scales(model, subgraph, tensor)
    if not scales.size:
        return None
    kept = tensor.quantization.zeroPoint
    zeros = np.zeros(1, np.int64) if kept is None or not len(kept) else np.asarray(kept, np.int64)
    zeros = zeros if len(zeros) in (1, len(scales)) else zeros[:1]
    ends = _INTEGERS.get(type_name(tensor))
    low, high = ((float((scales * (end - zeros)).min()), float((scales * (end - zeros)).max())) for end in ends) \
        if ends else ((None, None), (None, None))
    return Quantization(
        int(scales.size), int(tensor.quantization.quantizedDimension) if scales.size > 1 else None, block,
        float(scales.min()), float(scales.max()), int(zeros.min()), int(zeros.max()),
        low[0] if ends else None, high[1] if ends else None)


def sizes(tensors: Iterable[Tensor], model: Any, files: Mapping[str, int], total: int) -> list[PartSize]:
    """How the ``total`` bytes of the file divide, largest first; what is neither a tensor, metadata nor a file is the
    graph: operators, names, scales."""
    by_part: dict[str, Counter[str]] = defaultdict(Counter)
    counted: set[int] = set()
    for tensor in tensors:
        buffer = int(model.subgraphs[tensor.subgraph].tensors[tensor.index].buffer)
        if tensor.bytes and buffer not in counted:
            counted.add(buffer)
            by_part[tensor.part][tensor.dtype] += tensor.bytes
    metadata = sum(len(model.buffers[index].data) for index in {int(entry.buffer) for entry in model.metadata or []}
                   if model.buffers[index].data is not None and index not in counted)
    found = [PartSize(part, sum(kinds.values()), dict(kinds)) for part, kinds in by_part.items()]
    found += [PartSize(f"file {name}", size, {}) for name, size in files.items()]
    found += [PartSize("metadata", metadata, {})] if metadata else []
    rest = total - sum(one.bytes for one in found)
    return sorted([*found, PartSize("operators, names and scales", rest, {})], key=lambda one: -one.bytes)

