"""One TensorFlow function per signature (task × length), all over the same variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.form import INPUTS, Form
from mobilebert_lite.architecture.heads import EncoderTask
from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.common.tf import tf
from mobilebert_lite.fusion.plan import FusionPlan
from mobilebert_lite.graph.encoder import encode
from mobilebert_lite.graph.ops import Tap, untapped
from mobilebert_lite.graph.pooling import pool_tokens

Outputs = dict[str, tf.Tensor]
# Ends of the names of taps that are there for training and compression: nothing chooses scales by their ranges.
# Probabilities have no channels, a branch is scaled with the stream that it joins, and a context with the values.
UNSCALED = (".probabilities", ".branch", ".context")
# Short sequences are computed together, up to so many tokens: calling TensorFlow takes longer than computing one.
_TOGETHER = 2048
# Up to so many calls, computing operator by operator takes less time than tracing a function first.
_UNTRACED = 4


class Network(tf.Module):
    """The weights as variables, which every signature shares, and the functions over them."""

    def __init__(self, config: MobileBertConfig, tensors: Mapping[str, np.ndarray], task: EncoderTask,
                 masking: Masking | None = None, plan: FusionPlan | None = None) -> None:
        super().__init__()
        self.config, self.task, self.masking, self.plan = config, task, masking or Masking(), plan or FusionPlan()
        # tf.Module tracks the variables in this dict; their canonical names become buffer names.
        self.tensors = {name: tf.Variable(value, trainable=False, name=name) for name, value in tensors.items()}
        # Length -> the function that ``run`` has traced for it.
        self._traced: dict[int, tf.types.experimental.ConcreteFunction] = {}

    @property
    def form(self) -> Form:
        """Shapes of the inputs and kind of the outputs, as the task has them."""
        return self.task.form

    def __call__(self, ids: tf.Tensor, mask: tf.Tensor, segment_ids: tf.Tensor,
                 positions: tf.Tensor | None = None) -> Outputs:
        """Outputs of the task's head. *Shape:* int32, as ``form.inputs`` says."""
        x = self._encode(ids, mask, segment_ids)
        if self.form.pooling:
            x = pool_tokens(x, mask, self.form.pooling, self.plan.tabulated)
        return self.task.draw(self.tensors, self.config, x, positions)

    def _encode(self, ids: tf.Tensor, mask: tf.Tensor, segment_ids: tf.Tensor, tap: Tap = untapped) -> tf.Tensor:
        """*Shape:* int32 (batch, [choices,] seq) → (batch · choices, seq or 1, hidden)"""
        ids, mask, segment_ids = (flat(value) for value in (ids, mask, segment_ids))
        return encode(self.tensors, self.config, ids, mask, segment_ids, masking=self.masking, plan=self.plan, tap=tap)

    def signature(self, length: int, batch: int | None = 1) -> tf.types.experimental.ConcreteFunction:
        """The function at a fixed ``length``."""
        specs = [tf.TensorSpec(shape, tf.int32, name=name) for name, shape in self.form.inputs(length, batch).items()]
        return tf.function(self.__call__, autograph=False).get_concrete_function(*specs)

    def channel_ranges(self, inputs: Sequence[Mapping[str, np.ndarray]], padding: bool = False
                       ) -> dict[str, np.ndarray]:
        """Least and greatest value of each channel of every tapped activation that can be scaled, by name; without
        ``padding``, zero is always within.

        *Shape:* the inputs of one length → float32 [2, channels] each
        """
        def observe(ids: tf.Tensor, mask: tf.Tensor, segment_ids: tf.Tensor) -> dict[str, tf.Tensor]:
            found: dict[str, tf.Tensor] = {}
            read = tf.cast(flat(mask), tf.float32)[:, :, tf.newaxis]

            def tap(name: str, x: tf.Tensor) -> tf.Tensor:
                if name.endswith(UNSCALED):
                    return x
                rows = x if padding or x.shape[1] == 1 else x * read
                found[name] = tf.stack([tf.reduce_min(rows, axis=[0, 1]), tf.reduce_max(rows, axis=[0, 1])])
                return x

            self._encode(ids, mask, segment_ids, tap)
            return found

        batches = _batches(inputs)
        function = observe if len(batches) <= _UNTRACED else tf.function(observe, autograph=False)
        ranges: dict[str, np.ndarray] = {}
        for some in batches:
            for name, tensor in function(*(tf.constant(some[name], tf.int32) for name in INPUTS)).items():
                found = tensor.numpy()
                low, high = ranges.setdefault(name, found.copy())
                np.minimum(low, found[0], out=low)
                np.maximum(high, found[1], out=high)
        return ranges

    def run(self, inputs: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """Float outputs for each of ``inputs`` (all of one length), the reference that a file is held against."""
        if not inputs:
            return []
        length = inputs[0]["ids"].shape[-1]
        batches, names = _batches(inputs), self.form.inputs(length)
        if len(batches) > _UNTRACED and length not in self._traced:
            self._traced[length] = self.signature(length, batch=None)
        function = self._traced.get(length, self.__call__)
        return [one for some in batches for one in _rows({
            name: value.numpy()
            for name, value in function(*(tf.constant(some[name], tf.int32) for name in names)).items()})]


def _batches(inputs: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    """``inputs`` of one sequence (or question) each, all of one length, as batches of them."""
    count = max(1, _TOGETHER // inputs[0]["ids"].size) if inputs else 1
    portions = [inputs[start:start + count] for start in range(0, len(inputs), count)]
    return [{name: np.concatenate([one[name] for one in some]) for name in some[0]} for some in portions]


def _rows(outputs: Mapping[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """Each row of a batch, as a batch of one."""
    for row in range(len(next(iter(outputs.values())))):
        yield {name: value[row:row + 1] for name, value in outputs.items()}


def flat(x: tf.Tensor) -> tf.Tensor:
    """Alternatives become rows of the batch. *Shape:* (batch, choices, seq) → (batch · choices, seq)"""
    if len(x.shape) == 2:
        return x
    batch, choices, length = x.shape
    return tf.reshape(x, [-1 if batch is None else batch * choices, length])
