"""One TensorFlow function per signature (task × length), all over the same variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from mobilebert_lite.config import MobileBertConfig
from mobilebert_lite.fusion.plan import Plan
from mobilebert_lite.graph import heads
from mobilebert_lite.graph.attention import MASK_CONSTANT
from mobilebert_lite.graph.encoder import encode
from mobilebert_lite.graph.names import INPUTS
from mobilebert_lite.graph.ops import Tensors

Outputs = dict[str, tf.Tensor]
Head = Callable[[Tensors, tf.Tensor], Outputs]

# Task name -> what stands on the encoder.
HEADS: dict[str, Head] = {
    "qa": heads.question_answering,
    "classification": heads.classification,
    "features": heads.features,
}


class Network(tf.Module):
    """The weights as variables, which every signature shares, and the functions over them."""

    def __init__(self, config: MobileBertConfig, tensors: Mapping[str, np.ndarray], task: str,
                 mask_constant: float = MASK_CONSTANT, plan: Plan | None = None) -> None:
        super().__init__()
        self.config, self.task, self.mask_constant, self.plan = config, task, mask_constant, plan or Plan()
        # tf.Module tracks the variables in this dict; their canonical names become buffer names.
        self.tensors = {name: tf.Variable(value, trainable=False, name=name) for name, value in tensors.items()}

    def __call__(self, ids: tf.Tensor, mask: tf.Tensor, segment_ids: tf.Tensor) -> Outputs:
        """Outputs of the task's head. *Shape:* int32 (batch, seq) three times."""
        hidden = encode(self.tensors, self.config, ids, mask, segment_ids, self.mask_constant, self.plan)
        return HEADS[self.task](self.tensors, hidden)

    def signature(self, length: int, batch: int | None = 1) -> tf.types.experimental.ConcreteFunction:
        """The function at a fixed ``length``."""
        specs = [tf.TensorSpec([batch, length], tf.int32, name=name) for name in INPUTS]
        return tf.function(self.__call__, autograph=False).get_concrete_function(*specs)

    def channel_ranges(self, inputs: Sequence[Mapping[str, np.ndarray]], padding: bool = False
                       ) -> dict[str, np.ndarray]:
        """Least and greatest value of each channel of every tapped activation, by name; without ``padding``, zero is
        always within.

        *Shape:* the inputs of one length → float32 [2, channels] each
        """
        def observe(ids: tf.Tensor, mask: tf.Tensor, segment_ids: tf.Tensor) -> dict[str, tf.Tensor]:
            found: dict[str, tf.Tensor] = {}
            read = tf.cast(mask, tf.float32)[:, :, tf.newaxis]

            def tap(name: str, x: tf.Tensor) -> tf.Tensor:
                rows = x if padding or x.shape[1] == 1 else x * read
                found[name] = tf.stack([tf.reduce_min(rows, axis=[0, 1]), tf.reduce_max(rows, axis=[0, 1])])
                return x

            encode(self.tensors, self.config, ids, mask, segment_ids, self.mask_constant, self.plan, tap)
            return found

        function = tf.function(observe, autograph=False)
        each = [function(*(tf.constant(one[name], tf.int32) for name in INPUTS)) for one in inputs]
        return {name: np.stack([np.min([found[name][0] for found in each], axis=0),
                                np.max([found[name][1] for found in each], axis=0)]) for name in each[0]}

    def run(self, inputs: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """Float outputs for each of ``inputs`` (all of one length), the reference that a file is held against."""
        if not inputs:
            return []
        function = self.signature(inputs[0]["ids"].shape[1])
        return [{name: value.numpy() for name, value in
                 function(*(tf.constant(one[name], tf.int32) for name in INPUTS)).items()} for one in inputs]
