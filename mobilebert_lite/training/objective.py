"""What is minimized: a function of the network's outputs and the targets of a batch.

The network is the converter's own, called with a tap that sees and may replace activations: dropout here, fake
quantization or the outputs of a teacher elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.form import INPUTS
from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.common.tf import tf
from mobilebert_lite.graph.encoder import encode
from mobilebert_lite.graph.ops import Tap, Tensors, untapped
from mobilebert_lite.graph.signatures import flat
from mobilebert_lite.tasks import Task
from mobilebert_lite.tasks.teaching import Loss

# ids, mask, segment_ids int32 [B, S], or [B, C, S] where there are choices; positions int32 [B, P] where the outputs
# are those at P places; labels and weight as the task has them (tasks.teaching); seed int32 [2]: of this step's random
# choices; shift int32 []: the position at which the texts begin.
Batch = Mapping[str, tf.Tensor]
Outputs = Mapping[str, tf.Tensor]
# (tensors, batch) -> the sum of the losses times their weights, float32 [].
Objective = Callable[[Tensors, Batch], tf.Tensor]


def forward(tensors: Tensors, config: MobileBertConfig, task: Task, batch: Batch, *, masking: Masking | None = None,
            tap: Tap = untapped) -> Outputs:
    """The outputs of ``task``, logits for classes. *Shape:* see ``tasks``."""
    hidden = hidden_states(tensors, config, batch, masking, tap)
    return task.with_form(replace(task.form, logits=True)).draw(tensors, config, hidden,
                                                                      batch.get("positions"))


def hidden_states(tensors: Tensors, config: MobileBertConfig, batch: Batch, masking: Masking | None = None,
                  tap: Tap = untapped) -> tf.Tensor:
    """What the encoder makes of a batch, at the positions that it is shifted to.

    *Shape:* (batch · choices, seq, hidden)
    """
    if "shift" in batch:
        position = tf.roll(tensors["embeddings.position"], -batch["shift"], axis=0)
        tensors = {**tensors, "embeddings.position": position}
    ids, mask, segment_ids = (flat(batch[name]) for name in INPUTS)
    return encode(tensors, config, ids, mask, segment_ids, masking=masking, tap=tap)


@dataclass(frozen=True)
class TaskObjective:
    """The loss of a task on its labels."""

    config: MobileBertConfig
    task: Task
    loss: Loss
    masking: Masking | None = None
    # Numbers format of the network; the weights themselves and the loss are float32.
    dtype: str = "float32"
    # Added for each row: the distance of what the layers computed (by tap) from a teacher's.
    transfer: Callable[[Tensors, int, Batch], tf.Tensor] | None = None

    def __call__(self, tensors: Tensors, batch: Batch) -> tf.Tensor:
        """See ``Objective``."""
        seen: dict[str, tf.Tensor] = {}
        drop = dropout(self.config, batch["seed"])

        def tap(name: str, x: tf.Tensor) -> tf.Tensor:
            seen[name] = x
            return drop(name, x)

        narrow = {name: tf.cast(tensor, self.dtype) for name, tensor in tensors.items()}
        outputs = forward(narrow, self.config, self.task, batch, masking=self.masking, tap=tap)
        outputs = {name: tf.cast(value, tf.float32) for name, value in outputs.items()}
        total = tf.reduce_sum(self.loss(outputs, batch) * batch["weight"])
        if self.transfer is not None:
            rows = tf.reduce_sum(tf.reshape(batch["weight"], [batch["weight"].shape[0], -1]), axis=1)
            total += tf.reduce_sum(self.transfer(seen, self.config.num_hidden_layers, batch) * rows)
        return total


def dropout(config: MobileBertConfig, seed: tf.Tensor) -> Tap:
    """Dropout where transformers' MobileBERT has it: embeddings and block outputs, and attention probabilities.

    Every place draws numbers of its own from ``seed``, so a step can be repeated exactly.
    """
    places: list[str] = []

    def tap(name: str, x: tf.Tensor) -> tf.Tensor:
        share = 0.0
        if name.endswith(".probabilities"):
            share = config.attention_probs_dropout_prob
        elif name.endswith(".output.branch") or name == "layers.0.stream":
            share = config.hidden_dropout_prob
        if not share:
            return x
        places.append(name)
        return tf.nn.experimental.stateless_dropout(x, share, seed + tf.constant([0, len(places)]))

    return tap
