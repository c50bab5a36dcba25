"""How far a network's activations stay from the ends of float16, in which GPUs compute."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mobilebert_lite.quantization.calibrate import CalibrationSamples, activations

# 65504, and the least positive number with all eleven bits of precision, 2^-14.
LARGEST, SMALLEST_NORMAL = float(np.finfo(np.float16).max), float(np.finfo(np.float16).tiny)


@dataclass(frozen=True)
class HeadRoom:
    """The extremes over all activations and texts."""

    # Greatest absolute value, and the tensor that has it.
    largest: float
    largest_in: str
    # Least root mean square of a tensor, and that tensor.
    smallest_typical: float
    smallest_in: str

    @property
    def bits_above(self) -> float:
        """log2(65504 / largest): how often everything could double. Negative where float16 overflows."""
        return math.log2(LARGEST / self.largest)

    @property
    def bits_below(self) -> float:
        """log2(smallest typical / 2^-14): how often everything could halve before a tensor loses precision."""
        return math.log2(self.smallest_typical / SMALLEST_NORMAL)

    def to_json(self) -> dict[str, float | str]:
        """For reports and provenance."""
        return {"largest": self.largest, "largest_in": self.largest_in, "bits_above": round(self.bits_above, 2),
                "smallest_typical": self.smallest_typical, "smallest_in": self.smallest_in,
                "bits_below": round(self.bits_below, 2)}


def measure(content: bytes, samples: CalibrationSamples, threads: int = 2) -> HeadRoom:
    """The head room of the float file ``content`` on ``samples``.

    Padding counts: where it overflows, the zero that softmax gives it becomes NaN (0·∞). A tensor that is zero
    throughout (a hidden layer without a positive value, the mask of a text without padding) says nothing about
    precision and is left out there.
    """
    largest: dict[str, float] = {}
    squares: dict[str, float] = {}
    counts: dict[str, int] = {}
    for name, value in activations(content, samples, threads, padding=True):
        largest[name] = max(largest.get(name, 0.0), float(np.abs(value).max()))
        squares[name] = squares.get(name, 0.0) + float(np.square(value, dtype=np.float64).sum())
        counts[name] = counts.get(name, 0) + value.size
    typical = {name: math.sqrt(total / counts[name]) for name, total in squares.items() if total > 0}
    loud, quiet = max(largest, key=lambda name: largest[name]), min(typical, key=lambda name: typical[name])
    return HeadRoom(largest[loud], _short(loud), typical[quiet], _short(quiet))


def _short(name: str) -> str:
    """TensorFlow joins the names of all operations that it fused into one tensor; the last is the outermost."""
    return [part for part in name.split(";") if part][-1]
