"""A front end and a network joined in one subgraph of a file, over the network's own buffers."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from mobilebert_lite.architecture.form import INPUTS
from mobilebert_lite.tflite.flatbuffer import read_model, schema


def add_signature(model: Any, network: str, front: bytes, name: str, extra: Sequence[str]) -> None:
    """Give ``model`` a signature ``name``: the one-signature file ``front``, and signature ``network`` fed by it.

    The front end's outputs called ``extra`` are outputs of the whole too. Edits ``model`` in place.
    """
    source = read_model(front)
    [entry] = source.signatureDefs
    front_graph = source.subgraphs[entry.subgraphIndex]
    definition = next(one for one in model.signatureDefs if one.signatureKey.decode() == network)
    network_graph = model.subgraphs[definition.subgraphIndex]
    buffers, codes = len(model.buffers), len(model.operatorCodes)
    model.buffers += source.buffers
    model.operatorCodes += source.operatorCodes

    joined = schema().SubGraphT()
    shift = len(front_graph.tensors)
    made = {each.name.decode(): each.tensorIndex for each in entry.outputs}
    places = {each.tensorIndex: made[each.name.decode()] for each in definition.inputs}
    assert set(made) >= set(INPUTS)
    joined.name = name.encode()
    joined.tensors = [_with(tensor, buffer=tensor.buffer + buffers) for tensor in front_graph.tensors]
    joined.tensors += [copy.copy(tensor) for tensor in network_graph.tensors]
    joined.operators = [_with(one, opcodeIndex=one.opcodeIndex + codes) for one in front_graph.operators]
    joined.operators += [_moved(one, shift, places) for one in network_graph.operators]
    joined.inputs = [each.tensorIndex for each in entry.inputs]
    outputs = {each.name.decode(): each.tensorIndex + shift for each in definition.outputs}
    outputs |= {each: made[each] for each in extra}
    joined.outputs = list(outputs.values())
    model.subgraphs = [*model.subgraphs, joined]

    signature = schema().SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = name.encode(), len(model.subgraphs) - 1
    signature.inputs, signature.outputs = entry.inputs, [_named(key, index) for key, index in outputs.items()]
    model.signatureDefs = [*model.signatureDefs, signature]


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


def _named(name: str, index: int) -> Any:
    entry = schema().TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), index
    return entry
