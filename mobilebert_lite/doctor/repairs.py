"""Mends that change no weight and no operator: versions, order, signature, metadata, carried files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mobilebert_lite.architecture.form import INPUTS
from mobilebert_lite.doctor.facts import CLASSIFICATION, EMBEDDING, FEATURES, QA, Facts, Port
from mobilebert_lite.errors import RepairError
from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite import edits, op_versions
from mobilebert_lite.tflite.calls import calls
from mobilebert_lite.tflite.edits import set_metadata
from mobilebert_lite.tflite.metadata import (
    AXIS_LABELS,
    BERT_TOKENIZER,
    ENTRY,
    AssociatedFile,
    ModelMetadata,
    ProcessUnit,
    SubgraphMetadata,
    TensorMetadata,
)
from mobilebert_lite.tflite.metadata import VOCABULARY as VOCABULARY_TYPE
from mobilebert_lite.tflite.metadata_writer import pack_metadata
from mobilebert_lite.tflite.roles import PROBABILITY, QA_OUTPUTS, VECTOR, VECTORS

# What the outputs of each kind are called, in the order of positions.
OUTPUTS = {QA: QA_OUTPUTS, CLASSIFICATION: (PROBABILITY,), FEATURES: VECTORS, EMBEDDING: (VECTOR,)}


def stamp(model: Any) -> None:
    """Operator versions and min_runtime_version as the operands need them."""
    oldest = op_versions.stamp_versions(model)
    set_metadata(model, "min_runtime_version", oldest.encode().ljust(16, b"\0"))


def order(model: Any, facts: Facts) -> None:
    """Inputs ids, mask, segment_ids and outputs end, start, in the first subgraph, its signatures and metadata.

    Raises RepairError where another subgraph calls it: a call hands values on by their order.
    """
    if any(called == 0 for subgraph in facts.subgraphs for _, _, called in calls(subgraph)):
        raise RepairError("the first subgraph is called by another, which counts on the order of its inputs and "
                          "outputs")
    for side, ports, wanted in (("inputs", facts.inputs, INPUTS), ("outputs", facts.outputs, OUTPUTS[facts.kind])):
        places = arrangement(ports, wanted)
        indices = [int(index) for index in getattr(model.subgraphs[0], side)]
        setattr(model.subgraphs[0], side, [indices[place] for place in places])
        for definition in model.signatureDefs or []:
            if definition.subgraphIndex == 0:
                entries = {int(entry.tensorIndex): entry for entry in getattr(definition, side)}
                setattr(definition, side, [entries[indices[place]] for place in places if indices[place] in entries])
    if facts.metadata is not None and facts.subgraph_metadata is not None:
        described = facts.subgraph_metadata
        inputs = _moved(described.inputs, arrangement(facts.inputs, INPUTS))
        outputs = _moved(described.outputs, arrangement(facts.outputs, OUTPUTS[facts.kind]))
        _write(model, facts.metadata, replace(described, inputs=inputs, outputs=outputs))


def arrangement(ports: Sequence[Port], wanted: Sequence[str]) -> list[int]:
    """The places of ``ports`` in the order of ``wanted``; as they are where their meaning is not known."""
    roles = {port.role: port.number for port in ports}
    return [roles[name] for name in wanted] if set(roles) == set(wanted) else [port.number for port in ports]


def _moved(described: tuple[TensorMetadata, ...], places: Sequence[int]) -> tuple[TensorMetadata, ...]:
    return tuple(described[place] for place in places) if len(described) == len(places) else described


def add_signature(model: Any, facts: Facts) -> None:
    """serving_default for the first subgraph, with the names that clients know, else those of the tensors."""
    inputs, outputs = ([
        (name or port.tensor.name.split(":")[0] or f"{side[:-1]}_{port.number}", port.tensor.index)
        for port, name in zip(ports, _names(ports, _wanted(facts, side)), strict=True)]
        for side, ports in (("inputs", facts.inputs), ("outputs", facts.outputs)))
    edits.add_signature(model, edits.DEFAULT_SIGNATURE, 0, inputs, outputs)


def describe(model: Any, facts: Facts, files: dict[str, bytes], labels_given: bool) -> None:
    """Metadata as the text clients need them; what else they say stays.

    ``files`` are those that the file will carry. Raises RepairError where it cannot be told what a tensor is, or
    when there is no vocabulary.
    """
    whole = facts.metadata or ModelMetadata("MobileBERT", f"MobileBERT for {facts.kind}")
    described = facts.subgraph_metadata or SubgraphMetadata()
    vocabulary = _vocabulary(facts, files)
    unit = ProcessUnit(BERT_TOKENIZER, (AssociatedFile(
        vocabulary, "The WordPiece vocabulary, one word a line in the order of the ids.", VOCABULARY_TYPE),))
    outputs = _described(facts.outputs, OUTPUTS[facts.kind])
    if facts.kind == CLASSIFICATION and len(outputs) == 1:
        outputs = (_labeled(outputs[0], facts.outputs[0], files, labels_given),)
    _write(model, whole, replace(described, inputs=_described(facts.inputs, INPUTS), outputs=outputs,
                                 input_process_units=(unit, *described.input_process_units[1:])))


def _described(ports: Sequence[Port], wanted: tuple[str, ...]) -> tuple[TensorMetadata, ...]:
    names = _names(ports, wanted)
    if len(ports) != len(wanted) or None in names:
        unknown = ", ".join(port.name or str(port.number) for port in ports)
        raise RepairError(f"cannot tell which of {unknown} is which of {', '.join(wanted)}; convert again with "
                              "a signature of these names")
    by_name = {port.metadata.name: port.metadata for port in ports if port.metadata}
    return tuple(replace(by_name.get(str(name)) or port.metadata or TensorMetadata(""), name=str(name))
                 for port, name in zip(ports, names, strict=True))


def _names(ports: Sequence[Port], wanted: Sequence[str]) -> list[str | None]:
    """What each of ``ports`` is; the only one that is unknown is the one that is left over."""
    names = [port.role if port.role in wanted else None for port in ports]
    left = [name for name in wanted if name not in names]
    if len(left) == 1 and names.count(None) == 1:
        names[names.index(None)] = left[0]
    return names if len({name for name in names if name}) == sum(name is not None for name in names) else [None] * len(
        names)


def _wanted(facts: Facts, side: str) -> tuple[str, ...]:
    return INPUTS if side == "inputs" else OUTPUTS.get(facts.kind, ())


def _vocabulary(facts: Facts, files: dict[str, bytes]) -> str:
    names = [facts.vocabulary_name, metadata.VOCABULARY, *(name for name in files if "vocab" in name.lower())]
    for name in names:
        if name in files:
            return name
    raise RepairError("the file carries no vocabulary, and metadata without one help nobody; give it with --vocab")


def _labeled(tensor: TensorMetadata, port: Port, files: dict[str, bytes], given: bool) -> TensorMetadata:
    """With the labels where there are any, and as many as the output has."""
    known = [one.name for one in tensor.files if one.type == AXIS_LABELS]
    classes = port.tensor.shape[-1] if port.tensor.shape else 0
    for name in (metadata.LABELS, *known) if given else (*known, metadata.LABELS):
        if name in files and len(files[name].decode("utf-8", "replace").splitlines()) == classes:
            others = tuple(one for one in tensor.files if one.name != name)
            return replace(tensor, files=(AssociatedFile(name, "", AXIS_LABELS), *(
                one for one in others if one.type != AXIS_LABELS)))
    return tensor


def _write(model: Any, whole: ModelMetadata, first: SubgraphMetadata) -> None:
    set_metadata(model, ENTRY, pack_metadata(replace(whole, subgraphs=(first, *whole.subgraphs[1:]))))
