"""A quantized ``.tflite`` as a function that gradients pass through.

The file that the converter would write says of every tensor in which number format it is. Its operators are followed
one by one in float32, and after each that gives integers the result is rounded to the values those can have, with the
gradient of the identity within their range (Jacob et al. 2018, arXiv:1712.05877, section 3). So rounding in training
stands exactly where the converter puts it, whatever the recipe.

- Weights are rounded with a scale per output channel, that of their present values, as the quantizer chooses it.
- Activations have the range of their scale and zero point times a trainable factor for either end. Tensors that share
  scale and zero point in the file share their range here.
- Dense layers that quantize their input at run time round each token with its own range, as XNNPACK does.
- Biases of integer layers are whole steps of input times weight. That is far finer than the output, unless one loud
  channel has made the input's steps coarse.
- Tables, and sums of constants that TensorFlow made, stay as the file has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilebert_lite.common.tf import tf
from mobilebert_lite.conversion.kernels import place_of_weight
from mobilebert_lite.errors import TrainingError
from mobilebert_lite.tflite.op_versions import operator_name, type_name
from mobilebert_lite.training.operators import COMPUTE, activate

# Prefix of the trainable factors: float32 [2], logarithms, for the low and the high end of a range.
RANGE = "range"
_TYPES = {"FLOAT32": np.float32, "INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64}
_BITS = {"INT8": 8, "INT16": 16}
# Their scale is part of the kernel.
_FIXED = ("SOFTMAX", "LOGISTIC", "TANH")
# They hand on what they read, on the same grid.
_MOVES = ("RESHAPE", "TRANSPOSE", "SLICE", "CONCATENATION", "GATHER")


@dataclass(frozen=True)
class Part:
    """A weight of the file and the tensor it came from: all of it, or one column."""

    name: str
    column: int | None = None

    def of(self, tensors: Mapping[str, Any], kind: str) -> Any:
        """``kind`` is kernel or bias. *Shape:* [in, out], [out]"""
        value = tensors[f"{self.name}.{kind}"]
        return value if self.column is None else value[..., self.column:self.column + 1]


def find_parts(model: Any, tensors: Mapping[str, np.ndarray]) -> dict[str, Part]:
    """Name of each dense weight in ``model`` → where among ``tensors`` it came from, told by the name that
    ``conversion.kernels`` gave it. What TensorFlow made of a kernel and something else has none."""
    found = {}
    for subgraph in model.subgraphs:
        for operator in subgraph.operators:
            if _kind(model, operator) == "FULLY_CONNECTED":
                name = subgraph.tensors[operator.inputs[1]].name.decode()
                place = place_of_weight(name)
                if place is not None and f"{place.layer}.kernel" in tensors:
                    found[name] = Part(place.layer, place.column)
    return found


class TrainedScales:
    """The distinct ranges of a file: groups of tensors with one scale and zero point."""

    def __init__(self, model: Any) -> None:
        self.model = model
        # (type, scale, zero point) → number of the group, and its range as the file has it.
        self.numbers: dict[tuple[str, float, int], int] = {}
        self.fixed: set[tuple[str, float, int]] = set()
        for subgraph in model.subgraphs:
            for operator in subgraph.operators:
                for index in operator.outputs:
                    if group := group_of(subgraph.tensors[index]):
                        self.numbers.setdefault(group, len(self.numbers))
                        # A table's rows come with its scale.
                        if _kind(model, operator) in (*_FIXED, "GATHER"):
                            self.fixed.add(group)

    def factors(self) -> dict[str, np.ndarray]:
        """What is trained, by name: zeros."""
        return {f"{RANGE}.{number}": np.zeros(2, np.float32) for group, number in self.numbers.items()
                if group not in self.fixed}

    def ends(self, group: tuple[str, float, int], tensors: Mapping[str, Any], exp: Callable[[Any], Any]) -> Any:
        """(low, high) of ``group`` now."""
        kind, scale, zero = group
        steps = 2 ** _BITS[kind]
        low, high = scale * (-steps // 2 - zero), scale * (steps // 2 - 1 - zero)
        factor = tensors.get(f"{RANGE}.{self.numbers[group]}")
        if factor is None:
            return low, high
        return low * exp(factor[0]), high * exp(factor[1])

    def trained(self, tensors: Mapping[str, np.ndarray]) -> dict[str, tuple[float, float]]:
        """Name of each tensor of the first signature in the float file → its range."""
        subgraph = self.model.subgraphs[self.model.signatureDefs[0].subgraphIndex]
        found = {}
        for operator in subgraph.operators:
            for index in operator.outputs:
                tensor = subgraph.tensors[index]
                group = group_of(tensor)
                if group and group not in self.fixed:
                    low, high = self.ends(group, tensors, np.exp)
                    name = tensor.name.decode().removesuffix("_quantized").removesuffix("_quantized")
                    # An operator's own output counts for more than what it becomes for a reader.
                    if name == tensor.name.decode() or name not in found:
                        found[name] = (float(low), float(high))
        return found


def group_of(tensor: Any) -> tuple[str, float, int] | None:
    """What tells the range of an activation; None for floats and for indices."""
    quantization, kind = tensor.quantization, type_name(tensor)
    if kind not in _BITS or quantization is None or quantization.scale is None or len(quantization.scale) != 1:
        return None
    return kind, float(quantization.scale[0]), int(quantization.zeroPoint[0])


class Simulation:
    """One signature of a quantized file, for batches of any size."""

    def __init__(self, model: Any, subgraph: Any, parts: Mapping[str, Part], ranges: TrainedScales) -> None:
        """Raises TrainingError for an operator that cannot be followed."""
        self.model, self.subgraph, self.parts, self.ranges = model, subgraph, parts, ranges
        unknown = {_kind(model, operator) for operator in subgraph.operators} - set(COMPUTE) - {"FULLY_CONNECTED"}
        if unknown:
            raise TrainingError(f"quantization-aware training cannot follow {', '.join(sorted(unknown))}; "
                                  "it is for networks of NoNorm with relu or relu6")
        self._constants = {index: _constant(model, tensor) for index, tensor in enumerate(subgraph.tensors)}

    def __call__(self, tensors: Mapping[str, tf.Tensor], inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Outputs by name. ``tensors``: kernels and biases by canonical name, and ``Ranges.factors``.

        *Shape:* int32 [B, S] → float32 [B, …] as in the file
        """
        [definition] = [one for one in self.model.signatureDefs
                        if self.model.subgraphs[one.subgraphIndex] is self.subgraph]
        values: dict[int, tf.Tensor] = {one.tensorIndex: inputs[one.name.decode()] for one in definition.inputs}
        for operator in self.subgraph.operators:
            values[int(operator.outputs[0])] = self.execute(operator, values, tensors)
        return {one.name.decode(): values[one.tensorIndex] for one in definition.outputs}

    def execute(self, operator: Any, values: Mapping[int, tf.Tensor], tensors: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The output of one operator; ``values`` by tensor, constants not among them."""
        kind, places = _kind(self.model, operator), [int(index) for index in operator.inputs]
        read = [values[index] if index in values else self._constants.get(index) for index in places]  # -1: left out
        sources, output = [self.subgraph.tensors[index] for index in places], self.subgraph.tensors[operator.outputs[0]]
        value = (self._dense(operator, read[0], tensors) if kind == "FULLY_CONNECTED"
                 else COMPUTE[kind](operator, read, sources))
        group = group_of(output)
        if group and not (kind in _MOVES and group_of(sources[0]) == group):
            low, high = self.ranges.ends(group, tensors, tf.exp)
            value = tf.quantization.fake_quant_with_min_max_vars(value, low, high, num_bits=_BITS[group[0]])
        return value

    def _dense(self, operator: Any, x: tf.Tensor, tensors: Mapping[str, tf.Tensor]) -> tf.Tensor:
        source, weight = (self.subgraph.tensors[index] for index in operator.inputs[:2])
        output = self.subgraph.tensors[operator.outputs[0]]
        part = self.parts.get(weight.name.decode())
        integer = type_name(weight) == "INT8"
        if part is None:
            kernel = tf.transpose(self._constants[int(operator.inputs[1])])
        else:
            kernel = part.of(tensors, "kernel")
            kernel = _round_to(kernel, _weight_step(kernel)) if integer else kernel
        if integer and type_name(source) == "FLOAT32":
            x = _round_rows(x)
        if len(output.shape) < len(source.shape):  # rows of all texts, one after the other
            x = tf.reshape(x, [-1, x.shape[-1]])
        y = tf.matmul(x, kernel)
        if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
            y += self._bias(operator, part, source, tensors)
        return activate(y, operator)

    def _bias(self, operator: Any, part: Part | None, source: Any, tensors: Mapping[str, tf.Tensor]) -> tf.Tensor:
        if part is None or f"{part.name}.bias" not in tensors:
            return self._constants[int(operator.inputs[2])]
        bias, group = part.of(tensors, "bias"), group_of(source)
        if group is None:
            return bias
        low, high = self.ranges.ends(group, tensors, tf.exp)
        step = (high - low) / (2 ** _BITS[group[0]] - 1) * _weight_step(part.of(tensors, "kernel"))[0]
        return _round_to(bias, step)


def _weight_step(kernel: tf.Tensor) -> tf.Tensor:
    """The scale of each output's int8 weights. *Shape:* [in, out] → [1, out]"""
    return tf.maximum(tf.reduce_max(tf.abs(kernel), axis=0, keepdims=True), 1e-12) / 127.0


def _round_to(x: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """To whole steps."""
    return x + tf.stop_gradient(tf.round(x / step) * step - x)


def _round_rows(x: tf.Tensor) -> tf.Tensor:
    """To int8 with the range of each row, on a grid with 0 on it, as XNNPACK rounds what dynamic layers read."""
    low = tf.minimum(tf.reduce_min(x, axis=-1, keepdims=True), 0.0)
    high = tf.maximum(tf.reduce_max(x, axis=-1, keepdims=True), 0.0)
    return _round_to(x, tf.maximum(high - low, 1e-12) / 255.0)


def _constant(model: Any, tensor: Any) -> Any:
    """The real values of a constant, or None. *Shape:* as in the file"""
    content = model.buffers[tensor.buffer].data
    dtype = _TYPES.get(type_name(tensor))
    if content is None or not len(content) or dtype is None:
        return None
    array = np.frombuffer(np.asarray(content).tobytes(), dtype).reshape(tensor.shape if tensor.shape is not None
                                                                        else ())
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None or not len(quantization.scale):
        return array
    shape = [1] * array.ndim
    if len(quantization.scale) > 1:
        shape[quantization.quantizedDimension] = -1
    scale, zero = (np.asarray(one, np.float64).reshape(shape) for one in (quantization.scale, quantization.zeroPoint))
    return ((array - zero) * scale).astype(np.float32)


def _kind(model: Any, operator: Any) -> str:
    return operator_name(model.operatorCodes[operator.opcodeIndex])
