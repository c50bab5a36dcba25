"""A front end and a network joined in one subgraph of a file, over the network's own buffers."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from mobilebert_lite.architecture.form import INPUTS
from mobilebert_lite.tflite import edits
from mobilebert_lite.tflite.flatbuffer import schema
from mobilebert_lite.tflite.graph import Graphs


def add_signature(model: Any, network: str, front: bytes, name: str, extra: Sequence[str]) -> None:
    """Give ``model`` a signature ``name``: the one-signature file ``front``, and signature ``network`` fed by it.

    The front end's outputs called ``extra`` are outputs of the whole too. Edits ``model`` in place.
    """
    source, graphs = Graphs.read(front), Graphs(model)
    [entry] = source.entries
    definition = graphs.entry(network)
    buffers, codes = len(model.buffers), len(model.operatorCodes)
    model.buffers += source.raw.buffers
    model.operatorCodes += source.raw.operatorCodes

    joined, front_graph, network_graph = schema().SubGraphT(), entry.subgraph.raw, definition.subgraph.raw
    shift = len(front_graph.tensors)
    made = {key: tensor.index for key, tensor in entry.outputs.items()}
    assert set(made) >= set(INPUTS)
    places = {tensor.index: made[key] for key, tensor in definition.inputs.items()}
    joined.name = name.encode()
    joined.tensors = [_with(tensor, buffer=tensor.buffer + buffers) for tensor in front_graph.tensors]
    joined.tensors += [copy.copy(tensor) for tensor in network_graph.tensors]
    joined.operators = [_with(one, opcodeIndex=one.opcodeIndex + codes) for one in front_graph.operators]
    joined.operators += [_moved(one, shift, places) for one in network_graph.operators]
    inputs = {key: tensor.index for key, tensor in entry.inputs.items()}
    outputs = {key: tensor.index + shift for key, tensor in definition.outputs.items()}
    outputs |= {key: made[key] for key in extra}
    joined.inputs, joined.outputs = list(inputs.values()), list(outputs.values())
    model.subgraphs = [*model.subgraphs, joined]
    edits.add_signature(model, name, len(model.subgraphs) - 1, inputs.items(), outputs.items())


def _moved(operator: Any, shift: int, places: Mapping[int, int]) -> Any:
    """``operator`` with its tensors ``shift`` further on; those in ``places`` are replaced."""
    def move(indices: Any) -> list[int]:
        return [int(index) if index < 0 else places.get(int(index), int(index) + shift) for index in indices]

    return _with(operator, inputs=move(operator.inputs), outputs=move(operator.outputs))


def _with(value: Any, **fields: Any) -> Any:
    changed = copy.copy(value)
    for name, field in fields.items():
        setattr(changed, name, field)
    return changed
