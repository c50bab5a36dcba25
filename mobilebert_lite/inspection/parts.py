"""Which part of a MobileBERT a tensor belongs to, told from names and from what computes and reads it.

Works on our files and on those of others (Hugging Face's, Google's and the Model Garden's names); what tells nothing
is ``other``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mobilebert_lite.tflite.op_versions import operator_name

# The parts of the network in the order of computation.
WORDS, POSITIONS, EMBEDDING, MASK = "word table", "positions", "embedding", "mask"
BOTTLENECKS, ATTENTION, FEED_FORWARD, HEAD, OTHER = (
    "bottlenecks and values", "attention", "feed-forward", "head", "other")

# `layers.3` is ours, `layer_3` Google's, `layer.3` and `layer_._3` Hugging Face's; `ffn_layer_0` is no block.
_LAYER = re.compile(r"(?<!ffn_)\blayers?[._/]+(\d+)|encoder/layer_(\d+)|transformer/layer_(\d+)")
# The first that is found in a name decides. Ours calls the last bottleneck `layers.3.output`; elsewhere that is the
# last dense layer of the feed-forward network.
_NAMES = [(re.compile(pattern), part) for pattern, part in (
    (r"bottleneck|layers\.\d+\.output|value", BOTTLENECKS),
    (r"attention|query|key", ATTENTION),
    (r"ffn|intermediate|layer[._/]+\d+[./]output", FEED_FORWARD),
    (r"position_embedding|embeddings\.position", POSITIONS),
    (r"word_embedding|embeddings\.word", WORDS),
    (r"embedding|token_type|segment|input_ids|\bids\b", EMBEDDING),
    (r"\bhead\b|classifier|classification|\bcls\b|qa_outputs|\bqa\b|pooler|predictions|\bmlm\b|logits", HEAD),
    (r"mask", MASK),
)]
_LOOKUPS = ("GATHER", "GATHER_ND", "EMBEDDING_LOOKUP")
# Constants with fewer elements are indices, shapes and single numbers, which tell nothing of what reads them.
_FEWEST = 64


@dataclass(frozen=True)
class Place:
    """Where in the network; ``layer`` is None outside the blocks."""

    part: str
    layer: int | None = None


def place_of_name(name: str) -> Place | None:
    """What a name tells, or None. Names of fused operators are joined with ``;``; the last that tells counts."""
    for piece in reversed(name.split(";")):
        layer = _LAYER.search(piece)
        for pattern, part in _NAMES:
            if pattern.search(piece):
                return Place(part, int(next(filter(None, layer.groups()))) if layer else None)
    return None


def places(model: Any) -> list[list[Place]]:
    """The place of every tensor, subgraph by subgraph."""
    # A constant that a later subgraph shares is where the first one has it; our files drop the names there.
    known: dict[int, Place] = {}
    return [_places(model, subgraph, known) for subgraph in model.subgraphs]


def _places(model: Any, subgraph: Any, known: dict[int, Place]) -> list[Place]:
    constant = [_size(model, tensor) > 0 for tensor in subgraph.tensors]
    named = [place_of_name(_text(tensor.name)) or (known.get(tensor.buffer) if constant[index] else None)
             for index, tensor in enumerate(subgraph.tensors)]
    for operator in subgraph.operators:
        # What has no telling name is where its weights are, or else where the activation it is computed from is.
        inputs = sorted((index for index in operator.inputs if index >= 0), key=lambda index: not constant[index])
        before = next((named[index] for index in inputs
                       if named[index] and not (constant[index] and _elements(subgraph, index) < _FEWEST)), None)
        if before and before.part in (WORDS, POSITIONS):
            before = Place(EMBEDDING)
        for index in operator.outputs:
            named[index] = named[index] or before
    for operator in reversed(subgraph.operators):
        after = named[operator.outputs[0]] if len(operator.outputs) else None
        for index in operator.inputs:
            if index >= 0 and constant[index] and _elements(subgraph, index) >= _FEWEST:
                named[index] = named[index] or after
    found = [place or Place(OTHER) for place in named]
    _place_tables(model, subgraph, [constant[i] and _elements(subgraph, i) >= _FEWEST for i in range(len(found))],
                  found)
    known |= {tensor.buffer: found[index] for index, tensor in enumerate(subgraph.tensors)
              if constant[index] and tensor.buffer not in known}
    return found


def _place_tables(model: Any, subgraph: Any, table: Sequence[bool], found: list[Place]) -> None:
    """The constants of the embedding by what reads them, in place: tables that are looked up, and the sum that has a
    row for every position."""
    rows: dict[int, int] = {}
    for operator in subgraph.operators:
        name = operator_name(model.operatorCodes[operator.opcodeIndex])
        looked_up = operator.inputs[1 if name == "EMBEDDING_LOOKUP" else 0] if name in _LOOKUPS else None
        for index in operator.inputs:
            if index < 0 or not table[index] or found[index].layer is not None:
                continue
            shape = subgraph.tensors[index].shape
            if index == looked_up:
                rows[index] = int(shape[0])
            elif name in ("ADD", "SLICE") and len(shape) >= 2 and shape[-2] > 2 and found[index].part == EMBEDDING:
                found[index] = Place(POSITIONS)
    for index, count in rows.items():
        if count == max(rows.values()) and count > 2:
            found[index] = Place(WORDS)


def _elements(subgraph: Any, index: int) -> int:
    shape = subgraph.tensors[index].shape
    return 1 if shape is None else math.prod(map(int, shape))


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def _size(model: Any, tensor: Any) -> int:
    data = model.buffers[tensor.buffer].data
    return 0 if data is None else len(data)
