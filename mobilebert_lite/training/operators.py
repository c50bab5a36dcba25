"""What the operators of a ``.tflite`` compute, in float32 and for batches of any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mobilebert_lite.common.tf import tf
from mobilebert_lite.errors import TrainingError
from mobilebert_lite.tflite.flatbuffer import schema
from mobilebert_lite.tflite.graph import Operator, Tensor


def activate(x: tf.Tensor, operator: Operator) -> tf.Tensor:
    """``x`` after the activation that is fused into ``operator``. Raises TrainingError for one but relu and relu6."""
    kinds = schema().ActivationFunctionType
    kind = getattr(operator.options, "fusedActivationFunction", kinds.NONE)
    if kind == kinds.NONE:
        return x
    if kind == kinds.RELU:
        return tf.nn.relu(x)
    if kind == kinds.RELU6:
        return tf.nn.relu6(x)
    raise TrainingError(f"quantization-aware training cannot follow a fused activation of kind {kind}")


def _is_batch(tensor: Tensor | None, rows: int) -> bool:
    return tensor is not None and len(tensor.shape) > 1 and tensor.shape[0] == rows


def _reshape(operator: Operator, values: list[Any]) -> tf.Tensor:
    # The file is for a batch of one: the first axis is the batch, or, where there is but one, rows of all texts.
    shape = [int(size) for size in values[1]]
    return tf.reshape(values[0], [-1, *shape[1:]])


def _slice(operator: Operator, values: list[Any], rows: int) -> tf.Tensor:
    begin, size = (one.tolist() for one in values[1:3])
    return tf.slice(values[0], begin, [-1, *size[1:]] if _is_batch(operator.input(0), rows) else size)


def _concatenation(operator: Operator, values: list[Any], rows: int) -> tf.Tensor:
    texts = next(tf.shape(value)[0] for value in values if not _is_const(value)) // rows
    values = [tf.tile(value, [texts, *[1] * (len(value.shape) - 1)]) if _is_const(value) and _is_batch(tensor, rows)
              else value for value, tensor in zip(values, operator.inputs, strict=True)]
    return tf.concat(values, axis=operator.options.axis)


def _is_const(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _binary(compute: Callable[[Any, Any], Any]) -> Callable[..., tf.Tensor]:
    def apply(operator: Operator, values: list[Any]) -> tf.Tensor:
        # Rows [B·S, C] of a gather meet [B, S, C]: at a batch of one the file needs no reshape.
        wide = next((tensor for tensor in operator.operands if len(tensor.shape) == 3), None)
        values = [tf.reshape(value, [-1, *wide.shape[1:2], value.shape[1]])
                  if wide is not None and not _is_const(value) and len(value.shape) == 2 else value for value in values]
        return activate(compute(*values), operator)

    return apply


def _batch_matmul(operator: Operator, values: list[Any]) -> tf.Tensor:
    options = operator.options
    return tf.matmul(*values, transpose_a=bool(options.adjX), transpose_b=bool(options.adjY))


# (operator, what it reads, rows of one text: its choices, else 1) → its output, where rows are counted.
COUNTING: dict[str, Callable[..., tf.Tensor]] = {"SLICE": _slice, "CONCATENATION": _concatenation}
# (operator, what it reads) → its output, for all others that hold no weights.
COMPUTE: dict[str, Callable[..., tf.Tensor]] = {
    "RESHAPE": _reshape,
    "BATCH_MATMUL": _batch_matmul,
    "ADD": _binary(tf.add),
    "SUB": _binary(tf.subtract),
    "MUL": _binary(tf.multiply),
    "TRANSPOSE": lambda operator, values: tf.transpose(values[0], values[1]),
    "GATHER": lambda operator, values: tf.gather(values[0], values[1]),
    "QUANTIZE": lambda operator, values: values[0],
    "DEQUANTIZE": lambda operator, values: values[0],
    "CAST": lambda operator, values: tf.cast(values[0], tf.float32),
    "SOFTMAX": lambda operator, values: tf.nn.softmax(values[0] * operator.options.beta),
    "LOGISTIC": lambda operator, values: tf.sigmoid(values[0]),
    "TANH": lambda operator, values: tf.tanh(values[0]),
    "RELU": lambda operator, values: tf.nn.relu(values[0]),
    "RELU6": lambda operator, values: tf.nn.relu6(values[0]),
}
