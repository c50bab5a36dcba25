"""What is inside a ``.tflite``, ours or anyone's: signatures, operators, sizes, delegation, provenance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mobilebert_lite.errors import ModelFileError, one_line
from mobilebert_lite.inspection.tensors import PartSize, TensorFacts, read_tensors, sizes
from mobilebert_lite.running.delegation import Delegation, delegation_of
from mobilebert_lite.running.isolation.session import IsolatedSession
from mobilebert_lite.running.model import read_tflite
from mobilebert_lite.running.runtime import load_runtime
from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite.calls import WITHOUT_KERNEL, alone, reached
from mobilebert_lite.tflite.flatbuffer import write_model
from mobilebert_lite.tflite.graph import Graphs, Subgraph, Tensor
from mobilebert_lite.tflite.op_versions import first_runtime

LARGEST_BUFFERS = 8
# Subgraphs that are loaded to see their partitions; each costs up to a second.
MOST_DELEGATIONS = 16


@dataclass(frozen=True)
class TensorInfo:
    """An input or output."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class SignatureInfo:
    """One entry point of the file."""

    name: str
    subgraph: int
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: int
    # None where the runtime of this machine cannot say, and for subgraphs after the first 16.
    delegation: Delegation | None


@dataclass(frozen=True)
class OperatorInfo:
    """How often an operator occurs in the first subgraph, and since when runtimes have it."""

    name: str
    version: int
    count: int
    since: str | None


@dataclass(frozen=True)
class Inspection:
    """Everything `mbl inspect` shows."""

    path: str
    bytes: int
    description: str
    signatures: tuple[SignatureInfo, ...]
    operators: tuple[OperatorInfo, ...]
    # Number format -> bytes of constant tensors in it.
    bytes_by_type: dict[str, int]
    # (name, format, shape, bytes) of the largest constants.
    largest: tuple[tuple[str, str, tuple[int, ...], int], ...]
    # Appended file -> bytes.
    files: dict[str, int]
    provenance: dict[str, Any]
    # How the bytes of the file divide, largest part first.
    parts: tuple[PartSize, ...]
    # Of every subgraph.
    tensors: tuple[TensorFacts, ...]

    def to_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


def inspect(path: Path) -> Inspection:
    """Look into ``path``. Raises ModelFileError when it is not a readable ``.tflite``."""
    content = read_tflite(path)
    try:
        graphs = Graphs.read(content)
        constants = _constants(graphs)
        files = {one_line(name): len(data) for name, data in metadata.read_files(content).items()}
        tensors = read_tensors(graphs)
        return Inspection(
            str(path), len(content), one_line(graphs.description), tuple(_signatures(graphs)),
            tuple(_operators(graphs.subgraphs[0])), dict(_bytes_by_type(constants)),
            tuple(constants[:LARGEST_BUFFERS]), files, metadata.read_provenance(content),
            tuple(sizes(tensors, graphs, files, len(content))), tuple(tensors))
    except ModelFileError:
        raise
    except Exception as error:  # the generated reader fails in any way on a damaged flatbuffer
        raise ModelFileError(f"{path} is a damaged .tflite: {type(error).__name__} while reading its tables") from None


def _signatures(graphs: Graphs) -> list[SignatureInfo]:
    # Two names of one subgraph are common, and loading a model to see its partitions costs a second.
    subgraphs = sorted({entry.subgraph.index for entry in graphs.entries})
    delegations = {index: delegation(graphs, index) for index in subgraphs[:MOST_DELEGATIONS]}
    return [SignatureInfo(one_line(entry.name), entry.subgraph.index, _infos(entry.inputs), _infos(entry.outputs),
                          len(entry.subgraph.operators), delegations.get(entry.subgraph.index))
            for entry in graphs.entries]


def _infos(tensors: Mapping[str, Tensor]) -> tuple[TensorInfo, ...]:
    return tuple(TensorInfo(one_line(name), tensor.kind.lower(), tensor.shape) for name, tensor in tensors.items())


def _operators(subgraph: Subgraph) -> list[OperatorInfo]:
    counts = Counter((operator.name, operator.version) for operator in subgraph.operators)
    return [OperatorInfo(name, version, count, first_runtime(name, version))
            for (name, version), count in counts.most_common()]


def _constants(graphs: Graphs) -> list[tuple[str, str, tuple[int, ...], int]]:
    """Every buffer that a tensor uses, the largest first; a shared one counts once."""
    found: dict[int, tuple[str, str, tuple[int, ...], int]] = {}
    for subgraph in graphs.subgraphs:
        for tensor in subgraph.tensors:
            if tensor.constant and tensor.buffer not in found:
                found[tensor.buffer] = one_line(tensor.name), tensor.kind, tensor.shape, tensor.bytes
    return sorted(found.values(), key=lambda row: -row[3])


def _bytes_by_type(constants: Sequence[tuple[str, str, tuple[int, ...], int]]) -> Counter[str]:
    sizes: Counter[str] = Counter()
    for _, kind, _, size in constants:
        sizes[kind] += size
    return sizes


def delegation(graphs: Graphs, subgraph: int) -> Delegation | None:
    """Partitions that XNNPACK makes of ``subgraph``, and what stays outside them; None without ai-edge-litert, and
    where it, or one that it calls, has operators that the runtime does not have by itself.

    Found by loading that subgraph alone, with those that it calls.
    """
    loaded = [graphs.subgraphs[index] for index in reached(graphs, subgraph)]
    if load_runtime()[0] != "ai-edge-litert" or any(
            one.custom or one.name in WITHOUT_KERNEL for part in loaded for one in part.operators):
        return None
    with closing(IsolatedSession(write_model(alone(graphs, subgraph)))) as session:
        prepared = session.nodes()
    return delegation_of(prepared["nodes"], prepared["outputs"])
