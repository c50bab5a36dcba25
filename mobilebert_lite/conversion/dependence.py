"""Whether outputs depend on the text at all: a network, or a file, that answers every text alike is broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mobilebert_lite.errors import VerificationError
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.tasks import Task
from mobilebert_lite.tasks.base import Outputs
from mobilebert_lite.text.features import Features

# Texts that are read again with other words.
_TEXTS = 4
# Differences that rounding makes, as a share of the largest output, and those that a user can see.
ROUNDING, VISIBLE = 1e-6, 0.02


def with_other_words(features: Features, words: int) -> Features:
    """The same places with another word of a vocabulary of ``words`` at each token of the text."""
    return replace(features, ids=np.where(features.in_text, (features.ids + words // 2) % words,
                                          features.ids).astype(features.ids.dtype))


def change(task: Task, run: Callable[[Sequence[Features]], Sequence[Outputs]], features: Sequence[Features],
           words: int) -> float:
    """The largest change of an output of ``run`` by other words in the places of some of ``features``, as a share of
    the largest output."""
    some = features[::-(-len(features) // _TEXTS)]
    outputs = run([*some, *(with_other_words(one, words) for one in some)])
    return max(_difference(task, one, one, *pair)
               for one, pair in zip(some, zip(outputs[:len(some)], outputs[len(some):], strict=True), strict=True))


def spread(task: Task, features: Sequence[Features], outputs: Sequence[Outputs]) -> float:
    """The largest difference between the outputs for the first of ``features`` and for another one, as ``change``; 0
    where all are the same text."""
    return max((_difference(task, features[0], one, outputs[0], output)
                for one, output in zip(features, outputs, strict=True)), default=0.0)


def require_in_file(task: Task, signature: str, features: Sequence[Features], reference: Sequence[Outputs],
                    candidate: Sequence[Outputs]) -> None:
    """Raise VerificationError when ``candidate`` gives the same for all ``features``, and ``reference`` does not."""
    found, wanted = (spread(task, features, outputs) for outputs in (candidate, reference))
    if found <= ROUNDING and wanted > VISIBLE:
        raise VerificationError(f"verification failed for {signature}: its outputs are the same for all "
                                f"{len(features)} texts, and those of the checkpoint differ by up to {wanted:.2g} of "
                                "the largest one; no file was written. Try a safer --quantize mode, or calibrate with "
                                "texts of your own (--calibration)")


def require_in_network(reference: Network, task: Task, features: Sequence[Features], words: int) -> None:
    """Raise VerificationError when the checkpoint itself answers every text alike, be it one of ``features`` or one of
    other words of its vocabulary of ``words``."""
    def run(network: Network) -> float:
        return change(task, lambda texts: network.run([one.inputs() for one in texts]), features, words)

    changed = run(reference)
    if changed <= VISIBLE and task.form.activation:  # probabilities near 0 and 1 hide what logits show
        tensors = {name: tensor.numpy() for name, tensor in reference.tensors.items()}
        changed = run(Network(reference.config, tensors, task.with_form(replace(task.form, logits=True)),
                              reference.masking, reference.plan))
    if changed <= ROUNDING:
        raise VerificationError("the outputs of the checkpoint do not depend on the text: other words in the same "
                                f"places change them by {changed:.1g} of the largest one; no file was written. Give "
                                "the checkpoint that was trained for this task")


def _difference(task: Task, first: Features, second: Features, before: Outputs, after: Outputs) -> float:
    """Of outputs for single tokens, where both have one."""
    kept = (first.mask == 1) & (second.mask == 1)
    found = 0.0
    for name in before:
        one, other = (outputs[name][:, kept] if name in task.per_token else outputs[name]
                      for outputs in (before, after))
        if one.shape != other.shape or not (np.isfinite(one).all() and np.isfinite(other).all()):
            return np.inf
        largest = max(float(np.abs(one).max()), float(np.abs(other).max()), float(np.finfo(np.float32).tiny))
        found = max(found, float(np.abs(one - other).max()) / largest)
    return found
