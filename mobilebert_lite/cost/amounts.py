"""How much of each kind of work a graph has: what its cost on a processor depends on, from shapes and number formats.

It describes graphs that XNNPACK takes whole, as ours and those of dynamic files are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from mobilebert_lite.tflite.graph import Operator, Subgraph, Tensor

HALF = "float16"
_ELEMENTWISE = ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "RELU", "TANH", "LOGISTIC", "SQUARED_DIFFERENCE")
_MOVING = ("TRANSPOSE", "SLICE", "STRIDED_SLICE", "SPLIT", "CONCATENATION", "PACK", "UNPACK", "PAD", "GATHER",
           "EMBEDDING_LOOKUP", "CAST", "ONE_HOT")
_BYTES = {HALF: 2, "int8": 1}
OPERATORS = "operators"


def amounts(subgraph: Subgraph, half: bool) -> Mapping[str, float]:
    """Kind of work -> how much: multiplications, outputs and inputs of products, elements of the rest, bytes moved,
    and operators. ``half``: float parts are computed in float16 (tflite entry ``reduced_precision_support``, and a
    processor that can).
    """
    formats = _formats(subgraph, half)
    found: Counter[str] = Counter()
    for operator in subgraph.operators:
        if operator.outputs:
            found.update(_work(operator, formats, half))
            found[OPERATORS] += 1
    return found


def _formats(subgraph: Subgraph, half: bool) -> dict[int, str]:
    """Index of each computed tensor -> the format that it is computed in.

    A dynamic dense layer has no kernel in float16: XNNPACK then computes in float32 all that depends on its output, up
    to the next integers (delegates/xnnpack: "reduced precision" falls back by node).
    """
    found: dict[int, str] = {}
    for operator in subgraph.operators:
        for tensor in operator.outputs:
            if tensor.kind != "FLOAT32":
                found[tensor.index] = tensor.kind.lower()
            elif not half or _dynamic(operator) or any(
                    found.get(one.index) == "float32" for one in operator.operands if not one.constant):
                found[tensor.index] = "float32"
            else:
                found[tensor.index] = HALF
    return found


def _work(operator: Operator, formats: Mapping[int, str], half: bool) -> dict[str, float]:
    out = operator.output
    form = formats[out.index]
    if operator.name == "FULLY_CONNECTED":
        depth = operator.operand(1).shape[-1]
        # Where it may compute in half precision, XNNPACK has other kernels that round inputs, not KleidiAI's.
        dynamic = "dense dynamic, half" if half else "dense dynamic"
        kind = dynamic if _dynamic(operator) else f"dense {form}" if form == "int8" else f"product {form}"
        rounded = {f"{kind}: inputs": _size(operator.operand(0))} if _dynamic(operator) else {}
        return _product(kind, _size(out), depth) | rounded
    if operator.name == "BATCH_MATMUL":
        depth = operator.operand(0).shape[-1]
        return _product(f"product {form}", _size(out), depth) | {f"second operands {form}": _size(operator.operand(1))}
    if operator.name == "SOFTMAX":
        return {f"softmax {form}": _size(out)}
    if operator.name in _ELEMENTWISE:
        return {f"elementwise {form}": _size(out)}
    if operator.name in ("QUANTIZE", "DEQUANTIZE"):
        other = operator.operand(0)
        floats = form if form != "int8" else formats.get(other.index, "float32")
        return {f"converted {floats}": _size(out)}
    if operator.name in _MOVING:
        return {"moved": _size(out) * _BYTES.get(form, 4)}
    return {}


def _product(kind: str, outputs: float, depth: int) -> dict[str, float]:
    return {f"{kind}: multiplications": outputs * depth, f"{kind}: outputs": outputs}


def _dynamic(operator: Operator) -> bool:
    """Whether it rounds its float input while it computes."""
    return (operator.name == "FULLY_CONNECTED" and operator.output.kind == "FLOAT32"
            and operator.operand(1).quantized)


def _size(tensor: Tensor) -> float:
    return float(math.prod(tensor.shape))
