"""A classifier's logits, out of a file that gives probabilities: what its softmax reads becomes the output."""

from __future__ import annotations

import json

import numpy as np

from mobilebert_lite.errors import DependencyError
from mobilebert_lite.tflite import container
from mobilebert_lite.tflite.edits import set_metadata
from mobilebert_lite.tflite.flatbuffer import read_model, write_model
from mobilebert_lite.tflite.graph import Graphs, Operator, Subgraph, Tensor

PROBABILITY, LOGITS = "probability", "logits"


def expose_logits(content: bytes) -> bytes | None:
    """``content``, one of our files, in the form of ``mbl convert --logits``.

    None where no softmax computes its output ``probability``. Raises DependencyError without the schema of
    ai-edge-litert, which older runtimes come without.
    """
    try:
        model = read_model(content)
    except ImportError:
        raise DependencyError("the logits of a file that gives probabilities can be read with ai-edge-litert alone: "
                              "pip install ai-edge-litert, or convert the checkpoint with --logits") from None
    graphs = Graphs(model)
    for entry, definition in zip(graphs.entries, model.signatureDefs or [], strict=True):
        probability = entry.outputs.get(PROBABILITY)
        logits = None if probability is None else _logits(entry.subgraph, probability)
        if probability is None or logits is None:
            return None
        outputs = [logits if one == probability.index else one for one in entry.subgraph.raw.outputs]
        entry.subgraph.raw.outputs = np.array(outputs, np.int32)
        for output in definition.outputs:
            if output.tensorIndex == probability.index:
                output.name, output.tensorIndex = LOGITS.encode(), logits
    provenance = container.read_provenance(content)
    provenance["form"] = {**provenance.get("form", {}), "logits": True}
    set_metadata(model, container.ENTRY, json.dumps(provenance, sort_keys=True).encode())
    return container.append_files(write_model(model), container.read_files(content))


def _logits(subgraph: Subgraph, probability: Tensor) -> int | None:
    """The float tensor of the logits behind ``probability``; None where no softmax computes it."""
    last = subgraph.producers.get(probability.index)
    if last is None or last.name != "DEQUANTIZE":
        return _input(last, "FLOAT32")
    # Integers are widened last: these become the logits' integers.
    integers = _input(subgraph.producers.get(last.operand(0).index), last.operand(0).kind)
    if integers is not None:
        subgraph.raw.operators[last.index].inputs = np.array([integers], np.int32)
    return None if integers is None else probability.index


def _input(operator: Operator | None, kind: str) -> int | None:
    """What a softmax over numbers of ``kind`` reads."""
    if operator is None or operator.name != "SOFTMAX":
        return None
    tensor = operator.operand(0)
    return tensor.index if tensor.kind == kind else None
