"""What a network in quantization-aware training computed, rounding included: its conversion is held to that.

The weights of such a network are bent for the rounding, so that its float form is no measure of the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mobilebert_lite.errors import ConversionError
from mobilebert_lite.tasks import Task
from mobilebert_lite.tasks.base import Outputs
from mobilebert_lite.text.features import Features

# Their arrays, and what stands in them at padding. The mask is stored only where it is not 1 throughout.
_ARRAYS = {"ids": np.int32, "segment_ids": np.int32, "offsets": np.int32, "max_context": np.bool_}
_PADDING = {"mask": 0, "segment_ids": 0, "offsets": -1, "words": -1, "max_context": False}
# (start, end) for each token: their last axis is not the tokens.
_PAIRS = ("offsets", "words")


@dataclass(frozen=True, eq=False)
class Probe:
    """A text that was not trained on, without padding, and the logits for it; of a question with alternatives those
    that are shorter than the longest are padded.

    *Shape:* float32 [S, ...] for outputs with a row for each of the S tokens, [...] for others
    """

    features: Features
    logits: Mapping[str, np.ndarray]

    def padded(self, task: Task, length: int, pad_id: int) -> tuple[Features, Outputs]:
        """As a signature of ``length`` takes and gives them.

        *Shape:* outputs [1, length, ...] or [1, ...]
        """
        outputs = {name: (_pad(value, length, value.min()) if name in task.per_token else value)[None]
                   for name, value in self.logits.items()}
        if tuple(task.outputs) == ("probability",) and "logits" in outputs:
            from mobilebert_lite.graph import heads

            outputs = {name: value.numpy() for name, value in heads.classes(outputs["logits"], task.form).items()}
        rows: dict[str, Any] = {
            name: _pad(getattr(self.features, name), length, fill, -2 if name in _PAIRS else -1)
            for name, fill in {**_PADDING, "ids": pad_id}.items()}
        return replace(self.features, **rows), outputs

    def to_json(self) -> dict[str, Any]:
        """What ``read`` reads; logits with six digits."""
        names = [*_ARRAYS, *([] if self.features.mask.all() else ["mask"])]
        return {**{name: getattr(self.features, name).astype(int).tolist() for name in names},
                "logits": {name: _rounded(value) for name, value in self.logits.items()}}


def fitting(probes: Sequence[Probe], task: Task, length: int, pad_id: int) -> list[tuple[Features, Outputs]]:
    """Those of ``probes`` that fit a signature of ``length``, padded to it. Raises ConversionError when none does."""
    # One more than they need: the trigram of the last word read a [PAD] in training, too.
    found = [probe.padded(task, length, pad_id) for probe in probes if probe.features.length_used < length]
    if not found:
        shortest = min(probe.features.length_used for probe in probes)
        raise ConversionError(f"--seq-len {length} is too short to verify the file: the shortest of the {len(probes)} "
                              f"texts that its training left has {shortest} tokens")
    return found


def read(raw: Mapping[str, Any]) -> Probe:
    """What ``Probe.to_json`` made. Raises ValueError, KeyError or TypeError for anything else."""
    arrays: dict[str, np.ndarray] = {name: np.array(raw[name], dtype) for name, dtype in _ARRAYS.items()}
    logits = {str(name): np.array(value, np.float32) for name, value in raw["logits"].items()}
    shape = arrays["ids"].shape
    mask = np.array(raw.get("mask", np.ones(shape)), np.int32)
    shapes = {name: (*shape, 2) if name in _PAIRS else shape for name in arrays}
    if (0 in shape or len(shape) not in (1, 2) or {name: array.shape for name, array in arrays.items()} != shapes
            or mask.shape != shape or (arrays["ids"] < 0).any()):
        raise ValueError("a text's arrays do not fit each other")
    if not logits or not all(value.size and np.isfinite(value).all() for value in logits.values()):
        raise ValueError("logits are missing, or not finite")
    # Probes are compared by their tokens: whole words are for texts that people read.
    return Probe(Features(mask=mask, words=arrays["offsets"], ids=arrays["ids"], segment_ids=arrays["segment_ids"],
                          offsets=arrays["offsets"], max_context=arrays["max_context"]), logits)


def _pad(array: np.ndarray, length: int, fill: Any, axis: int = 0) -> np.ndarray:
    """``array`` with ``length`` tokens along ``axis``."""
    missing = np.zeros((array.ndim, 2), int)
    missing[axis, 1] = length - array.shape[axis]
    return np.pad(array, missing, constant_values=fill)


def _rounded(value: np.ndarray) -> Any:
    return np.vectorize(lambda x: float(f"{x:.6g}"), otypes=[float])(value).tolist()
