"""Learning from a teacher: its logits and, where shapes allow, its feature maps and attention.

Logits: Hinton et al. 2015, "Distilling the knowledge in a neural network", arXiv:1503.02531. Feature maps and
attention: Sun et al. 2020, "MobileBERT", arXiv:2004.02984, section 3.3; there teacher and student have as many layers,
here a layer learns from the teacher's at the same relative depth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.common.tf import tf
from mobilebert_lite.converters.checkpoints import load_checkpoint
from mobilebert_lite.errors import DataError
from mobilebert_lite.graph.ops import Tensors
from mobilebert_lite.graph.signatures import flat
from mobilebert_lite.tasks import Task
from mobilebert_lite.tasks.teaching import Loss
from mobilebert_lite.training.batches import EncodedRow, bucket_for, pad
from mobilebert_lite.training.objective import Batch, Outputs, forward, hidden_states
from mobilebert_lite.training.preparation import TrainingData

LOGITS, FEATURES, ATTENTION = "logits", "features", "attention"
KINDS = (LOGITS, FEATURES, ATTENTION)
# Rows that the teacher reads at once.
_ROWS = 64


def load_teacher(path: str, prepared: TrainingData, kinds: Sequence[str]) -> Weights:
    """The teacher at ``path``, any checkpoint. Raises DataError when it cannot teach ``prepared``."""
    checkpoint = load_checkpoint(path)
    weights, student = checkpoint.weights, prepared.weights
    if checkpoint.tokenizer.vocabulary != prepared.tokenizer.vocabulary:
        raise DataError(f"the teacher {path} has another vocabulary than the student; give the student the teacher's: "
                        f"--vocab {path}")
    assert prepared.options.seq_len is not None
    if weights.config.max_position_embeddings < prepared.options.seq_len:
        raise DataError(f"the teacher has positions for {weights.config.max_position_embeddings} tokens, and seq_len "
                        f"is {prepared.options.seq_len}")
    if LOGITS in kinds:
        [head] = prepared.task.heads
        outputs = [one.outputs([head]) for one in (weights, student)]
        if outputs[0] != outputs[1]:
            raise DataError(f"the teacher's {head} has {outputs[0]} outputs and the student's {outputs[1]}; only a "
                            "teacher of the same task and classes has logits to learn from")
        # Numbers stand for the classes of whoever has names.
        numbers = {str(i) for i in range(outputs[1])}
        named = [labels for labels in (checkpoint.labels, prepared.labels) if labels and set(labels) != numbers]
        if len(named) == 2 and named[0] != named[1]:
            raise DataError(f"the teacher's classes are {', '.join(checkpoint.labels)}, the student's "
                            f"{', '.join(prepared.labels)}; give --labels in the teacher's order")
    for kind, name in ((FEATURES, "hidden_size"), (ATTENTION, "num_attention_heads")):
        widths = [getattr(one.config, name) for one in (weights, student)]
        if kind in kinds and widths[0] != widths[1]:
            raise DataError(f"{kind} can be learnt where teacher and student have the same {name}; they have "
                            f"{widths[0]} and {widths[1]}. Leave out --distill {kind}")
    if ATTENTION in kinds and any(config.shapes for config in (weights.config, student.config)):
        raise DataError(f"{ATTENTION} can be learnt where all blocks have all their heads, and those of a compressed "
                        f"network have not. Leave out --distill {ATTENTION}")
    return weights


def annotated(rows: Sequence[EncodedRow], teacher: Weights, task: Task, masking: Masking, buckets: Sequence[int],
              *, count: Callable[[int, int], None] = lambda done, total: None) -> list[EncodedRow]:
    """``rows`` with the teacher's logits: computed once, for every epoch."""
    tensors = {name: tf.constant(tensor) for name, tensor in teacher.tensors.items()}
    names = ("ids", "mask", "segment_ids")

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def run(*inputs: tf.Tensor) -> Outputs:
        return forward(tensors, teacher.config, task, dict(zip(names, inputs, strict=True)), masking=masking)

    order = sorted(range(len(rows)), key=lambda i: rows[i].length)
    found = list(rows)
    for start in range(0, len(order), _ROWS):
        chosen = [rows[i] for i in order[start:start + _ROWS]]
        length = bucket_for(max(row.length for row in chosen), buckets)
        arrays = pad(chosen, length, _ROWS, teacher.config.pad_token_id)
        outputs = {name: value.numpy() for name, value in run(*(tf.constant(arrays[name]) for name in names)).items()}
        for i, place in enumerate(order[start:start + _ROWS]):
            used = rows[place].length
            found[place] = replace(rows[place], token_outputs=task.per_token, teacher={
                name: (value[i, :used] if name in task.per_token else value[i]).astype(np.float32)
                for name, value in outputs.items()})
        count(min(start + _ROWS, len(order)), len(order))
    return found


