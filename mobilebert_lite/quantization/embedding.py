"""The word table in eight or sixteen bits; ai-edge-quantizer leaves the table of a GATHER in float.

Row by row, because word vectors differ in size by an order of magnitude and one scale for the whole table would spend
most of its steps on a few rare words. The graph gathers int8 rows and widens only those
(``graph.embeddings.lookup_words``).

Sixteen bits are two int8 tables, the high and the low byte: no runtime gathers float16 rows, and the LiteRT GPU
accelerator gathers no type but float32 and int8. A step is 1/65,024 of the row's range, finer than float16 for
all but the smallest numbers of a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mobilebert_lite.tflite.edits import add_operator_code
from mobilebert_lite.tflite.flatbuffer import schema
from mobilebert_lite.tflite.graph import Graphs

TABLE, LOW, SCALE = "embeddings.word", "embeddings.word.low", "embeddings.word.scale"
# What a masked LM head multiplies with.
TIED = "mlm.word"


def quantize_rows(tensors: Mapping[str, np.ndarray], word_table: str) -> dict[str, np.ndarray]:
    """``tensors`` with the word table in the format ``word_table``, int8 or int16.

    int8: [V,E] and its scales, float32 [V,1]. int16: q = 256·high + low, each int8 [V,E], and the scales of q/256.

    A masked LM head multiplies with the same table. In int8 it gets the rounded values as ``mlm.word``, which quantize
    to the same bytes, so that a finished file holds them once; in int16 it keeps its own.
    """
    table = tensors[TABLE]
    scale = np.abs(table).max(axis=1, keepdims=True) / 127.0
    scale = np.where(scale > 0, scale, 1.0).astype(np.float32)
    result = {**tensors, SCALE: scale}
    if word_table == "int8":
        result[TABLE] = np.rint(table / scale).astype(np.int8)
        tied = result[TABLE] * scale
    else:
        steps = np.rint(table / scale * 256.0)
        high = np.floor((steps + 128.0) / 256.0)  # leaves a remainder from -128 to 127
        result |= {TABLE: high.astype(np.int8), LOW: (steps - 256.0 * high).astype(np.int8)}
        tied = table
    if "mlm.bias" in tensors:
        result.setdefault(TIED, tied)
    return result


def dequantize_rows(model: Any) -> None:
    """Widen the gathered int8 rows of ``model`` by DEQUANTIZE with scale 1 where the graph has CAST, in place.

    The numbers are the same. The LiteRT GPU accelerator (2.3) crashes on a CAST of int8.
    """
    for subgraph in Graphs(model).subgraphs:
        for operator in subgraph.operators:
            rows = operator.input(0)
            if operator.name != "CAST" or rows is None or rows.kind != "INT8":
                continue
            raw, tensors = subgraph.raw.operators[operator.index], subgraph.raw.tensors
            raw.opcodeIndex = add_operator_code(model, "DEQUANTIZE")
            raw.builtinOptions, raw.builtinOptionsType = None, 0
            table = subgraph.producers[rows.index].operand(0)
            tensors[rows.index].quantization = tensors[table.index].quantization = _unit_scale()


def _unit_scale() -> Any:
    quantization = schema().QuantizationParametersT()
    quantization.scale, quantization.zeroPoint = np.ones(1, np.float32), np.zeros(1, np.int64)
    return quantization
