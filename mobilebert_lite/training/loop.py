"""The loop of training: steps, logs, evaluations, saved states, and the end."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import Weights, checked
from mobilebert_lite.common.tf import tf
from mobilebert_lite.errors import MblError, TrainingError
from mobilebert_lite.quantization.trained import TrainedRanges
from mobilebert_lite.training import states
from mobilebert_lite.training.batches import Batcher, Epochs
from mobilebert_lite.training.initial import stacked
from mobilebert_lite.training.logs import Logs
from mobilebert_lite.training.objective import Objective
from mobilebert_lite.training.optimizer import AdamW, rate_at
from mobilebert_lite.training.scoring import Evaluator
from mobilebert_lite.training.trainer import Trainer

# Steps between lines of the log.
LOG_EVERY = 20


class Interrupted(MblError):
    """Training was asked to stop by a signal; what it had done is saved."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


@dataclass(frozen=True)
class Schedule:
    """When things happen, in steps."""

    steps: int
    eval_every: int
    save_every: int
    # Greatest learning rate, and the share of the steps in which it rises.
    peak: float
    warmup: float
    # Evaluations without a better score before training stops; None: it never does.
    patience: int | None
    # (step from which on, number of layers), the first from 0.
    stages: tuple[tuple[int, int], ...]
    # Score what the training begins with, which is then the first to beat.
    score_start: bool

    @classmethod
    def of(cls, steps: int, layers: int, *, stack: tuple[int, ...] = (), eval_every: int | None = None,
           save_every: int | None = None, peak: float = 1e-3, warmup: float = 0.06, patience: int | None = None,
           score_start: bool = False) -> Schedule:
        """With defaults of ten evaluations and twenty saved states, and all stages of ``stack`` equally long."""
        sizes = (*stack, layers)
        return cls(steps, eval_every or max(1, math.ceil(steps / 10)), save_every or max(1, math.ceil(steps / 20)),
                   peak, warmup, patience, tuple((i * steps // len(sizes), size) for i, size in enumerate(sizes)),
                   score_start)

    def layers_at(self, step: int) -> int:
        """Number of layers in training at ``step``."""
        return [layers for start, layers in self.stages if start <= step][-1]


@dataclass(frozen=True)
class LoopSettings:
    """How the steps are made."""

    # For a configuration (while stacking: of fewer layers).
    objective: Callable[[MobileBertConfig], Objective]
    batcher: Batcher
    schedule: Schedule
    optimizer: AdamW
    weight_decay: float
    strategy: tf.distribute.Strategy
    jit: bool
    # Whether this process writes files and logs.
    chief: bool = True
    # The folder of the whole training, which it is resumed by; None: the one above the state's.
    output: Path | None = None


@dataclass(frozen=True)
class Trained:
    """What came out."""

    weights: Weights
    # Metrics of these weights, in percent.
    metrics: Mapping[str, float]
    progress: states.TrainProgress
    steps: int
    # With quantization-aware training: ranges of activations.
    ranges: TrainedRanges | None = None


class Loop:
    """One training, from its start or from a saved state."""

    def __init__(self, weights: Weights, settings: LoopSettings, evaluator: Evaluator, folder: Path,
                 say: Callable[[str], None] = lambda message: None) -> None:
        self.weights, self.settings, self.evaluator, self.folder, self.say = weights, settings, evaluator, folder, say
        self.config = self._config(settings.schedule.layers_at(0))
        self.trainer = self._trainer(_first_layers(weights.tensors, self.config))
        self.progress = states.TrainProgress()
        self.best: np.ndarray | None = None
        self._began = time.monotonic()

    def resume(self) -> None:
        """Go on from the state in the folder. Raises CheckpointError."""
        arrays, self.progress = states.load(self.folder)
        layers = self.settings.schedule.layers_at(max(0, self.progress.step - 1))
        if layers != self.config.num_hidden_layers:
            self._enter(self._config(layers))
        self.trainer.restore(arrays)
        self.best = arrays.get("best")

    def run(self, epochs: Epochs, count: Callable[[int, int], None] = lambda done, total: None) -> Trained:
        """Train to the end, or until ``patience`` is over. Raises Interrupted on SIGINT and SIGTERM."""
        schedule, progress = self.settings.schedule, self.progress
        self._began = time.monotonic()
        batches = self.settings.batcher.stream(epochs, progress.step)
        with _signals() as caught, Logs(self.folder / states.LOGS, self.settings.chief) as logs:
            if schedule.score_start and progress.step == 0:
                self._log(self._evaluate(), logs)
            while progress.step < schedule.steps and not self._tired():
                self._grow()
                rate = rate_at(progress.step, schedule.steps, schedule.peak, schedule.warmup)
                found = self.trainer.step(next(batches), progress.step + 1, rate)
                progress.step += 1
                if not math.isfinite(found["loss"]):
                    raise TrainingError(f"the loss of step {progress.step} is {found['loss']}; try a smaller "
                                   f"--learning-rate than {schedule.peak:g}")
                self._after_step(found | {"rate": rate}, logs)
                count(progress.step, schedule.steps)
                if caught:
                    self._stop(caught[0])
        if schedule.score_start and progress.best_step == 0:
            self.say("no step scored better than what the training began with, which is therefore what is written")
        return self._finish()

    def _tired(self) -> bool:
        patience = self.settings.schedule.patience
        return patience is not None and self.progress.waited >= patience

    def _after_step(self, found: dict[str, float], logs: Logs) -> None:
        schedule, step = self.settings.schedule, self.progress.step
        evaluate = step % schedule.eval_every == 0 or step == schedule.steps
        if evaluate:
            found |= self._evaluate()
        if evaluate or step % LOG_EVERY == 0 or step == 1:
            self._log(found, logs)
        if step % schedule.save_every == 0:
            self._save()

    def _log(self, found: Mapping[str, float], logs: Logs) -> None:
        step = self.progress.step
        logs.write(step, found)
        self.progress.history.append({"step": step, **{name: float(f"{x:.6g}") for name, x in found.items()}})

    def _evaluate(self) -> dict[str, float]:
        tensors = self.trainer.tensors()
        score, metrics = self.evaluator.score(tensors, self.config)
        score = self._agreed(score)
        progress = self.progress
        better = progress.best is None or score > progress.best
        progress.waited = 0 if better else progress.waited + 1
        # Of equal scores, which few examples give often, the later one: the learning rate has fallen since. What
        # training began with is left for a better one only.
        if better or (score == progress.best and progress.best_step > 0):
            better = True
            progress.best, progress.best_step = score, progress.step
            self.best = self.trainer.state()["values"]
        self.say(f"step {progress.step}: {self.evaluator.scorer.metric} {score:.2f}" + (" (best)" if better else ""))
        return {f"eval/{name}": float(value) for name, value in metrics.items()}

    def _agreed(self, score: float) -> float:
        """The chief's score on every worker: they must stop at the same step."""
        strategy = self.settings.strategy
        if strategy.num_replicas_in_sync == 1:
            return score
        value = strategy.run(lambda: tf.distribute.get_replica_context().all_gather(
            tf.constant([score], tf.float64), axis=0))
        return float(strategy.experimental_local_results(value)[0][0])

    def _grow(self) -> None:
        layers = self.settings.schedule.layers_at(self.progress.step)
        if layers == self.config.num_hidden_layers:
            return
        state = {name: self.trainer.layout.arrays(value) for name, value in self.trainer.state().items()}
        config = self._config(layers)
        self.say(f"step {self.progress.step}: {self.config.num_hidden_layers} layers become {layers}")
        self._enter(config)
        grown = {name: stacked(tensors, config, "copy" if name == "values" else "zero")
                 for name, tensors in state.items()}
        self.trainer.restore({name: self.trainer.layout.join(tensors) for name, tensors in grown.items()})
        self.best, self.progress.best, self.progress.waited = None, None, 0

    def _enter(self, config: MobileBertConfig) -> None:
        self.config = config
        self.trainer = self._trainer(_first_layers(self.weights.tensors, config))

    def _config(self, layers: int) -> MobileBertConfig:
        return replace(self.weights.config, num_hidden_layers=layers)

    def _trainer(self, tensors: Mapping[str, np.ndarray]) -> Trainer:
        settings = self.settings
        # [PAD] stays what it is: the trigram reads it beyond the last word. transformers leaves it alone too.
        padding = np.zeros_like(tensors["embeddings.word"], bool)
        padding[self.config.pad_token_id] = True
        return Trainer(tensors, settings.objective(self.config), settings.optimizer, weight_decay=settings.weight_decay,
                       frozen={"embeddings.word": padding}, strategy=settings.strategy, jit=settings.jit)

    def _save(self) -> None:
        if not self.settings.chief:
            return
        progress = self.progress
        now = time.monotonic()
        progress.seconds, self._began = progress.seconds + now - self._began, now
        arrays = self.trainer.state()
        states.save(self.folder, arrays if self.best is None else {**arrays, "best": self.best}, progress)

    def _stop(self, number: int) -> None:
        self._save()
        raise Interrupted(f"interrupted after step {self.progress.step} of {self.settings.schedule.steps}, which is "
                          f"saved; go on with: mbl train --resume "
                          f"{self.settings.output or self.folder.parent}", number)

    def _finish(self) -> Trained:
        if self.best is None:
            self._evaluate()
        assert self.best is not None
        self._save()
        weights = checked(self.config, self.trainer.layout.arrays(self.best), self.weights.source)
        _, metrics = self.evaluator.score(weights.tensors, self.config)
        return Trained(weights, metrics, self.progress, self.settings.schedule.steps)


def _first_layers(tensors: Mapping[str, np.ndarray], config: MobileBertConfig) -> dict[str, np.ndarray]:
    """Without the layers beyond those of ``config``."""
    return {name: tensor for name, tensor in tensors.items()
            if not name.startswith("layers.") or int(name.split(".")[1]) < config.num_hidden_layers}


@contextmanager
def _signals() -> Iterator[list[int]]:
    """The first SIGINT or SIGTERM, kept in a list so that a step is finished; a second one acts as always."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    before: dict[signal.Signals, Any] = {}

    def restore() -> None:
        for each, handler in before.items():
            signal.signal(each, handler)

    def stop(number: int, frame: object) -> None:
        caught.append(number)
        restore()

    for each in (signal.SIGINT, signal.SIGTERM):
        before[each] = signal.signal(each, stop)
    try:
        yield caught
    finally:
        restore()
