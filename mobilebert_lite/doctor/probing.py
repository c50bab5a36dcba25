"""Files run on random inputs, tensor by tensor, so that neither names nor order matter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mobilebert_lite.doctor.facts import Facts
from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.tflite.edits import add_signature
from mobilebert_lite.tflite.flatbuffer import read_model, write_model

PROBE = "probe"
# Of all inputs together: a text has three of its length.
_MOST_NUMBERS = 1 << 20


def probe(content: bytes) -> bytes:
    """``content`` with one signature, of the first subgraph, that calls its tensors by their numbers: ``t7``."""
    model = read_model(content)
    inputs_of, outputs_of = ([(f"t{int(index)}", int(index)) for index in side]
                             for side in (model.subgraphs[0].inputs, model.subgraphs[0].outputs))
    model.signatureDefs = []
    add_signature(model, PROBE, 0, inputs_of, outputs_of)
    return write_model(model)


def random_inputs(facts: Facts, seed: int = 0) -> dict[str, np.ndarray]:
    """Ids that the word table has, three quarters of a sequence in two segments; noise for everything else.

    Raises ModelFileError for inputs that are larger than any text is.
    """
    if (size := sum(math.prod(port.tensor.shape) for port in facts.inputs)) > _MOST_NUMBERS:
        raise ModelFileError(f"its inputs have {size:,} numbers; the most is {_MOST_NUMBERS:,}")
    rng = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {}
    for port in facts.inputs:
        shape = port.tensor.shape
        length = shape[-1] if shape else 1
        place = np.broadcast_to(np.arange(length), shape or (1,)) / max(length, 1)
        table = facts.first.table_read_by(port.tensor)
        rows = table.shape[0] if table is not None and table.shape else 2
        values: Any = {"mask": place < 0.75, "segment_ids": place >= 0.5}.get(
            port.role or "", rng.integers(0, max(rows, 1), place.shape))
        if port.tensor.kind.startswith("FLOAT"):
            values = rng.standard_normal(place.shape)
        found[f"t{port.tensor.index}"] = np.asarray(values, _numpy_type(port.tensor.kind)).reshape(shape)
    return found


def _numpy_type(kind: str) -> type:
    known: dict[str, type] = {"FLOAT32": np.float32, "FLOAT16": np.float16, "INT64": np.int64, "INT8": np.int8,
                              "UINT8": np.uint8, "INT16": np.int16, "BOOL": np.bool_}
    return known.get(kind, np.int32)