def imitating(loss: Loss, task: Task, share: float, temperature: float) -> Loss:
    """``loss`` mixed with the distance from the teacher's logits (``Training.distance``), which has the weight
    ``share``."""
    distance = task.training.distance(task.form.problem_type, temperature)
    return lambda outputs, batch: (1 - share) * loss(outputs, batch) + share * distance(outputs, batch)


@dataclass(frozen=True, eq=False)
class Transfer:
    """Distances of a student's layers from a teacher's."""

    config: MobileBertConfig
    # Eager, so that a traced step reads them as inputs and not as constants of its graph.
    tensors: Tensors
    masking: Masking
    kinds: tuple[str, ...]

    @classmethod
    def of(cls, teacher: Weights, masking: Masking, kinds: Sequence[str]) -> Transfer | None:
        """From the layers of ``teacher``; None where ``kinds`` have none."""
        wanted = tuple(kind for kind in kinds if kind != LOGITS)
        tensors = {name: tf.constant(tensor) for name, tensor in teacher.tensors.items()}
        return cls(teacher.config, tensors, masking, wanted) if wanted else None

    def __call__(self, seen: Mapping[str, tf.Tensor], layers: int, batch: Batch) -> tf.Tensor:
        """``seen``: what taps of the student saw. *Shape:* → float32 (batch)"""
        known: dict[str, tf.Tensor] = {}

        def tap(name: str, x: tf.Tensor) -> tf.Tensor:
            known[name] = tf.stop_gradient(x)
            return x

        hidden_states(self.tensors, self.config, batch, self.masking, tap)
        depth = self.config.num_hidden_layers
        real = tf.cast(flat(batch["mask"]), tf.float32)
        compare = {FEATURES: (_stream, _squared), ATTENTION: (_probabilities, _attended)}
        total = tf.zeros_like(real[:, 0])
        for kind in self.kinds:
            name, distance = compare[kind]
            for i in range(layers):
                theirs = known[name((i + 1) * depth // layers - 1, depth)]
                tokens = distance(tf.cast(seen[name(i, layers)], tf.float32), theirs, real)
                total += tf.reduce_sum(tokens * real, axis=1) / tf.reduce_sum(real + 1e-9, axis=1) / layers
        # Choices of one question are learnt from alike.
        return tf.reduce_mean(tf.reshape(total, [batch["ids"].shape[0], -1]), axis=1)


def _stream(layer: int, layers: int) -> str:
    """What ``layer`` puts out is what the next one reads."""
    return "final.stream" if layer == layers - 1 else f"layers.{layer + 1}.stream"


def _probabilities(layer: int, layers: int) -> str:
    return f"layers.{layer}.attention.probabilities"


def _squared(ours: tf.Tensor, theirs: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """Squared error over the teacher's mean square, as hidden values without normalization have any size.

    *Shape:* (batch, seq, channels) twice → (batch, seq)
    """
    power = tf.reduce_sum(tf.reduce_mean(tf.square(theirs), axis=-1) * real) / tf.reduce_sum(real)
    return tf.reduce_mean(tf.square(ours - theirs), axis=-1) / (power + 1e-9)


def _attended(ours: tf.Tensor, theirs: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """KL of what each token attends to, mean over the heads. *Shape:* (batch, heads, seq, seq) twice → (batch, seq)"""
    ratio = tf.math.log(theirs + 1e-9) - tf.math.log(ours + 1e-9)
    return tf.reduce_mean(tf.reduce_sum(theirs * ratio, axis=-1), axis=1)
