"""The word table in eight or sixteen bits; ai-edge-quantizer leaves the table of a GATHER in float.

int8: row by row, because word vectors differ in size by an order of magnitude and one scale for the whole table
would spend most of its steps on a few rare words. The graph gathers int8 rows and widens only those
(``graph.embeddings.lookup_words``).

float16: no runtime gathers float16 rows, so the table is widened once, when the model is loaded: a DEQUANTIZE of a
constant is computed at the first inference and kept (tensorflow/lite/kernels/dequantize.cc).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mobilebert_lite.converters.flatbuffer import add_buffer, add_operator_code, schema
from mobilebert_lite.converters.op_versions import operator_name
from mobilebert_lite.errors import ConversionError

TABLE, SCALE, TIED = "embeddings.word", "embeddings.word.scale", "mlm.word"


def quantise_rows(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """``tensors`` with the word table as int8 [V,E] and its scales as float32 [V,1].

    A masked LM head multiplies with the same table: it gets the rounded values as ``mlm.word``, which quantise to the
    same bytes, so that a finished file holds them once.
    """
    table = tensors[TABLE]
    scale = np.abs(table).max(axis=1, keepdims=True) / 127.0
    scale = np.where(scale > 0, scale, 1.0).astype(np.float32)
    rows = np.rint(table / scale).astype(np.int8)
    result = {**tensors, TABLE: rows, SCALE: scale}
    if "mlm.bias" in tensors:
        result.setdefault(TIED, rows * scale)
    return result


def halve_table(model: Any, words: int) -> None:
    """Store the table of ``words`` rows in ``model`` as float16, in place.

    Raises ConversionError when a value lies beyond what float16 holds.
    """
    kinds = schema().TensorType
    halves: dict[int, int] = {}
    for subgraph in model.subgraphs:
        for gather in [operator for operator in subgraph.operators
                       if operator_name(model.operatorCodes[operator.opcodeIndex]) == "GATHER"]:
            table = subgraph.tensors[gather.inputs[0]]
            if table.type != kinds.FLOAT32 or table.shape[0] != words:
                continue
            if table.buffer not in halves:
                halves[table.buffer] = add_buffer(model, _half(model.buffers[table.buffer].data))
            stored = schema().TensorT()
            stored.name, stored.shape, stored.type = table.name + b".half", table.shape, kinds.FLOAT16
            stored.buffer, table.buffer = halves[table.buffer], 0
            subgraph.tensors.append(stored)
            widen = schema().OperatorT()
            widen.opcodeIndex = add_operator_code(model, "DEQUANTIZE")
            widen.inputs, widen.outputs = [len(subgraph.tensors) - 1], [int(gather.inputs[0])]
            subgraph.operators.insert(0, widen)
    for buffer in halves:
        model.buffers[buffer].data = None


def _half(data: np.ndarray) -> np.ndarray:
    values = data.view(np.float32)
    largest = float(np.abs(values).max())
    if largest > np.finfo(np.float16).max:
        raise ConversionError(f"the word table holds {largest:.3g}, beyond float16 (65504); use --quantize int8")
    return values.astype(np.float16)
