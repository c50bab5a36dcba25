"""Scores of a network in training, by the scorers of `mbl eval`, through the same decoding as a finished file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.common.tf import tf
from mobilebert_lite.evaluation.scorers import ScorerOptions, find_scorer
from mobilebert_lite.graph.encoder import encode
from mobilebert_lite.graph.signatures import flat
from mobilebert_lite.running.model import Model
from mobilebert_lite.tasks import Task
from mobilebert_lite.tasks.base import Outputs
from mobilebert_lite.tasks.masked_lm import EVERY
from mobilebert_lite.text.features import Features
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.training.batches import bucket_for

# Rows that run at once.
_ROWS = 64


class WeightsScorer(Model):
    """Answers as a file of one length does, from outputs that were computed before, many texts at once."""

    def __init__(self, task: Task, tokenizer: Tokenizer, labels: Sequence[str], length: int) -> None:
        self.task, self.tokenizer, self.lengths = task, tokenizer, {length: ""}
        self._labels = tuple(labels)
        self.outputs: dict[bytes, Outputs] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self._labels

    def run(self, features: Features) -> tuple[Features, Outputs]:
        """What was computed for ``features``."""
        return features, self.outputs[key(features)]


def in_evaluation(task: Task, length: int) -> Task:
    """``task`` as it is scored: scores of all words of a vocabulary are computed where a word is hidden, not
    everywhere."""
    if not task.training.masked:
        return task
    return task.with_form(replace(task.form, positions=-(-length // EVERY)))


def key(features: Features) -> bytes:
    """Tells sequences apart."""
    return features.ids.tobytes() + features.segment_ids.tobytes()


class Evaluator:
    """Labeled examples, tokenized once, to score any weights on."""

    def __init__(self, examples: Sequence[Any], task: Task, tokenizer: Tokenizer, labels: Sequence[str], length: int,
                 *, buckets: Sequence[int], masking: Masking, metric: str | None = None) -> None:
        """Raises DataError for examples that cannot be scored."""
        self.examples, self.buckets, self.masking = examples, sorted({*buckets, length}), masking
        self.scorer = find_scorer(task, examples, labels, ScorerOptions(metric))
        for example in examples:
            self.scorer.check(example)
        self.model = WeightsScorer(task, tokenizer, labels, length)
        self._windows = [task.features(tokenizer, example, length) for example in examples]
        # (configuration, length) -> the network.
        self._functions: dict[tuple[MobileBertConfig | None, int], Any] = {}

    @property
    def features(self) -> list[Features]:
        """All sequences."""
        return [one for windows in self._windows for one in windows]

    def score(self, tensors: Mapping[str, np.ndarray], config: MobileBertConfig) -> tuple[float, dict[str, float]]:
        """The metric to judge by, and all metrics, in percent."""
        constants = {name: tf.constant(tensor) for name, tensor in tensors.items()}
        rows: dict[int, tuple[float, ...]] = {}
        for chosen in self._batches():
            # Outputs of a whole vocabulary at every token would not all fit into memory.
            self.model.outputs = self._run([one for i in chosen for one in self._windows[i]], constants, config)
            for i in chosen:
                rows[i] = self.scorer.row(self.examples[i], self.scorer.predict(self.model, self.examples[i]))
        found = np.array([rows[i] for i in range(len(self.examples))], np.float64)
        return self.scorer.score(found), self.scorer.metrics(found)

    def _batches(self) -> Iterator[list[int]]:
        """Places of examples of similar length, with about ``_ROWS`` sequences together."""
        order = sorted(range(len(self.examples)), key=lambda i: max(one.length_used for one in self._windows[i]))
        chosen: list[int] = []
        for i in order:
            chosen.append(i)
            if sum(len(self._windows[j]) for j in chosen) >= _ROWS:
                yield chosen
                chosen = []
        if chosen:
            yield chosen

    def _run(self, features: Sequence[Features], constants: Mapping[str, tf.Tensor], config: MobileBertConfig
             ) -> dict[bytes, Outputs]:
        by_length: dict[int, list[Features]] = {}
        for one in features:
            by_length.setdefault(bucket_for(one.length_used, self.buckets), []).append(one)
        found: dict[bytes, Outputs] = {}
        for length, group in by_length.items():
            function = self._function(constants, config, length)
            for first in range(0, len(group), _ROWS):
                chunk = [one.trimmed(length) for one in group[first:first + _ROWS]]
                inputs = [tf.constant(np.concatenate([one.inputs()[name] for one in chunk]))
                          for name in self.model.task.form.inputs(length)]
                outputs = {name: value.numpy() for name, value in function(constants, *inputs).items()}
                for i, one in enumerate(group[first:first + _ROWS]):
                    found[key(one)] = {name: self._at_full_length(name, value[i:i + 1])
                                       for name, value in outputs.items()}
        return found

    def _at_full_length(self, name: str, value: np.ndarray) -> np.ndarray:
        """Rows of tokens beyond those that ran are padding, which no decoding looks at."""
        if name not in self.model.task.per_token:
            return value
        missing = self.model.longest - value.shape[1]
        return np.pad(value, [(0, 0), (0, missing), *[(0, 0)] * (value.ndim - 2)], constant_values=value.min())

    def _function(self, constants: Mapping[str, tf.Tensor], config: MobileBertConfig, length: int) -> Any:
        which = config, length
        if which not in self._functions:
            # The batch size stays open, or the last batch would be traced once more.
            inputs = [tf.TensorSpec(shape, tf.int32) for shape in self.model.task.form.inputs(length, None).values()]
            weights = {name: tf.TensorSpec(tensor.shape) for name, tensor in constants.items()}

            def run(tensors: Mapping[str, tf.Tensor], ids: tf.Tensor, mask: tf.Tensor, segment_ids: tf.Tensor,
                    positions: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
                hidden = encode(tensors, config, flat(ids), flat(mask), flat(segment_ids), masking=self.masking)
                return self.model.task.draw(tensors, config, hidden, positions)

            self._functions[which] = tf.function(run, [weights, *inputs], autograph=False)
        return self._functions[which]
