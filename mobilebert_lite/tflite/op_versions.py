"""Operator versions: which one each operator of a file really needs, and the first runtime that has it.

A runtime refuses a version it does not know, which is the only protection against a kernel that would read the
operands wrongly: a per-channel dynamic FULLY_CONNECTED stamped as version 1 loads in runtime 2.14 and returns NaN.
Rules and first runtimes: tensorflow/compiler/mlir/lite/tools/versioning/{op_version,runtime_version}.cc, read at
TensorFlow 2.23 development. Only operators that occur in a MobileBERT are listed; others keep their version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from mobilebert_lite.errors import RequestError, one_line
from mobilebert_lite.tflite.first_runtimes import OTHERS
from mobilebert_lite.tflite.flatbuffer import schema


@dataclass(frozen=True)
class Signature:
    """What a version depends on."""

    # Type names of inputs and outputs (FLOAT32, INT8, …); None for an operand left out.
    inputs: tuple[str | None, ...]
    outputs: tuple[str | None, ...]
    rank: int
    # Whether the first operand (QUANTIZE, DEQUANTIZE) or the weights (FULLY_CONNECTED) have a scale per channel.
    per_channel: bool
    options: Any
    # scale(a)·scale(b)/scale(out) of an int8 product.
    rescale: float = 0.0
    # Whether the weights have a scale for every few inputs of a channel.
    blockwise: bool = False


def _by_first_input(**versions: int) -> Callable[[Signature], int]:
    """The version is decided by the type of the first input alone; 1 otherwise."""
    return lambda signature: versions.get(signature.inputs[0] or "", 1)


def _fully_connected(signature: Signature) -> int:
    data, weights, out = signature.inputs[0], signature.inputs[1], signature.outputs[0]
    # Blocks have no version of their own: runtime 2.14 loads them as version 10 and reads one scale for them all, which
    # is 27 off on logits of ±37. 14 is the first version that came after them.
    if weights == "INT2" or signature.blockwise:
        return 14
    if (data, weights, out) == ("INT16", "INT4", "INT16"):
        return 13
    hybrid = (data, weights, out) == ("FLOAT32", "INT8", "FLOAT32")
    # int4 channels the same: 2.14 loads version 10 and, for some widths, takes the first channel's scale for all.
    if data == out == "FLOAT32" and weights in ("INT8", "INT4") and signature.per_channel:
        return 12
    # Nor have channels of int16 layers: 2.14 loads version 7 and takes the first channel's scale for all. 12 stands for
    # the same step with float inputs.
    if data == "INT16" and signature.per_channel:
        return 12
    if data == "INT16" and signature.options.quantizedBiasType:
        return 11
    if len(signature.inputs) == 2:
        return 6
    # The source tests keep_num_dims first; an int4 or asymmetric operand needs the later kernel all the same.
    needs = [1]
    if signature.options.keepNumDims:
        needs.append(5)
    if (data, weights) == ("INT16", "INT8"):
        needs.append(7)
    if (data, weights, out) == ("INT8", "INT8", "INT8"):
        needs.append(4)
    if weights == "INT4":
        needs.append(10)
    if hybrid:
        needs.append(9 if signature.options.asymmetricQuantizeInputs else 3)
    return max(needs)


def _gather(signature: Signature) -> int:
    if signature.options is not None and signature.options.batchDims:
        return 5
    return {"INT4": 7, "INT16": 4, "BOOL": 3, "INT8": 2}.get(signature.inputs[0] or "", 1)


def _cast(signature: Signature) -> int:
    kinds = {signature.inputs[0], signature.outputs[0]}
    if "BFLOAT16" in kinds:
        return 7
    if (signature.inputs[0], signature.outputs[0]) == ("INT4", "FLOAT32"):
        return 6
    if kinds & {"FLOAT16", "FLOAT64"}:
        return 5
    return next((version for kind, version in (("UINT16", 4), ("INT8", 3), ("UINT32", 2)) if kind in kinds), 1)


def _dequantize(signature: Signature) -> int:
    if signature.inputs[0] == "INT8":
        return 5 if signature.per_channel else 2
    return {"INT4": 6, "INT2": 7, "INT16": 3, "FLOAT16": 3}.get(signature.inputs[0] or "", 1)


def _quantize(signature: Signature) -> int:
    if signature.per_channel:
        return 3
    return 2 if signature.outputs[0] == "INT16" else 1


def _add(signature: Signature) -> int:
    kind = signature.inputs[0]
    return {"FLOAT16": 6, "INT64": 4, "INT16": 3, "INT8": 2}.get(kind or "", 1)


def _mul(signature: Signature) -> int:
    kind = signature.inputs[0]
    if kind == "INT8" and signature.rescale >= 1.0:
        return 3
    return {"FLOAT16": 8, "INT64": 5, "INT16": 4, "INT8": 2}.get(kind or "", 1)


def _transpose(signature: Signature) -> int:
    kind = signature.inputs[0]
    return max({"INT16": 5, "BOOL": 3, "INT8": 2}.get(kind or "", 1), 4 if signature.rank > 4 else 1)


def _batch_matmul(signature: Signature) -> int:
    if signature.inputs[:2] == ("FLOAT32", "INT8") and signature.options.asymmetricQuantizeInputs:
        return 4
    return {"INT16": 3, "INT8": 2}.get(signature.inputs[0] or "", 1)


_SQUASHING = _by_first_input(INT16=3, INT8=2)

RULES: dict[str, Callable[[Signature], int]] = {
    "FULLY_CONNECTED": _fully_connected, "GATHER": _gather, "CAST": _cast, "DEQUANTIZE": _dequantize,
    "QUANTIZE": _quantize, "ADD": _add, "MUL": _mul, "TRANSPOSE": _transpose, "BATCH_MATMUL": _batch_matmul,
    "SUB": _by_first_input(INT16=5, INT64=4, INT8=2), "SLICE": _by_first_input(INT16=4, INT8=2),
    "CONCATENATION": _by_first_input(INT16=3, INT8=2), "SOFTMAX": _SQUASHING, "MEAN": _SQUASHING,
    "TANH": _SQUASHING, "LOGISTIC": _SQUASHING, "RSQRT": _SQUASHING, "GELU": _by_first_input(INT8=2),
    "RELU": _by_first_input(INT16=3, INT8=2), "RELU6": _by_first_input(INT16=3, INT8=2),
    "RESHAPE": _by_first_input(), "SQUARE": _by_first_input(),
    "SQUARED_DIFFERENCE": _by_first_input(INT8=2), "PACK": _by_first_input(INT16=3, INT8=2),
    "MAX_POOL_2D": _SQUASHING, "DIV": _by_first_input(INT8=2),
    "MAXIMUM": _by_first_input(INT16=4, INT8=2), "SUM": _by_first_input(INT8=2, INT16=2),
}

# First runtime that has each version, in order of versions 1, 2, 3, …
FIRST_RUNTIME: dict[str, tuple[str, ...]] = {
    "FULLY_CONNECTED": ("1.5.0", "1.10.0", "1.14.0", "1.14.0", "2.0.0", "2.1.0", "2.3.0", "2.3.0", "2.3.0", "2.11.0",
                        "2.15.0", "2.17.0", "2.18.0", "2.21.0"),
    "GATHER": ("1.6.0", "1.14.0", "1.15.0", "2.4.0", "2.5.0", "2.13.0", "2.15.0"),
    "DEQUANTIZE": ("1.13.1", "1.14.0", "1.15.0", "2.2.0", "2.7.0", "2.18.0", "2.21.0", "2.22.0"),
    "QUANTIZE": ("1.14.0", "1.15.0", "2.7.0", "2.21.0", "2.21.0", "2.21.0"),
    "ADD": ("1.5.0", "1.14.0", "2.4.0", "2.6.0", "2.13.0", "2.23.0"),
    "MUL": ("1.5.0", "1.14.0", "1.15.0", "2.3.0", "2.6.0", "2.11.0", "2.13.0", "2.23.0"),
    "SUB": ("1.6.0", "1.14.0", "2.3.0", "2.4.0", "2.4.0"),
    "TRANSPOSE": ("1.6.0", "1.14.0", "1.15.0", "2.3.0", "2.4.0", "2.12.0", "2.14.4", "2.22.0"),
    "BATCH_MATMUL": ("2.3.0", "2.3.0", "2.4.0", "2.5.0"),
    "SLICE": ("1.14.0", "1.14.0", "1.14.0", "2.4.0", "2.5.0", "2.14.0", "2.21.0"),
    "CONCATENATION": ("1.5.0", "1.14.0", "2.3.0", "2.14.0", "2.21.0"),
    "SOFTMAX": ("1.5.0", "1.14.0", "2.3.0"), "MEAN": ("1.6.0", "1.14.0", "2.4.0"),
    "TANH": ("1.14.0", "1.14.0", "2.3.0"), "LOGISTIC": ("1.14.0", "1.14.0", "2.3.0"),
    "RSQRT": ("1.10.0", "2.5.0", "2.15.0"), "GELU": ("2.9.0", "2.9.0"), "RELU": ("1.5.0", "2.1.0", "2.5.0"),
    "RESHAPE": ("1.5.0",), "SQUARE": ("1.12.0",), "SQUARED_DIFFERENCE": ("1.13.1", "2.5.0"),
    "PACK": ("1.11.0", "1.14.0", "2.3.0", "2.13.0"),
    "CAST": ("1.5.0", "2.7.0", "2.8.0", "2.9.0", "2.12.0", "2.15.0", "2.17.0", "2.21.0"),
    "EMBEDDING_LOOKUP": ("1.13.0", "1.14.0", "1.14.0", "2.18.0", "2.21.0"),
    **OTHERS,
}


def stamp_versions(model: Any) -> str:
    """Give every operator of ``model`` the version it needs; returns the oldest runtime that runs them all."""
    codes: dict[tuple[int, int, bytes], Any] = {}
    for subgraph in model.subgraphs:
        for operator in subgraph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            version = needed_version(model, subgraph, operator)
            key = (code.builtinCode, version, code.customCode or b"")
            if key not in codes:
                codes[key] = (len(codes), _code(code, version))
            operator.opcodeIndex = codes[key][0]
    model.operatorCodes = [code for _, code in codes.values()]
    return oldest_runtime(model)


def needed_version(model: Any, subgraph: Any, operator: Any) -> int:
    """The version of one operator; its present one where no rule is known."""
    code = model.operatorCodes[operator.opcodeIndex]
    rule = RULES.get(operator_name(code))
    return rule(_signature(subgraph, operator)) if rule else int(code.version)


def oldest_runtime(model: Any) -> str:
    """The first TFLite runtime that has every operator version in ``model`` and computes it rightly, as ``2.3.0``."""
    versions = [first_runtime(operator_name(code), code.version) for code in model.operatorCodes]
    versions += [right_since(model, subgraph, operator) for subgraph in model.subgraphs
                 for operator in subgraph.operators]
    return latest(versions)


def latest(versions: Iterable[str | None]) -> str:
    """The latest of those that are known; the oldest runtime there is where none is."""
    return max((version for version in versions if version), key=as_tuple, default="1.5.0")


def right_since(model: Any, subgraph: Any, operator: Any) -> str | None:
    """The first runtime that computes an operator rightly, where older ones load its version and do not.

    Found by running files in tflite-runtime 2.7 to 2.14. A later version would keep the others out, but delegates for
    NPUs take no FULLY_CONNECTED beyond version 5 (tensorflow/lite/delegates/nnapi/nnapi_delegate.cc).
    """
    if operator_name(model.operatorCodes[operator.opcodeIndex]) != "FULLY_CONNECTED":
        return None
    data, weights = (subgraph.tensors[index] for index in operator.inputs[:2])
    kinds = type_name(data), type_name(weights)
    if kinds == ("INT8", "INT8") and len(_scales(weights)) > 1:
        return "2.10.0"  # up to 2.9.1 the first channel's scale is taken for all
    return "2.8.0" if kinds == ("INT16", "INT8") else None


def first_runtime(name: str, version: int) -> str | None:
    """The first runtime with ``version`` of operator ``name``; None when it is not known here."""
    known = FIRST_RUNTIME.get(name, ())
    return known[version - 1] if 1 <= version <= len(known) else None


def as_tuple(version: str) -> tuple[int, ...]:
    """``2.14.0`` as (2, 14, 0), for comparison; ``2.14`` is the same. Raises RequestError for anything else."""
    try:
        parts = tuple(int(part) for part in version.split("."))
        return parts + (0,) * (3 - len(parts))
    except ValueError:
        raise RequestError(f"{version!r} is not a runtime version such as 2.14.0") from None


@cache
def _operator_names() -> dict[int, str]:
    return {value: name for name, value in vars(schema().BuiltinOperator).items() if isinstance(value, int)}


def operator_name(code: Any) -> str:
    """FULLY_CONNECTED and so on; the custom name for an operator that is not built in."""
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    if code.customCode:
        return one_line(code.customCode.decode("utf-8", "replace"))
    return _operator_names().get(builtin, f"operator {builtin}")


@cache
def _type_names() -> dict[int, str]:
    return {value: name for name, value in vars(schema().TensorType).items() if isinstance(value, int)}


def type_name(tensor: Any) -> str:
    """FLOAT32, INT8 and so on."""
    return _type_names()[tensor.type]


def _signature(subgraph: Any, operator: Any) -> Signature:
    inputs = [subgraph.tensors[index] if index >= 0 else None for index in operator.inputs]
    outputs = [subgraph.tensors[index] for index in operator.outputs]
    weights = inputs[1] if len(inputs) > 2 else inputs[0]
    return Signature(tuple(tensor and type_name(tensor) for tensor in inputs),
                     tuple(type_name(tensor) for tensor in outputs),
                     len(inputs[0].shape) if inputs[0] is not None and inputs[0].shape is not None else 0,
                     len(_scales(weights)) > 1, operator.builtinOptions, _rescale(inputs, outputs),
                     _is_blockwise(weights))


def _scales(tensor: Any) -> Any:
    quantization = tensor.quantization if tensor is not None else None
    return () if quantization is None or quantization.scale is None else quantization.scale


def _is_blockwise(tensor: Any) -> bool:
    quantization = tensor.quantization if tensor is not None else None
    return quantization is not None and quantization.detailsType == schema().QuantizationDetails.BlockwiseQuantization


def _rescale(inputs: list[Any], outputs: list[Any]) -> float:
    scales = [_scales(tensor) for tensor in (*inputs[:2], outputs[0])]
    if len(scales) < 3 or any(len(scale) != 1 for scale in scales):
        return 0.0
    return float(scales[0][0] * scales[1][0] / scales[2][0])


def _code(code: Any, version: int) -> Any:
    fresh = schema().OperatorCodeT()
    fresh.builtinCode, fresh.customCode, fresh.version = code.builtinCode, code.customCode, version
    # Readers before schema 3a take the code from the old one-byte field.
    fresh.deprecatedBuiltinCode = min(code.builtinCode, 127)
    return fresh
