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
from typing import Any

import numpy as np

from mobilebert_lite.common.tf import tf
from mobilebert_lite.conversion.kernels import KernelPlace, dense_weights, place_of_weight
from mobilebert_lite.errors import TrainingError
from mobilebert_lite.quantization.recipe import NARROW
from mobilebert_lite.tflite.graph import Entry, Graphs, Operator, Tensor
from mobilebert_lite.training.operators import COMPUTE, COUNTING, activate

# Prefix of the trainable factors: float32 [2], logarithms, for the low and the high end of a range.
RANGE = "range"
# Number format, scale and zero point.
Group = tuple[str, float, int]
_BITS = {"INT8": 8, "INT16": 16}
# Their scale is part of the kernel.
_FIXED = ("SOFTMAX", "LOGISTIC", "TANH")
# They hand on what they read, on the same grid.
_MOVES = ("RESHAPE", "TRANSPOSE", "SLICE", "CONCATENATION", "GATHER")


def find_parts(graphs: Graphs, tensors: Mapping[str, np.ndarray]) -> dict[str, KernelPlace]:
    """Name of each dense weight in ``graphs`` → where among ``tensors`` it came from, told by the name that
    ``conversion.kernels`` gave it. What TensorFlow made of a kernel and something else has none."""
    found = {weight.name: place_of_weight(weight.name) for _, weight in dense_weights(graphs)}
    return {name: place for name, place in found.items() if place and f"{place.layer}.kernel" in tensors}


class TrainedScales:
    """The distinct ranges of a file: groups of tensors with one scale and zero point."""

    def __init__(self, graphs: Graphs) -> None:
        self.graphs = graphs
        # (type, scale, zero point) → number of the group, and its range as the file has it.
        self.numbers: dict[Group, int] = {}
        self.fixed: set[Group] = set()
        for subgraph in graphs.subgraphs:
            for operator in subgraph.operators:
                for tensor in operator.outputs:
                    if group := group_of(tensor):
                        self.numbers.setdefault(group, len(self.numbers))
                        # A table's rows come with its scale.
                        if operator.name in (*_FIXED, "GATHER"):
                            self.fixed.add(group)

    def factors(self) -> dict[str, np.ndarray]:
        """What is trained, by name: zeros."""
        return {f"{RANGE}.{number}": np.zeros(2, np.float32) for group, number in self.numbers.items()
                if group not in self.fixed}

    def ends(self, group: Group, tensors: Mapping[str, Any], exp: Callable[[Any], Any]) -> Any:
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
        found = {}
        for operator in self.graphs.entries[0].subgraph.operators:
            for tensor in operator.outputs:
                group = group_of(tensor)
                if group and group not in self.fixed:
                    low, high = self.ends(group, tensors, np.exp)
                    name = tensor.name.removesuffix("_quantized").removesuffix(NARROW)
                    # An operator's own output counts for more than what it becomes for a reader.
                    if name == tensor.name or name not in found:
                        found[name] = (float(low), float(high))
        return found


def group_of(tensor: Tensor) -> Group | None:
    """What tells the range of an activation; None for floats and for indices."""
    if tensor.kind not in _BITS or len(tensor.scales) != 1:
        return None
    return tensor.kind, float(tensor.scales[0]), int(tensor.zero_points[0])


class Simulation:
    """One signature of a quantized file, for batches of any size."""

    def __init__(self, entry: Entry, parts: Mapping[str, KernelPlace], ranges: TrainedScales) -> None:
        """Raises TrainingError for an operator that cannot be followed."""
        self.entry, self.subgraph, self.parts, self.ranges = entry, entry.subgraph, parts, ranges
        known = {*COMPUTE, *COUNTING, "FULLY_CONNECTED"}
        unknown = {operator.name for operator in self.subgraph.operators} - known
        if unknown:
            raise TrainingError(f"quantization-aware training cannot follow {', '.join(sorted(unknown))}; "
                                  "it is for networks of NoNorm with relu or relu6")
        ids = entry.inputs["ids"].shape
        self._rows = ids[1] if len(ids) == 3 else 1
        self._constants = {tensor.index: tensor.values() for tensor in self.subgraph.tensors}

    def __call__(self, tensors: Mapping[str, tf.Tensor], inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Outputs by name. ``tensors``: kernels and biases by canonical name, and ``TrainedScales.factors``.

        *Shape:* int32 [B, S] → float32 [B, …] as in the file
        """
        values: dict[int, tf.Tensor] = {tensor.index: inputs[name] for name, tensor in self.entry.inputs.items()}
        for operator in self.subgraph.operators:
            values[operator.output.index] = self.execute(operator, values, tensors)
        return {name: values[tensor.index] for name, tensor in self.entry.outputs.items()}

    def execute(self, operator: Operator, values: Mapping[int, tf.Tensor],
                tensors: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The output of one operator; ``values`` by tensor, constants not among them."""
        read = [None if source is None else values.get(source.index, self._constants[source.index])
                for source in operator.inputs]
        value = (self._dense(operator, read[0], tensors) if operator.name == "FULLY_CONNECTED"
                 else COUNTING[operator.name](operator, read, self._rows) if operator.name in COUNTING
                 else COMPUTE[operator.name](operator, read))
        group = group_of(operator.output)
        if group and not (operator.name in _MOVES and group_of(operator.operand(0)) == group):
            low, high = self.ranges.ends(group, tensors, tf.exp)
            value = tf.quantization.fake_quant_with_min_max_vars(value, low, high, num_bits=_BITS[group[0]])
        return value

    def _dense(self, operator: Operator, x: tf.Tensor, tensors: Mapping[str, tf.Tensor]) -> tf.Tensor:
        source, weight, bias = operator.operand(0), operator.operand(1), operator.input(2)
        part = self.parts.get(weight.name)
        integer = weight.kind == "INT8"
        if part is None:
            kernel = tf.transpose(self._constants[weight.index])
        else:
            kernel = part.of(tensors, "kernel")
            kernel = _round_to(kernel, _weight_step(kernel)) if integer else kernel
        if integer and source.kind == "FLOAT32":
            x = _round_rows(x)
        if len(operator.output.shape) < len(source.shape):  # rows of all texts, one after the other
            x = tf.reshape(x, [-1, x.shape[-1]])
        y = tf.matmul(x, kernel)
        if bias is not None:
            y += self._bias(bias, part, source, tensors)
        return activate(y, operator)

    def _bias(self, stored: Tensor, part: KernelPlace | None, source: Tensor,
              tensors: Mapping[str, tf.Tensor]) -> tf.Tensor:
        if part is None or f"{part.layer}.bias" not in tensors:
            return self._constants[stored.index]
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
