"""What is inside a ``.tflite``, ours or anyone's: signatures, operators, sizes, delegation, provenance."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.errors import ModelFileError, one_line
from mobilebert_lite.inspection.tensors import PartSize, TensorFacts, read_tensors, sizes
from mobilebert_lite.running.delegation import Delegation, delegation_of
from mobilebert_lite.running.isolation.session import IsolatedSession
from mobilebert_lite.running.model import read_tflite
from mobilebert_lite.running.runtime import load_runtime
from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite.flatbuffer import write_model
from mobilebert_lite.tflite.graph import Graphs, Operator, Subgraph, Tensor
from mobilebert_lite.tflite.op_versions import first_runtime
from mobilebert_lite.tflite.soundness import CALLS

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
    for a subgraph with custom operators, which cannot be loaded alone.

    Found by loading that subgraph alone.
    """
    if load_runtime()[0] != "ai-edge-litert" or any(one.custom for one in graphs.subgraphs[subgraph].operators):
        return None
    with closing(IsolatedSession(write_model(_alone(graphs, subgraph)))) as session:
        prepared = session.nodes()
    return delegation_of(prepared["nodes"], prepared["outputs"])


def _alone(graphs: Graphs, subgraph: int) -> Any:
    """A raw model that begins with that subgraph and goes on with those that it calls; shares the rest."""
    numbers = {subgraph: 0}
    for caller in (order := [subgraph]):
        for _, _, called in _calls(graphs.subgraphs[caller]):
            if called not in numbers:
                numbers[called] = len(order)
                order.append(called)
    alone = copy.copy(graphs.raw)
    alone.subgraphs = [_renumbered(graphs.subgraphs[index], numbers) for index in order]
    alone.signatureDefs = []
    return alone


def _calls(subgraph: Subgraph) -> Iterator[tuple[Operator, str, int]]:
    """(operator, field of its options, subgraph that the field names) for control flow."""
    for operator in subgraph.operators:
        for name in CALLS.get(operator.builtin, ()):
            first, *rest = name.split("_")
            field = first + "".join(map(str.capitalize, rest))
            for called in np.atleast_1d(getattr(operator.options, field)):
                yield operator, field, int(called)


def _renumbered(subgraph: Subgraph, numbers: Mapping[int, int]) -> Any:
    """The raw ``subgraph`` with the new numbers of the subgraphs that it calls."""
    calls = {(operator.index, field) for operator, field, _ in _calls(subgraph)}
    if not calls:
        return subgraph.raw
    renumbered = copy.copy(subgraph.raw)
    renumbered.operators = list(subgraph.raw.operators)
    for number in {number for number, _ in calls}:
        renumbered.operators[number] = copy.deepcopy(subgraph.raw.operators[number])
    for number, field in calls:
        operator = renumbered.operators[number]
        options = operator.builtinOptions or operator.builtinOptions2
        named = getattr(options, field)
        setattr(options, field, numbers[int(named)] if np.ndim(named) == 0 else [numbers[int(one)] for one in named])
    return renumbered
