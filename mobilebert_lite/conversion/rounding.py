"""What float32 can reach for the network at hand: how far its own rounding takes it from float64."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mobilebert_lite.conversion.verify import Threshold, Verification, relative_error
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.tasks import Task
from mobilebert_lite.tasks.base import Outputs
from mobilebert_lite.text.features import Features

Pair = tuple[Features, Outputs]

# A file in float32 sums in another order than the float graph, and fusion has changed its factors: the errors of both
# add up, and those of the file may be larger.
_FACTOR = 8.0


def allow(threshold: Threshold, reference: Network, task: Task, expected: Mapping[str, Sequence[Pair]],
          results: Sequence[Verification]) -> Threshold:
    """``threshold`` for a file in float32, whose error may be what float32 can reach for ``reference``.

    ``expected`` are texts and outputs of ``reference`` by signature, ``results`` what the file reached.
    """
    missed = [result.signature for result in results if not result.error <= threshold.error]
    return replace(threshold, error=max([threshold.error, *(reachable(reference, task, expected[name])
                                                            for name in missed)]))


def reachable(reference: Network, task: Task, pairs: Sequence[Pair]) -> float:
    """The mean relative error (as ``verify.compare`` has it) that rounding explains between two float32 forms of
    ``reference``, which gave the outputs in ``pairs``; 0 where they are not finite."""
    exact = Network(reference.config, {name: tensor.numpy().astype(np.float64)
                                       for name, tensor in reference.tensors.items()},
                    reference.task, reference.masking, reference.plan)
    expected = exact.run([features.inputs() for features, _ in pairs])
    error = float(np.mean([relative_error(task, features, true, outputs)
                           for (features, outputs), true in zip(pairs, expected, strict=True)]))
    return _FACTOR * error if np.isfinite(error) else 0.0
