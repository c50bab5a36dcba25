"""Every dense layer that adds to a residual stream is fitted anew to the full network, block after block.

The full and the smaller network compute the same texts side by side. What a branch of the smaller one adds is fitted,
by least squares over all tokens, to what is missing of the full network's stream at this place: it makes up for what
is left out here, and for what was left out before it. Where nothing was, the old kernel is the solution.

    min_W,b  Σ_t ‖h_t·W + b − (s_t − s'_t)‖² + λ·‖W − W₀‖²

h are the inputs that are kept, s the stream of the full network after the branch and s' the smaller one's before it,
W₀ the old kernel. λ is chosen on texts that are held out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.shape import Block, BlockShape
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.common.tf import tf
from mobilebert_lite.compression.batches import TextBatch
from mobilebert_lite.compression.cutting import Kept, Tensors, cut, narrowed
from mobilebert_lite.fusion.plan import FusionPlan
from mobilebert_lite.graph.attention import attend
from mobilebert_lite.graph.embeddings import embed
from mobilebert_lite.graph.masking import Mask, make_mask
from mobilebert_lite.graph.ops import activation, dense, norm, project

# Shares of the mean square of the inputs.
PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
# Every so many-th stretch of so many tokens is held out to choose among them.
_HELD_OUT, _NEIGHBORS = 8, 64

# One tensor for each batch of texts: [rows, length, channels].
Parts = list[tf.Tensor]


def fit(inputs: np.ndarray, targets: np.ndarray, kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The kernel and bias that make ``targets`` of ``inputs``, near ``kernel`` where the inputs leave it open.

    Products are summed in the precision of the data. *Shape:* [n, in], [n, out], [in, out] → [in, out], [out]
    """
    if not inputs.shape[1]:
        return kernel, targets.mean(axis=0, dtype=np.float64)
    missing = targets - inputs @ kernel
    means = inputs.mean(axis=0), missing.mean(axis=0)
    centered, wanted = inputs - means[0], missing - means[1]
    # Tokens of one text are alike, so that neighbors do not stand on both sides.
    held = np.arange(len(inputs)) // _NEIGHBORS % _HELD_OUT == _HELD_OUT - 1
    penalty = PENALTIES[0]
    products = _products(centered[~held], wanted[~held])
    if held.any():
        aside = _products(centered[held], wanted[held])
        candidates = _solutions(*products, PENALTIES)
        # ‖h·X − m‖² without what does not depend on X.
        wrong = [float(np.sum(X * (aside[0] @ X)) - 2 * np.sum(X * aside[1])) for X in candidates]
        penalty = PENALTIES[int(np.argmin(wrong))]
        products = products[0] + aside[0], products[1] + aside[1]
    [change] = _solutions(*products, [penalty])
    return kernel + change, means[1] - means[0] @ change


