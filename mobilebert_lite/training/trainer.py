"""One step of training: gradient, sum over devices, update. All that changes is four variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mobilebert_lite.common.tf import tf
from mobilebert_lite.training.batches import Arrays
from mobilebert_lite.training.layout import Layout
from mobilebert_lite.training.objective import Objective
from mobilebert_lite.training.optimizer import AdamW

# What a state consists of: the weights, and the optimizer's running means. float32 [size] each.
SLOTS = ("values", "mean", "square")


class Trainer:
    """Weights as one vector on every device of a ``tf.distribute`` strategy, and the step over them.

    Every device computes the gradient of its share of the rows; the sum is the same everywhere, and so is the update:
    each device applies it to a copy of its own, and no weights ever travel.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], objective: Objective, optimizer: AdamW,
                 *, weight_decay: float = 0.0, frozen: Mapping[str, np.ndarray] | None = None,
                 strategy: tf.distribute.Strategy | None = None, jit: bool = False) -> None:
        """``weight_decay`` is for kernels alone. ``frozen``: canonical name → bool array, true for what must stay."""
        self.objective, self.optimizer = objective, optimizer
        self.strategy = strategy or tf.distribute.get_strategy()
        self.layout = Layout.of(tensors)
        frozen = frozen or {}
        self._decay = tf.constant(self.layout.fill(lambda name: weight_decay * name.endswith(".kernel")))
        self._learnt = tf.constant(self.layout.fill(lambda name: 1.0 - np.asarray(frozen.get(name, 0.0), np.float32)))
        with self.strategy.scope():
            self._slots = {name: self._variable(value) for name, value in zip(
                SLOTS, (self.layout.join(tensors), *np.zeros((2, self.layout.size), np.float32)), strict=True)}
        # Pure functions of tensors, so that XLA may compile them whatever the strategy.
        self._compute = tf.function(self._gradient, jit_compile=jit, autograph=False)
        self._apply = tf.function(optimizer.update, jit_compile=jit, autograph=False)
        self._step = tf.function(self._on_all_devices, autograph=False)

    @staticmethod
    def _variable(value: np.ndarray) -> tf.Variable:
        # ON_READ: a copy for each device, written without asking the others.
        return tf.Variable(value, trainable=False, synchronization=tf.VariableSynchronization.ON_READ,
                           aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)

    def step(self, batch: Arrays, number: int, rate: float) -> dict[str, float]:
        """Update by ``batch``, whose rows the devices share; ``number`` counts steps from 1.

        Returns the mean loss of the labels in the batch, and the norm of the gradient before clipping.
        """
        total = tf.constant(max(float(batch["weight"].sum()), 1.0))
        shares = self._share(batch)
        loss, norm = self._step(shares, total, tf.constant(number, tf.int64), tf.constant(rate, tf.float32))
        return {"loss": float(loss), "norm": float(norm)}

    def _share(self, batch: Arrays) -> Any:
        """The rows of each device; what has no rows goes to all."""
        count = self.strategy.num_replicas_in_sync
        if count == 1:
            return {name: tf.constant(value) for name, value in batch.items()}
        rows = len(batch["ids"])
        if rows % count:
            raise ValueError(f"a batch of {rows} rows cannot be shared by {count} devices")

        def of(context: tf.distribute.ValueContext) -> dict[str, tf.Tensor]:
            first = context.replica_id_in_sync_group * (rows // count)
            share = {name: value[first:first + rows // count] if name not in ("seed", "shift") else value
                     for name, value in batch.items()}
            # Rows on different devices must not get the same dropout.
            share["seed"] = batch["seed"] + np.array([first << 16, 0], np.int32)
            return {name: tf.constant(value) for name, value in share.items()}

        # The strategy hands structures out piece by piece.
        distribute = self.strategy.experimental_distribute_values_from_function
        return {name: distribute(lambda context, name=name: of(context)[name]) for name in batch}

    def _on_all_devices(self, shares: Any, total: tf.Tensor, number: tf.Tensor, rate: tf.Tensor
                        ) -> tuple[tf.Tensor, tf.Tensor]:
        loss, norm = self.strategy.run(self._on_one_device, (shares, total, number, rate))
        return self._first(loss), self._first(norm)

    def _first(self, value: Any) -> tf.Tensor:
        return self.strategy.experimental_local_results(value)[0]

    def _on_one_device(self, batch: Mapping[str, tf.Tensor], total: tf.Tensor, number: tf.Tensor, rate: tf.Tensor
                       ) -> tuple[tf.Tensor, tf.Tensor]:
        loss, gradient = self._compute(self._slots["values"].value(), batch, total)
        if self.strategy.num_replicas_in_sync > 1:
            context = tf.distribute.get_replica_context()
            loss, gradient = context.all_reduce(tf.distribute.ReduceOp.SUM, [loss, gradient])
        *new, norm = self._apply(gradient, *(self._slots[name].value() for name in SLOTS), self._decay,
                                 step=number, rate=rate)
        for name, value in zip(SLOTS, new, strict=True):
            self._slots[name].assign(value)
        return loss, norm

    def _gradient(self, values: tf.Tensor, batch: Mapping[str, tf.Tensor], total: tf.Tensor
                  ) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = self.objective(self.layout.cut(values), batch) / total
        return loss, tape.gradient(loss, values) * self._learnt

    def state(self) -> dict[str, np.ndarray]:
        """Copies of values, mean and square."""
        return {name: self._first(slot).numpy() if hasattr(slot, "values") else slot.numpy()
                for name, slot in self._slots.items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a ``state`` of the same layout."""
        for name, slot in self._slots.items():
            self.strategy.run(slot.assign, (tf.constant(state[name]),))

    def tensors(self) -> dict[str, np.ndarray]:
        """The weights by canonical name."""
        return self.layout.arrays(self.state()["values"])
