"""The GPU delegate and the LiteRT GPU accelerator.

Contract: tensorflow/lite/tools/versioning/gpu_compatibility.cc for what is refused, and what the accelerator of
ai-edge-litert 2.3 was seen to refuse or to compute wrongly. Everything is computed in float16.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from mobilebert_lite.doctor.facts import Facts
from mobilebert_lite.doctor.findings import ERROR, WARNING, Check, Problem, some
from mobilebert_lite.tflite.graph import Operator

KINDS = ()

# All that gpu_compatibility.cc knows and a text model may use. What is not here stays on the CPU.
_KNOWN = frozenset((
    "ABS", "ADD", "ADD_N", "ATAN2", "BATCH_MATMUL", "CAST", "CEIL", "CONCATENATION", "COS", "CUMSUM", "DEQUANTIZE",
    "DIV", "EMBEDDING_LOOKUP", "EQUAL", "EXP", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "FULLY_CONNECTED", "GATHER", "GELU",
    "GREATER", "GREATER_EQUAL", "HARD_SWISH", "LESS", "LESS_EQUAL", "LOG", "LOGICAL_AND", "LOGISTIC", "MAXIMUM",
    "MEAN", "MINIMUM", "MIRROR_PAD", "MUL", "NEG", "NOT_EQUAL", "ONE_HOT", "PACK", "PAD", "PADV2", "POW", "PRELU",
    "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE", "RSQRT",
    "SELECT", "SELECT_V2", "SIGN", "SIN", "SLICE", "SOFTMAX", "SPLIT", "SPLIT_V", "SQRT", "SQUARE",
    "SQUARED_DIFFERENCE", "STRIDED_SLICE", "SUB", "SUM", "TANH", "TILE", "TRANSPOSE",
))
_SLICE_MASKS = {"ellipsisMask": "ellipsis_mask", "newAxisMask": "new_axis_mask", "shrinkAxisMask": "shrink_axis_mask"}
_LARGEST = float(np.finfo(np.float16).max)


def _gather(operator: Operator) -> str | None:
    table, rows = operator.input(0), operator.input(1)
    if rows is not None and len(rows.shape) != 1:
        return f"GATHER with {len(rows.shape)}-D indices stays off the GPU: only 1-D indices"
    if table is not None and operator.outputs and table.kind == "FLOAT16" != operator.outputs[0].kind:
        return "GATHER from a float16 table into another type stays off the GPU"
    if table is not None and table.kind == "INT32":
        return "GATHER from an int32 table stays off the GPU"
    return "GATHER takes int32 indices only" if rows is not None and rows.kind != "INT32" else None


def _strided_slice(operator: Operator) -> str | None:
    for field, name in _SLICE_MASKS.items():
        if getattr(operator.options, field, None):
            return f"STRIDED_SLICE with {name} stays off the GPU"
    return _slice_rank(operator)


def _slice_rank(operator: Operator) -> str | None:
    data = operator.input(0)
    if data is not None and len(data.shape) not in (3, 4):
        return f"{operator.name} of a {len(data.shape)}-D tensor stays off the GPU: 3 or 4 dimensions"
    return None


def _cast(operator: Operator) -> str | None:
    kinds = {tensor.kind for tensor in (*operator.inputs, *operator.outputs) if tensor is not None}
    if "BOOL" in kinds and kinds <= {"BOOL", "FLOAT32", "FLOAT16"}:
        return None
    odd = sorted(kinds - {"FLOAT32", "INT32"})
    return f"CAST of {', '.join(odd).lower()} stays off the GPU" if odd else None


def _pad(operator: Operator) -> str | None:
    amounts = operator.input(1)
    if amounts is not None and amounts.shape not in ((3, 2), (4, 2)):
        return f"{operator.name} of a {amounts.shape[0] if amounts.shape else 0}-D tensor stays off the GPU"
    return None


def _dequantize(operator: Operator) -> str | None:
    data = operator.input(0)
    return "DEQUANTIZE of int16 stays off the GPU" if data is not None and data.kind == "INT16" else None


def _lookup(operator: Operator) -> str | None:
    table = operator.input(1)
    if table is not None and len(table.scales) == 1 and table.quantized:
        return "EMBEDDING_LOOKUP with one scale for the table is computed wrongly on the GPU"
    return None


_RULES: dict[str, Callable[[Operator], str | None]] = {
    "GATHER": _gather, "STRIDED_SLICE": _strided_slice, "SLICE": _slice_rank, "CAST": _cast, "PAD": _pad,
    "PADV2": _pad, "DEQUANTIZE": _dequantize, "EMBEDDING_LOOKUP": _lookup,
}


def rejection(operator: Operator) -> str | None:
    """Why ``operator`` stays on the CPU; None when the GPU takes it."""
    if operator.custom or operator.name not in _KNOWN:
        return f"{operator.name} is no operator of the GPU's"
    if any(tensor is not None and tensor.kind == "INT64" for tensor in (*operator.inputs, *operator.outputs)):
        return f"{operator.name} of int64 stays off the GPU"
    # Weights that DEQUANTIZE widens are constants for the accelerator, and cost nothing per inference.
    if operator.name != "DEQUANTIZE" and all(tensor is None or tensor.data is not None for tensor in operator.inputs):
        return f"{operator.name} of constants stays off the GPU"
    for tensor in operator.inputs:
        if tensor is not None and tensor.data is None and not 1 <= len(tensor.shape) <= 4:
            return f"{operator.name} of a {len(tensor.shape)}-D tensor stays off the GPU: 1 to 4 dimensions"
    return rule(operator) if (rule := _RULES.get(operator.name)) else None


def _operators(facts: Facts) -> Iterator[Problem]:
    reasons = Counter(reason for _, operator in facts.operators if (reason := rejection(operator)))
    for reason, count in reasons.most_common():
        severity = ERROR if "wrongly" in reason else WARNING
        yield Problem(severity, f"{count} {reason.split()[0]}", f"{reason}; data go to the CPU and back there",
                      "convert with `mbl convert --quantize none|fp16|dynamic`, whose files run whole on GPUs")


def _layout(facts: Facts) -> Iterator[Problem]:
    flat = [operator.place for operator in facts.first.operators if operator.name in ("FULLY_CONNECTED", "BATCH_MATMUL")
            and (data := operator.input(0)) is not None and data.data is None
            and ((len(data.shape) == 2 and data.shape[0] > 1)
                 or (operator.name == "BATCH_MATMUL" and len(data.shape) == 3 and data.shape[0] > 1))]
    if flat:
        yield Problem(ERROR, some(flat), f"{len(flat)} products of activations without a batch axis ([S, C], [A, S, d])"
                      ": the GPU takes their first axis for a batch and computes wrong logits",
                      "convert with `mbl convert`, whose activations are [1, S, C] and [1, A, S, d]")


def _float16(facts: Facts) -> Iterator[Problem]:
    large: list[tuple[str, float]] = []
    for operator in facts.first.operators:
        for tensor in operator.inputs:
            values = tensor.floats() if tensor is not None else ()
            if len(values) and not np.abs(values).max() <= _LARGEST:
                large.append((operator.place, float(values[np.abs(values).argmax()])))
    if large:
        yield Problem(ERROR, some(place for place, _ in large), f"{len(large)} constants ({large[0][1]:.4g}) are "
                      f"beyond ±{_LARGEST:.0f}: infinite in float16, and 0·∞ is NaN", "convert with `mbl "
                      "convert`, whose mask constants float16 holds, or let the GPU compute in float32")
    room = facts.provenance.get("float16")
    if isinstance(room, dict) and room.get("bits_above", 0) < 0:
        yield Problem(ERROR, str(room.get("largest_in")), f"activations of {room.get('largest'):.4g} overflow float16 "
                      "(measured at conversion)", "let the GPU compute in float32 (precision FP32)")


def _integers(facts: Facts) -> Iterator[Problem]:
    kinds = Counter(operator.name for operator in facts.first.operators
                    if operator.name in ("FULLY_CONNECTED", "ADD", "SOFTMAX", "BATCH_MATMUL")
                    and operator.outputs and operator.outputs[0].quantized)
    if kinds:
        counts = some(f"{count} {name}" for name, count in kinds.items())
        yield Problem(WARNING, counts, "int8 activations are made for CPUs and NPUs; a GPU computes them in float16 "
                      "with roundings in between, slower than float",
                      "convert with --quantize none|fp16|dynamic")


def _shapes(facts: Facts) -> Iterator[Problem]:
    if any(port.tensor.is_dynamic for port in facts.inputs):
        yield Problem(ERROR, "inputs", "dynamic shapes keep the whole graph off the GPU", "convert with --seq-len")


CHECKS = (
    Check("operators", "no operator that stays on the CPU, such as GATHER with 2-D indices", _operators),
    Check("layout", "activations [1, S, C], attention [1, A, S, d]", _layout),
    Check("float16", "constants and activations within ±65504", _float16),
    Check("integers", "float activations", _integers),
    Check("dynamic-shapes", "fixed shapes", _shapes),
)
