"""Which part of a MobileBERT a tensor belongs to, told from names and from what computes and reads it.

Works on our files and on those of others (Hugging Face's, Google's and the Model Garden's names); what tells nothing
is ``other``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from mobilebert_lite.tflite.graph import Graphs, Subgraph, Tensor

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


def places(graphs: Graphs) -> list[list[Place]]:
    """The place of every tensor, subgraph by subgraph."""
    # A constant that a later subgraph shares is where the first one has it; our files drop the names there.
    known: dict[int, Place] = {}
    return [_places(subgraph, known) for subgraph in graphs.subgraphs]


def _places(subgraph: Subgraph, known: dict[int, Place]) -> list[Place]:
    named = [place_of_name(tensor.name) or (known.get(tensor.buffer) if tensor.constant else None)
             for tensor in subgraph.tensors]
    for operator in subgraph.operators:
        # What has no telling name is where its weights are, or else where the activation it is computed from is.
        before = next((named[tensor.index] for tensor in sorted(operator.operands, key=lambda one: not one.constant)
                       if named[tensor.index] and not (tensor.constant and not _is_table(tensor))), None)
        if before and before.part in (WORDS, POSITIONS):
            before = Place(EMBEDDING)
        for tensor in operator.outputs:
            named[tensor.index] = named[tensor.index] or before
    for operator in reversed(subgraph.operators):
        after = named[operator.output.index] if operator.outputs else None
        for tensor in operator.operands:
            if _is_table(tensor):
                named[tensor.index] = named[tensor.index] or after
    found = [place or Place(OTHER) for place in named]
    _place_tables(subgraph, found)
    known |= {tensor.buffer: found[tensor.index] for tensor in subgraph.tensors
              if tensor.constant and tensor.buffer not in known}
    return found


def _place_tables(subgraph: Subgraph, found: list[Place]) -> None:
    """The constants of the embedding by what reads them, in place: tables that are looked up, and the sum that has a
    row for every position."""
    rows: dict[int, int] = {}
    for operator in subgraph.operators:
        looked_up = operator.inputs[1 if operator.name == "EMBEDDING_LOOKUP" else 0] \
            if operator.name in _LOOKUPS else None
        for tensor in operator.operands:
            if not _is_table(tensor) or found[tensor.index].layer is not None:
                continue
            if tensor is looked_up:
                rows[tensor.index] = tensor.shape[0]
            elif (operator.name in ("ADD", "SLICE") and len(tensor.shape) >= 2 and tensor.shape[-2] > 2
                  and found[tensor.index].part == EMBEDDING):
                found[tensor.index] = Place(POSITIONS)
    for index, count in rows.items():
        if count == max(rows.values()) and count > 2:
            found[index] = Place(WORDS)


def _is_table(tensor: Tensor) -> bool:
    """Whether it is a constant that tells what reads it."""
    return tensor.constant and math.prod(tensor.shape) >= _FEWEST
