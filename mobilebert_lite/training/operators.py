"""What the operators of a ``.tflite`` compute, in float32 and for batches of any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mobilebert_lite.common.tf import tf
from mobilebert_lite.errors import TrainingError
from mobilebert_lite.tflite.flatbuffer import schema


def activate(x: tf.Tensor, operator: Any) -> tf.Tensor:
    """``x`` after the activation that is fused into ``operator``. Raises TrainingError for one but relu and relu6."""
    kinds = schema().ActivationFunctionType
    kind = getattr(operator.builtinOptions, "fusedActivationFunction", kinds.NONE)
    if kind == kinds.NONE:
        return x
    if kind == kinds.RELU:
        return tf.nn.relu(x)
    if kind == kinds.RELU6:
        return tf.nn.relu6(x)
    raise TrainingError(f"quantization-aware training cannot follow a fused activation of kind {kind}")


def _is_batch(tensor: Any) -> bool:
    return tensor.shape is not None and len(tensor.shape) > 1 and tensor.shape[0] == 1


def _reshape(operator: Any, values: list[Any], tensors: list[Any]) -> tf.Tensor:
    # The file is for a batch of one: the first axis is the batch, or, where there is but one, rows of all texts.
    shape = [int(size) for size in values[1]]
    return tf.reshape(values[0], [-1, *shape[1:]])


def _slice(operator: Any, values: list[Any], tensors: list[Any]) -> tf.Tensor:
    begin, size = (one.tolist() for one in values[1:3])
    return tf.slice(values[0], begin, [-1, *size[1:]] if _is_batch(tensors[0]) else size)


def _concatenation(operator: Any, values: list[Any], tensors: list[Any]) -> tf.Tensor:
    rows = next(tf.shape(value)[0] for value, tensor in zip(values, tensors, strict=True) if not _is_const(value))
    values = [tf.tile(value, [rows, *[1] * (len(value.shape) - 1)]) if _is_const(value) and _is_batch(tensor)
              else value for value, tensor in zip(values, tensors, strict=True)]
    return tf.concat(values, axis=operator.builtinOptions.axis)


def _is_const(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _binary(compute: Callable[[Any, Any], Any]) -> Callable[..., tf.Tensor]:
    def apply(operator: Any, values: list[Any], tensors: list[Any]) -> tf.Tensor:
        # Rows [B·S, C] of a gather meet [B, S, C]: at a batch of one the file needs no reshape.
        wide = next((tensor for tensor in tensors if tensor.shape is not None and len(tensor.shape) == 3), None)
        values = [tf.reshape(value, [-1, *wide.shape[1:2], value.shape[1]])
                  if wide is not None and not _is_const(value) and len(value.shape) == 2 else value for value in values]
        return activate(compute(*values), operator)

    return apply


def _batch_matmul(operator: Any, values: list[Any], tensors: list[Any]) -> tf.Tensor:
    options = operator.builtinOptions
    return tf.matmul(*values, transpose_a=bool(options.adjX), transpose_b=bool(options.adjY))


# (operator, what it reads, the tensors it reads) → its output, for all that hold no weights.
COMPUTE: dict[str, Callable[..., tf.Tensor]] = {
    "RESHAPE": _reshape,
    "SLICE": _slice,
    "CONCATENATION": _concatenation,
    "BATCH_MATMUL": _batch_matmul,
    "ADD": _binary(tf.add),
    "SUB": _binary(tf.subtract),
    "MUL": _binary(tf.multiply),
    "TRANSPOSE": lambda operator, values, tensors: tf.transpose(values[0], values[1]),
    "GATHER": lambda operator, values, tensors: tf.gather(values[0], values[1]),
    "QUANTIZE": lambda operator, values, tensors: values[0],
    "DEQUANTIZE": lambda operator, values, tensors: values[0],
    "CAST": lambda operator, values, tensors: tf.cast(values[0], tf.float32),
    "SOFTMAX": lambda operator, values, tensors: tf.nn.softmax(values[0] * operator.builtinOptions.beta),
    "LOGISTIC": lambda operator, values, tensors: tf.sigmoid(values[0]),
    "TANH": lambda operator, values, tensors: tf.tanh(values[0]),
    "RELU": lambda operator, values, tensors: tf.nn.relu(values[0]),
    "RELU6": lambda operator, values, tensors: tf.nn.relu6(values[0]),
}