def _products(inputs: np.ndarray, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """hᵀh and hᵀm. *Shape:* [n, in], [n, out] → float64 [in, in], [in, out]"""
    return (inputs.T @ inputs).astype(np.float64), (inputs.T @ missing).astype(np.float64)


def _solutions(products: np.ndarray, missing: np.ndarray, penalties: Sequence[float]) -> list[np.ndarray]:
    """The changes of the kernel for each penalty, a share of the mean square of the inputs."""
    mean = max(float(np.trace(products)) / len(products), 1e-30)
    return [np.linalg.solve(products + penalty * mean * np.eye(len(products)), missing) for penalty in penalties]


def rebuild(weights: Weights, kept: Sequence[Kept], masking: Masking, some: Sequence[TextBatch],
            progress: Callable[[int, int], None] = lambda done, total: None) -> Weights:
    """``weights`` with what is ``kept``, fitted to the full network on the texts of ``some``."""
    work = _Rebuilding(weights, kept, masking, some)
    blocks = list(zip(weights.config.blocks, kept, strict=True))
    for done, ((block, stays), smaller) in enumerate(zip(blocks, work.blocks, strict=True), 1):
        work.take(block, smaller, stays)
        progress(done, len(blocks))
    return cut(weights, kept, work.fitted)


class _Side:
    """One of the two networks, at one place of its streams."""

    def __init__(self, tensors: Tensors, config: MobileBertConfig, plan: FusionPlan) -> None:
        self.tensors = {name: tf.constant(tensor, tf.float32) for name, tensor in tensors.items()}
        self.config, self.plan = config, plan
        self.stream: Parts = []
        self.inner: Parts = []

    def enter(self, block: Block, mask: Sequence[Mask]) -> Parts:
        """Into ``block``; returns what the last layer of its attention reads."""
        contexts: Parts = []
        self.inner = []

        def tap(name: str, x: tf.Tensor) -> tf.Tensor:
            if name.endswith(".context"):
                contexts.append(x)
            return x

        for x, padding in zip(self.stream, mask, strict=True):
            read = project(self.tensors, block, block.stream_readers, x, self.config)
            inner = read.get("bottleneck.input", x)
            read |= project(self.tensors, block, block.bottleneck_readers, read.get("bottleneck.attention", inner),
                            self.config)
            self.inner.append(inner)
            if block.heads:
                query, key, value = (read[f"attention.{part}"] for part in ("query", "key", "value"))
                attend(self.tensors, block, query, key, value=value, mask=padding, plan=self.plan, tap=tap)
        return contexts

    def hidden(self, scope: str) -> Parts:
        """Hidden units of a feed-forward network."""
        return [activation(dense(self.tensors, f"{scope}.intermediate", x), self.config.hidden_act)
                for x in self.inner]

    def branch(self, scope: str, inputs: Parts) -> Parts:
        """What the last layer of a branch makes of ``inputs``."""
        return [dense(self.tensors, scope, x) for x in inputs]

    def add(self, scope: str, stream: Parts, branch: Parts) -> Parts:
        """A step of a stream."""
        return [norm(self.tensors, scope, x + more, self.config) for x, more in zip(stream, branch, strict=True)]


class _Rebuilding:
    def __init__(self, weights: Weights, kept: Sequence[Kept], masking: Masking, some: Sequence[TextBatch]) -> None:
        config = weights.config
        self.full = _Side(dict(weights.tensors), config, FusionPlan())
        self.small = _Side({**weights.tensors, **narrowed(weights, kept)}, config, FusionPlan())
        # Without the heads that go; hidden units are counted by their kernels.
        self.blocks = replace(config, shapes=tuple(
            BlockShape(len(stays.heads), block.feed_forward)
            for block, stays in zip(config.blocks, kept, strict=True))).blocks
        self.fitted: Tensors = {}
        self.mask = [make_mask(tf.constant(_rows(batch["mask"])), masking, tf.float32) for batch in some]
        self.real = [_rows(batch["mask"]).astype(bool) for batch in some]
        for batch in some:
            ids, segments = (tf.constant(_rows(batch[name])) for name in ("ids", "segment_ids"))
            self.full.stream.append(embed(self.full.tensors, config, ids, segments))
        self.small.stream = list(self.full.stream)

    def take(self, block: Block, smaller: Block, stays: Kept) -> None:
        """Compute ``block`` of the full network, and fit what stays of it: ``smaller``."""
        full, small, name = self.full, self.small, block.name
        contexts, small.inner = full.enter(block, self.mask), []
        kept = small.enter(smaller, self.mask) if stays.whole else []
        if block.heads:
            self._step(f"{name}.attention", contexts, kept)
        for scope, units in zip(block.networks, stays.units, strict=True):
            self._step(scope, full.hidden(scope), small.hidden(scope) if units else [])
        if not full.config.use_bottleneck:
            full.stream, small.stream = full.inner, small.inner
            return
        branch = full.branch(f"{name}.output", full.inner)
        missing = self._missing(branch, full.stream, small.stream)
        added = self._fitted(f"{name}.output", small.inner, missing, small.stream)
        small.stream = small.add(f"{name}.output.norm", small.stream, added)
        full.stream = full.add(f"{name}.output.norm", full.stream, branch)

    def _step(self, scope: str, inputs: Parts, kept: Parts) -> None:
        """A step inside a block; without ``kept`` the smaller network has a constant in its place."""
        full, small = self.full, self.small
        branch = full.branch(f"{scope}.output", inputs)
        if small.inner:
            missing = self._missing(branch, full.inner, small.inner)
            added = self._fitted(f"{scope}.output", kept, missing, small.inner)
            small.inner = small.add(f"{scope}.norm", small.inner, added)
        full.inner = full.add(f"{scope}.norm", full.inner, branch)

    def _missing(self, branch: Parts, stream: Parts, small: Parts) -> np.ndarray:
        """What the smaller network's branch should add. *Shape:* [tokens, channels]"""
        return self._tokens([more + x - y for more, x, y in zip(branch, stream, small, strict=True)])

    def _fitted(self, scope: str, inputs: Parts, missing: np.ndarray, stream: Parts) -> Parts:
        """Fit the layer ``scope``, and return what it adds."""
        small = self.small
        if not inputs:
            bias = missing.mean(axis=0)
            self.fitted[f"{scope}.bias"] = bias
            return [tf.broadcast_to(tf.constant(bias, tf.float32), x.shape) for x in stream]
        kernel, bias = fit(self._tokens(inputs), missing, small.tensors[f"{scope}.kernel"].numpy())
        self.fitted |= {f"{scope}.kernel": kernel, f"{scope}.bias": bias}
        small.tensors |= {f"{scope}.{kind}": tf.constant(value, tf.float32)
                          for kind, value in (("kernel", kernel), ("bias", bias))}
        return small.branch(scope, inputs)

    def _tokens(self, parts: Parts) -> np.ndarray:
        """Without padding. *Shape:* [rows, length, channels] each → float32 [tokens, channels]"""
        return np.concatenate([part.numpy()[real] for part, real in zip(parts, self.real, strict=True)])


def _rows(batch: np.ndarray) -> np.ndarray:
    """Choices of a question as rows. *Shape:* [rows, (choices,) length] → [rows, length]"""
    return batch.reshape(-1, batch.shape[-1])
