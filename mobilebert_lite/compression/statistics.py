"""What texts say about each branch of a network: what goes in, and how much its output matters to the answers.

For every branch of a residual stream are summed over the tokens of the texts

- the inputs of its last dense layer (hidden units, or the heads' contexts) and their products, and
- g·gᵀ, where g is the gradient of the answers by what the branch adds.

An error e of the branch then changes the answers by eᵀ·(Σ g·gᵀ)·e, in the same unit for every branch. The answers are
logits in a random direction (signs), so that the expectation counts all of them; no labels are needed. That inputs and
gradients are independent is assumed, as in Martens and Grosse 2015 (arXiv:1503.05671).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.common.tf import tf
from mobilebert_lite.compression.batches import TextBatch, tokens
from mobilebert_lite.graph.encoder import encode
from mobilebert_lite.graph.pooling import pool_tokens
from mobilebert_lite.graph.signatures import flat
from mobilebert_lite.tasks import Task

# Ends of the names of taps -> the branch whose last dense layer reads what they give.
_INPUTS = {".hidden": "", ".context": "", ".output.inner": ".output"}


@dataclass
class Branch:
    """Sums over all tokens of texts; float64.

    total: of the inputs, [in].
    products: of their outer products, [in, in].
    gradients: of the outer products of gradients, over the number of texts, [out, out].
    """

    total: np.ndarray
    products: np.ndarray
    gradients: np.ndarray


@dataclass(frozen=True)
class BranchStatistics:
    """Of each branch, by its name: ``layers.0.attention``, ``layers.0.ffn.1``, ``layers.0.output``."""

    branches: dict[str, Branch]
    tokens: int

    def mean(self, name: str) -> np.ndarray:
        """Of the inputs of a branch. *Shape:* [in]"""
        found: np.ndarray = self.branches[name].total / self.tokens
        return found

    def covariance(self, name: str) -> np.ndarray:
        """Of the inputs of a branch. *Shape:* [in, in]"""
        mean = self.mean(name)
        found: np.ndarray = self.branches[name].products / self.tokens - np.outer(mean, mean)
        return found

    def metric(self, name: str) -> np.ndarray:
        """How an error of the branch at every token changes the answers to one text. *Shape:* [out, out]"""
        return self.branches[name].gradients


def observe(weights: Weights, task: Task, masking: Masking, some: Sequence[TextBatch], *, seed: int = 0,
            progress: Callable[[int, int], None] = lambda done, total: None) -> BranchStatistics:
    """``weights`` at work on the texts of ``some``."""
    network = _Observer(weights, task, masking)
    rng = np.random.default_rng(seed)
    found: dict[str, Branch] = {}
    texts = sum(len(batch["ids"]) for batch in some)
    for done, batch in enumerate(some, 1):
        seen = network(batch, rng.integers(0, 2**31, 2))
        for name, parts in seen.items():
            total, products, gradients = (part.numpy().astype(np.float64) for part in parts)
            gradients = gradients / texts
            if name not in found:
                found[name] = Branch(total, products, gradients)
                continue
            branch = found[name]
            branch.total += total
            branch.products += products
            branch.gradients += gradients
        progress(done, len(some))
    return BranchStatistics(found, tokens(some))


class _Observer:
    """The sums of one batch."""

    def __init__(self, weights: Weights, task: Task, masking: Masking) -> None:
        self.weights, self.masking = weights, masking
        self.task = task.with_form(replace(task.form, logits=True, positions=0))
        self.tensors = {name: tf.constant(tensor) for name, tensor in weights.tensors.items()}
        # The number of texts stays open, so that one function serves all batches of a length.
        self.functions: dict[int, tf.types.experimental.ConcreteFunction] = {}

    def __call__(self, batch: TextBatch, seed: np.ndarray) -> dict[str, tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
        ids = batch["ids"]
        length = ids.shape[-1]
        if length not in self.functions:
            specs = [tf.TensorSpec([None, *ids.shape[1:]], tf.int32)] * 3
            self.functions[length] = tf.function(self._sums, autograph=False).get_concrete_function(
                *specs, tf.TensorSpec([2], tf.int32))
        found: dict[str, tuple[tf.Tensor, tf.Tensor, tf.Tensor]] = self.functions[length](
            *(tf.constant(batch[name], tf.int32) for name in ("ids", "mask", "segment_ids")),
            tf.constant(seed, tf.int32))
        return found

    def _sums(self, ids: tf.Tensor, mask: tf.Tensor, segment_ids: tf.Tensor, seed: tf.Tensor
              ) -> dict[str, tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
        tensors = self.tensors
        inputs: dict[str, tf.Tensor] = {}
        branches: dict[str, tf.Tensor] = {}
        real = tf.cast(flat(mask), tf.float32)[:, :, tf.newaxis]
        with tf.GradientTape() as tape:
            def tap(name: str, x: tf.Tensor) -> tf.Tensor:
                for end, place in _INPUTS.items():
                    if name.endswith(end):
                        inputs[name.removesuffix(end) + place] = x
                if name.endswith(".branch"):
                    tape.watch(x)
                    branches[name.removesuffix(".branch")] = x
                return x

            x = encode(tensors, self.weights.config, flat(ids), flat(mask), flat(segment_ids), masking=self.masking,
                       tap=tap)
            if self.task.form.pooling:
                x = pool_tokens(x, flat(mask), self.task.form.pooling)
            outputs = self.task.draw(tensors, self.weights.config, x)
            answers = self._projected(outputs, mask, seed)
        sums = {}
        gradients = tape.gradient(answers, branches)
        for name, x in inputs.items():
            rows = tf.reshape(x * real, [-1, x.shape[2]])
            sums[name] = tf.reduce_sum(rows, axis=0), _products(rows), _products(_flat(gradients[name] * real))
        return sums

    def _projected(self, outputs: dict[str, tf.Tensor], mask: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The sum of all answers, each with a random sign; what all classes, or all places, share changes no answer.

        *Shape:* → []
        """
        total = tf.constant(0.0)
        for i, (name, value) in enumerate(sorted(outputs.items())):
            keep = tf.ones_like(value)
            if name in self.task.per_token:
                keep *= tf.reshape(tf.cast(flat(mask), tf.float32), [-1, mask.shape[-1], *[1] * (len(value.shape) - 2)])
            axis = 1 if name in self.task.per_token and len(value.shape) == 2 else -1
            if value.shape[axis] > 1:
                value -= (tf.reduce_sum(value * keep, axis, keepdims=True)
                          / tf.maximum(tf.reduce_sum(keep, axis, keepdims=True), 1.0))
            coins = tf.random.stateless_uniform(tf.shape(value), seed + tf.constant([0, i]), 0, 2, tf.int32)
            signs = 2.0 * tf.cast(coins, tf.float32) - 1.0
            total += tf.reduce_sum(value * keep * signs)
        return total


def _flat(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, [-1, x.shape[2]])


def _products(rows: tf.Tensor) -> tf.Tensor:
    """*Shape:* [n, width] → [width, width]"""
    return tf.matmul(rows, rows, transpose_a=True)
