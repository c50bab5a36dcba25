"""Ranges that quantisation-aware training leaves beside a checkpoint."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mobilebert_lite.errors import CheckpointError
from mobilebert_lite.files import json_bytes

FILE = "quantization.json"


@dataclass(frozen=True)
class TrainedRanges:
    """For files of one recipe; in others the checkpoint is one like any other."""

    recipe: str
    # Name of the tensor in the float file of the first signature → (least, greatest).
    ranges: Mapping[str, tuple[float, float]]

    def to_json(self) -> bytes:
        """What ``read`` reads."""
        return json_bytes({"recipe": self.recipe, "ranges": {name: list(ends) for name, ends in self.ranges.items()}})


def read(folder: Path) -> TrainedRanges | None:
    """The ranges in ``folder``; None where there are none. Raises CheckpointError for a damaged file."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        ranges = {str(name): (float(low), float(high)) for name, (low, high) in raw["ranges"].items()}
        recipe = str(raw["recipe"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is no file of trained ranges ({error!r}); train again, or remove it to measure "
                              "the ranges") from None
    wrong = [name for name, (low, high) in ranges.items()
             if not (math.isfinite(low) and math.isfinite(high) and low <= 0 <= high and low < high)]
    if wrong:
        raise CheckpointError(f"{path}: the range of {wrong[0]} is {ranges[wrong[0]]}; it must be finite and hold 0")
    return TrainedRanges(recipe, ranges)
