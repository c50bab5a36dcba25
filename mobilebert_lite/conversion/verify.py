"""Whether a converted file still computes what the checkpoint computes, on texts that calibration has not seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files

import numpy as np

from mobilebert_lite.errors import VerificationError
from mobilebert_lite.tasks import Task
from mobilebert_lite.tasks.base import Outputs
from mobilebert_lite.text.features import Features


@dataclass(frozen=True)
class Threshold:
    """What a file of one quantization mode must reach."""

    # Least share of texts with the same answer.
    agreement: float
    # Greatest mean over texts of max|difference| / max|reference|.
    error: float


@dataclass(frozen=True)
class Verification:
    """What one signature reached."""

    signature: str
    texts: int
    # Share of texts on which a user would get the same answer, a near tie counted as the same.
    agreement: float
    # Mean and worst over the texts of max|difference| / max|reference| of the outputs, padding left out.
    error: float
    worst_error: float

    def to_json(self) -> dict[str, object]:
        """For reports and provenance."""
        return asdict(self)


def load_threshold(mode: str) -> Threshold:
    """The threshold of a ``--quantize`` mode; recipes of one's own are held to that of ``custom``."""
    table = json.loads(files("mobilebert_lite.quantization").joinpath("thresholds.json").read_text("utf-8"))
    return Threshold(**table.get(mode, table["custom"]))


def compare(task: Task, signature: str, features: Sequence[Features], reference: Sequence[Outputs],
            candidate: Sequence[Outputs]) -> Verification:
    """Agreement and numeric error of ``candidate`` against ``reference`` on the same ``features``."""
    rows = list(zip(features, reference, candidate, strict=True))
    errors = [relative_error(task, one, expected, actual) for one, expected, actual in rows]
    agreed = [task.agrees(one, expected, actual) for one, expected, actual in rows]
    return Verification(signature, len(rows), float(np.mean(agreed)), float(np.mean(errors)), float(np.max(errors)))


def relative_error(task: Task, features: Features, reference: Outputs, candidate: Outputs) -> float:
    """The largest of max|difference| / max|reference| over the outputs; infinite when an output is not finite."""
    # What stands at padding is never read.
    return max(_output_error(*(outputs[name][:, features.mask == 1] if name in task.per_token else outputs[name]
                               for outputs in (reference, candidate))) for name in reference)


def _output_error(expected: np.ndarray, actual: np.ndarray) -> float:
    if not np.isfinite(actual).all():
        return float("inf")
    return float(np.abs(actual - expected).max() / max(np.abs(expected).max(), 1e-12))


def require(results: Sequence[Verification], threshold: Threshold) -> None:
    """Raise VerificationError with the numbers when a signature misses the threshold."""
    for result in results:
        if result.agreement < threshold.agreement or not result.error <= threshold.error:
            raise VerificationError(
                f"verification failed for {result.signature} on {result.texts} texts: agreement "
                f"{result.agreement:.3f} (at least {threshold.agreement} needed), mean relative error "
                f"{result.error:.4g} (at most {threshold.error} allowed); no file was written. "
                "Try a safer --quantize mode, or calibrate with texts of your own (--calibration)")


def summary(results: Sequence[Verification]) -> Mapping[str, object]:
    """For the provenance in the file."""
    return {result.signature: result.to_json() for result in results}
