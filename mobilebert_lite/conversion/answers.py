"""What the float network of a checkpoint answers: computed once, for the files of all modes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.conversion import dependence
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.tasks import Task
from mobilebert_lite.tasks.base import Outputs
from mobilebert_lite.text.features import Features

# Texts by signature, each with the outputs that the file should give.
Expected = Mapping[str, Sequence[tuple[Features, Outputs]]]


class FloatAnswers:
    """The float network as the checkpoint has it, which files are held to."""

    def __init__(self, weights: Weights, task: Task, masking: Masking) -> None:
        self._weights, self._task, self._masking = weights, task, masking
        self._answers: dict[str, list[tuple[Features, Outputs]]] = {}
        self._depends = False

    @cached_property
    def network(self) -> Network:
        """Its variables and functions."""
        return Network(self._weights.config, self._weights.tensors, self._task, self._masking)

    def answers(self, texts: Mapping[str, Sequence[Features]]) -> Expected:
        """What it computes for each of ``texts``, which are the same at every call."""
        for name, features in texts.items():
            if name not in self._answers:
                outputs = self.network.run([one.inputs() for one in features])
                self._answers[name] = list(zip(features, outputs, strict=True))
        return self._answers

    def require_dependence(self, features: Sequence[Features], words: int) -> None:
        """See ``dependence.require_in_network``."""
        if not self._depends:
            dependence.require_in_network(self.network, self._task, features, words)
        self._depends = True
