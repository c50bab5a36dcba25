"""Every tensor of a ``.tflite``: where it belongs, its size, and how it is quantized."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from mobilebert_lite.inspection.parts import places
from mobilebert_lite.tflite.graph import Graphs, Subgraph, Tensor

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
class TensorFacts:
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


def read_tensors(graphs: Graphs) -> list[TensorFacts]:
    """The tensors of every subgraph, in the order in which its operators use them."""
    found: list[TensorFacts] = []
    seen: set[tuple[int, int]] = set()
    for subgraph, found_places in zip(graphs.subgraphs, places(graphs), strict=True):
        for tensor in _in_order(subgraph):
            if tensor.constant:
                key = tensor.buffer, hash(tensor.scales.tobytes())
                if key in seen:
                    continue
                seen.add(key)
            place, producer = found_places[tensor.index], subgraph.producers.get(tensor.index)
            found.append(TensorFacts(
                subgraph.index, tensor.index, tensor.name, tensor.kind, tensor.shape, _role(subgraph, tensor),
                tensor.bytes, place.part, place.layer, f"{producer.name} {producer.index}" if producer else None,
                _quantization(tensor)))
    return found


def _in_order(subgraph: Subgraph) -> list[Tensor]:
    """Tensors by the first operator that touches them; what none does comes last."""
    touched = (tensor for operator in subgraph.operators for tensor in (*operator.operands, *operator.outputs))
    return list(dict.fromkeys([*touched, *subgraph.tensors]))


def _role(subgraph: Subgraph, tensor: Tensor) -> str:
    if tensor.constant:
        return "constant"
    return "input" if tensor in subgraph.inputs else "output" if tensor in subgraph.outputs else "activation"


def _quantization(tensor: Tensor) -> Quantization | None:
    scales, zeros = tensor.scales, tensor.zero_points
    if not scales.size:
        return None
    zeros = zeros if len(zeros) == len(scales) else np.zeros(1, np.int64) if not len(zeros) else zeros[:1]
    ends = _INTEGERS.get(tensor.kind)
    low, high = (None, None) if ends is None else (float((scales * (ends[0] - zeros)).min()),
                                                   float((scales * (ends[1] - zeros)).max()))
    return Quantization(int(scales.size), tensor.axis if scales.size > 1 else None, tensor.block, float(scales.min()),
                        float(scales.max()), int(zeros.min()), int(zeros.max()), low, high)


def sizes(tensors: Iterable[TensorFacts], graphs: Graphs, files: Mapping[str, int], total: int) -> list[PartSize]:
    """How the ``total`` bytes of the file divide, largest first; what is neither a tensor, metadata nor a file is the
    graph: operators, names, scales."""
    by_part: dict[str, Counter[str]] = defaultdict(Counter)
    counted: set[int] = set()
    for tensor in tensors:
        buffer = graphs.subgraphs[tensor.subgraph].tensors[tensor.index].buffer
        if tensor.bytes and buffer not in counted:
            counted.add(buffer)
            by_part[tensor.part][tensor.dtype] += tensor.bytes
    metadata = sum(size for buffer, size in graphs.metadata_sizes.items() if buffer not in counted)
    found = [PartSize(part, sum(kinds.values()), dict(kinds)) for part, kinds in by_part.items()]
    found += [PartSize(f"file {name}", size, {}) for name, size in files.items()]
    found += [PartSize("metadata", metadata, {})] if metadata else []
    rest = total - sum(one.bytes for one in found)
    return sorted([*found, PartSize("operators, names and scales", rest, {})], key=lambda one: -one.bytes)
