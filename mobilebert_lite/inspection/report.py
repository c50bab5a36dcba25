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

from mobilebert_lite.errors import ModelFileError, printable
from mobilebert_lite.inspection.tensors import PartSize, Tensor, read_tensors, sizes
from mobilebert_lite.running.isolation.session import IsolatedSession
from mobilebert_lite.running.model import read_tflite
from mobilebert_lite.running.runtime import load_runtime
from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite.flatbuffer import read_model, write_model
from mobilebert_lite.tflite.op_versions import first_runtime, operator_name, type_name
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
class Delegation:
    """What XNNPACK takes of a signature."""

    partitions: int
    # Operators that stay with the built-in kernels, in the order of execution: (index, name).
    outside: tuple[tuple[int, str], ...]


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
    tensors: tuple[Tensor, ...]

    def to_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


def inspect(path: Path) -> Inspection:
    """Look into ``path``. Raises ModelFileError when it is not a readable ``.tflite``."""
    content = read_tflite(path)
    try:
        model = read_model(content)
        constants = _constants(model)
        files = {printable(name): len(data) for name, data in metadata.read_files(content).items()}
        tensors = read_tensors(model)
        return Inspection(
            str(path), len(content), _text(model.description), tuple(_signatures(model)), tuple(_operators(model)),
            dict(_bytes_by_type(constants)), tuple(constants[:LARGEST_BUFFERS]),
            files, metadata.read_provenance(content), tuple(sizes(tensors, model, files, len(content))), tuple(tensors))
    except ModelFileError:
        raise
    except Exception as error:  # the generated reader fails in any way on a damaged flatbuffer
        raise ModelFileError(f"{path} is a damaged .tflite: {type(error).__name__} while reading its tables") from None


def _text(value: bytes | str | None) -> str:
    return printable(value.decode("utf-8", "replace") if isinstance(value, bytes) else value or "")


def _signatures(model: Any) -> list[SignatureInfo]:
    found = []
    # Two names of one subgraph are common, and loading a model to see its partitions costs a second.
    subgraphs = sorted({int(definition.subgraphIndex) for definition in model.signatureDefs or []})
    delegations = {index: delegation(model, index) for index in subgraphs[:MOST_DELEGATIONS]}
    for definition in model.signatureDefs or []:
        subgraph = model.subgraphs[definition.subgraphIndex]
        found.append(SignatureInfo(
            _text(definition.signatureKey), int(definition.subgraphIndex), _tensors(subgraph, definition.inputs),
            _tensors(subgraph, definition.outputs), len(subgraph.operators),
            delegations.get(definition.subgraphIndex)))
    return found


def _tensors(subgraph: Any, entries: Sequence[Any]) -> tuple[TensorInfo, ...]:
    tensors = [(entry, subgraph.tensors[entry.tensorIndex]) for entry in entries]
    return tuple(TensorInfo(_text(entry.name), type_name(tensor).lower(), tuple(map(int, tensor.shape)))
                 for entry, tensor in tensors)


def _operators(model: Any) -> list[OperatorInfo]:
    counts: Counter[tuple[str, int]] = Counter()
    for operator in model.subgraphs[0].operators:
        code = model.operatorCodes[operator.opcodeIndex]
        counts[operator_name(code), int(code.version)] += 1
    return [OperatorInfo(name, version, count, first_runtime(name, version))
            for (name, version), count in counts.most_common()]


def _constants(model: Any) -> list[tuple[str, str, tuple[int, ...], int]]:
    """Every buffer that a tensor uses, the largest first; a shared one counts once."""
    found: dict[int, tuple[str, str, tuple[int, ...], int]] = {}
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            data = model.buffers[tensor.buffer].data
            if data is not None and len(data) and tensor.buffer not in found:
                shape = () if tensor.shape is None else tuple(map(int, tensor.shape))
                found[tensor.buffer] = (_text(tensor.name), type_name(tensor), shape, len(data))
    return sorted(found.values(), key=lambda row: -row[3])


def _bytes_by_type(constants: Sequence[tuple[str, str, tuple[int, ...], int]]) -> Counter[str]:
    sizes: Counter[str] = Counter()
    for _, kind, _, size in constants:
        sizes[kind] += size
    return sizes


def delegation(model: Any, subgraph: int) -> Delegation | None:
    """Partitions that XNNPACK makes of ``subgraph``, and what stays outside them; None without ai-edge-litert, and
    for a subgraph with custom operators, which cannot be loaded alone.

    Found by loading that subgraph alone: the runtime appends one DELEGATE node per partition.
    """
    codes = [model.operatorCodes[operator.opcodeIndex] for operator in model.subgraphs[subgraph].operators]
    if load_runtime()[0] != "ai-edge-litert" or any(code.customCode for code in codes):
        return None
    with closing(IsolatedSession(write_model(_alone(model, subgraph)))) as session:
        plan = session.nodes()
    nodes = plan["nodes"]
    partitions = [node for node in nodes if node["name"] == "DELEGATE"]
    producer = {index: node for node in nodes if node["name"] != "DELEGATE" for index in node["outputs"]}
    delegated = {index for node in partitions for index in node["outputs"]}
    # A replaced node stays in the list, so what still runs is found backwards from what is read.
    outside: dict[int, str] = {}
    wanted = [*(index for node in partitions for index in node["inputs"]), *plan["outputs"]]
    while wanted:
        node = producer.get(index := wanted.pop())
        if node is None or index in delegated or node["index"] in outside:
            continue
        outside[node["index"]] = node["name"]
        wanted += node["inputs"]
    return Delegation(len(partitions), tuple(sorted(outside.items())))


def _alone(model: Any, subgraph: int) -> Any:
    """A model that begins with that subgraph and goes on with those that it calls; shares the rest with ``model``."""
    numbers = {subgraph: 0}
    for caller in (order := [subgraph]):
        for _, _, called in _calls(model, model.subgraphs[caller]):
            if called not in numbers:
                numbers[called] = len(order)
                order.append(called)
    alone = copy.copy(model)
    alone.subgraphs = [_renumbered(model, model.subgraphs[index], numbers) for index in order]
    alone.signatureDefs = []
    return alone


def _calls(model: Any, subgraph: Any) -> Iterator[tuple[int, str, int]]:
    """(operator, field of its options, subgraph that the field names) for control flow."""
    for number, operator in enumerate(subgraph.operators):
        for name in CALLS.get(int(model.operatorCodes[operator.opcodeIndex].builtinCode), ()):
            first, *rest = name.split("_")
            field = first + "".join(map(str.capitalize, rest))
            for called in np.atleast_1d(getattr(operator.builtinOptions or operator.builtinOptions2, field)):
                yield number, field, int(called)


def _renumbered(model: Any, subgraph: Any, numbers: Mapping[int, int]) -> Any:
    """``subgraph`` with the new numbers of the subgraphs that it calls."""
    calls = {(number, field) for number, field, _ in _calls(model, subgraph)}
    if not calls:
        return subgraph
    renumbered = copy.copy(subgraph)
    renumbered.operators = list(subgraph.operators)
    for number in {number for number, _ in calls}:
        renumbered.operators[number] = copy.deepcopy(subgraph.operators[number])
    for number, field in calls:
        operator = renumbered.operators[number]
        options = operator.builtinOptions or operator.builtinOptions2
        named = getattr(options, field)
        setattr(options, field, numbers[int(named)] if np.ndim(named) == 0 else [numbers[int(one)] for one in named])
    return renumbered
