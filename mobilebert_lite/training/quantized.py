"""Training in the number formats of a recipe, so that the weights make up for the rounding.

The checkpoint is fused, balanced and quantized as the converter would, on texts of the training data. The file that
this gives is trained (``simulation``): its kernels, biases and ranges. What comes out is a checkpoint of the same shape
in this balanced form (``fusion.unfuse``), and the ranges, which the converter then takes instead of measuring some.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.common.tf import tf
from mobilebert_lite.conversion.building import Design, draw, finish_quantized
from mobilebert_lite.datasets.reading import evenly
from mobilebert_lite.datasets.samples import calibration_texts
from mobilebert_lite.errors import DataError
from mobilebert_lite.fusion.plan import Fused
from mobilebert_lite.fusion.unfuse import unfuse
from mobilebert_lite.graph import heads
from mobilebert_lite.graph.names import signature_name
from mobilebert_lite.quantization.probes import Probe
from mobilebert_lite.quantization.recipe import Recipe
from mobilebert_lite.quantization.trained import TrainedRanges, places
from mobilebert_lite.tasks import Task
from mobilebert_lite.tasks.teaching import Loss
from mobilebert_lite.text.features import Features
from mobilebert_lite.tflite.graph import Graphs
from mobilebert_lite.training.loop import Loop, LoopSettings, Trained
from mobilebert_lite.training.objective import Batch
from mobilebert_lite.training.preparation import TrainingData
from mobilebert_lite.training.scoring import Evaluator
from mobilebert_lite.training.simulation import Simulation, TrainedScales, find_parts
from mobilebert_lite.training.trainer import Trainer

# Texts of the training data that give the first ranges.
_TEXTS = 256
# Tokens of the texts that a conversion is verified with, and how many texts at most.
_PROBED_TOKENS, _PROBES = 2048, 64


@dataclass(frozen=True)
class Quantized:
    """A network in the number formats of a recipe."""

    recipe: Recipe
    weights: Weights
    fused: Fused
    ranges: TrainedScales
    # By length.
    simulations: Mapping[int, Simulation]
    # See quantization.trained.
    places: Mapping[str, str]
    # What is trained: kernels and biases by canonical name, factors of ranges.
    tensors: Mapping[str, np.ndarray]

    def restored(self, tensors: Mapping[str, np.ndarray]) -> Weights:
        """``tensors``, trained, as a checkpoint."""
        fused = self.fused.with_tensors({**self.fused.tensors, **{
            name: value for name, value in tensors.items() if name in self.fused.tensors}})
        return unfuse(fused, self.weights)

    def trained(self, tensors: Mapping[str, np.ndarray], task: Task, texts: Sequence[Features]) -> TrainedRanges:
        """The ranges that go with them, and the answers to some of ``texts``."""
        constants = {name: tf.constant(tensor) for name, tensor in tensors.items()}
        # Texts that fill the longest signature have no [PAD] behind them, as they would have in a longer one.
        texts = [text for text in texts if text.length_used < max(self.simulations)] or list(texts)
        used = sum(text.length_used for text in texts) / len(texts)
        chosen = evenly(texts, max(8, min(_PROBES, int(_PROBED_TOKENS / used))))
        return TrainedRanges(self.recipe.name, {self.places[name]: ends for name, ends
                                                in self.ranges.trained(tensors).items() if name in self.places},
                             tuple(self._probe(constants, task, text) for text in chosen))

    def _probe(self, constants: Mapping[str, tf.Tensor], task: Task, text: Features) -> Probe:
        # At the greatest length, as a file usually has it: padding moves an int8 softmax by a step here and there.
        used, simulation = text.length_used, self.simulations[max(self.simulations)]
        outputs = {name: value.numpy()[0] for name, value in simulation(constants, text.inputs()).items()}
        return Probe(text.trimmed(used), {name: value[:used] if name in task.per_token else value
                                          for name, value in outputs.items()})


def quantized(prepared: TrainingData, recipe: Recipe, lengths: Collection[int], threads: int = 2) -> Quantized:
    """The network of ``prepared`` as ``recipe`` makes it. Raises DataError for a recipe that rounds nothing, or is for
    computing in float16."""
    if not recipe.needs_calibration:
        raise DataError(f"recipe {recipe.name} has no ranges of activations to train; take int8, int8-full or int16x8")
    task = prepared.task.with_form(replace(prepared.task.form, logits=True))
    lengths = sorted(lengths, reverse=True)
    # Evenly over the data, as conversion does; the file's own order may be by class.
    examples = prepared.train[::max(1, len(prepared.train) // _TEXTS)]
    texts = calibration_texts(prepared.tokenizer, task, examples, lengths)
    design = Design(task, lengths, recipe, recipe.masking(prepared.masking), without=prepared.options.without,
                    threads=threads)
    drawn = draw(prepared.weights, design, texts, stretches=False)
    graphs, float_graphs = Graphs.read(finish_quantized(drawn.content, design, texts)), Graphs.read(drawn.content)
    parts, ranges = find_parts(float_graphs, drawn.fused.tensors), TrainedScales(graphs)
    simulations = {length: Simulation(graphs.entry(signature_name(task.name, length)), parts, ranges)
                   for length in lengths}
    learnt = {f"{part.layer}.{kind}" for part in parts.values() for kind in ("kernel", "bias")}
    tensors = {name: value for name, value in drawn.fused.tensors.items() if name in learnt}
    return Quantized(recipe, prepared.weights, drawn.fused, ranges, simulations, places(float_graphs),
                     {**tensors, **ranges.factors()})


@dataclass(frozen=True)
class QuantizedObjective:
    """The loss of a task on what the quantized file computes."""

    simulations: Mapping[int, Simulation]
    loss: Loss

    def __call__(self, tensors: Mapping[str, tf.Tensor], batch: Batch) -> tf.Tensor:
        """See ``objective.Objective``."""
        outputs = self.simulations[batch["ids"].shape[-1]](tensors, batch)
        return tf.reduce_sum(self.loss(outputs, batch) * batch["weight"])


class QuantizedEvaluator(Evaluator):
    """Scores what the quantized file computes."""

    def __init__(self, simulations: Mapping[int, Simulation], *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.simulations = simulations

    def _function(self, constants: Mapping[str, tf.Tensor], config: MobileBertConfig, length: int) -> Any:
        which = None, length
        if which not in self._functions:
            task = self.model.task

            def run(tensors: Mapping[str, tf.Tensor], *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
                names = ("ids", "mask", "segment_ids")
                outputs = self.simulations[length](tensors, dict(zip(names, inputs, strict=True)))
                return heads.classes(outputs["logits"], task.form) if "probability" in task.outputs else outputs

            inputs = [tf.TensorSpec(shape, tf.int32) for shape in self.model.task.form.inputs(length, None).values()]
            weights = {name: tf.TensorSpec(tensor.shape) for name, tensor in constants.items()}
            self._functions[which] = tf.function(run, [weights, *inputs], autograph=False)
        return self._functions[which]


class QuantizedLoop(Loop):
    """Trains a ``Quantized`` network: the loop is the same, what stands in its weights is not a whole checkpoint."""

    def __init__(self, network: Quantized, settings: LoopSettings, evaluator: QuantizedEvaluator, folder: Path,
                 say: Callable[[str], None]) -> None:
        self.quantized = network
        super().__init__(replace(network.weights, tensors=dict(network.tensors)), settings, evaluator, folder, say)

    def _trainer(self, tensors: Mapping[str, np.ndarray]) -> Trainer:
        settings = self.settings
        return Trainer(tensors, settings.objective(self.config), settings.optimizer,
                       weight_decay=settings.weight_decay, frozen={}, strategy=settings.strategy, jit=settings.jit)

    def _finish(self) -> Trained:
        if self.best is None:
            self._evaluate()
        assert self.best is not None
        self._save()
        tensors = self.trainer.layout.arrays(self.best)
        _, metrics = self.evaluator.score(tensors, self.config)
        return Trained(self.quantized.restored(tensors), metrics, self.progress, self.settings.schedule.steps,
                       self.quantized.trained(tensors, self.evaluator.model.task, self.evaluator.features))
