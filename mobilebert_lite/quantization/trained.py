"""What quantization-aware training leaves beside a checkpoint: ranges, and what the network computed with them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mobilebert_lite.common.fields import parse_json
from mobilebert_lite.common.files import json_bytes
from mobilebert_lite.errors import CheckpointError, ConversionError
from mobilebert_lite.quantization import probes
from mobilebert_lite.tflite.graph import Graphs

FILE = "quantization.json"


@dataclass(frozen=True)
class TrainedRanges:
    """For files of one recipe; in others the checkpoint is one like any other."""

    recipe: str
    # Place of the tensor in the float file (``places``) → (least, greatest).
    ranges: Mapping[str, tuple[float, float]]
    probes: tuple[probes.Probe, ...]

    def of(self, graphs: Graphs) -> dict[str, tuple[float, float]]:
        """Name in ``graphs``, of a float file → range. Raises ConversionError when it is another network."""
        names = {place: name for name, place in places(graphs).items()}
        if unknown := [place for place in self.ranges if place not in names]:
            raise ConversionError(f"the ranges that were trained for {self.recipe} are for a network with other "
                                  f"operators ({unknown[0]} is not in this one); convert it for the task and with the "
                                  f"--no-fuse that it was trained with, or remove {FILE} to measure ranges")
        return {names[place]: ends for place, ends in self.ranges.items()}

    def to_json(self) -> bytes:
        """What ``read`` reads."""
        return json_bytes({"recipe": self.recipe, "ranges": {name: list(ends) for name, ends in self.ranges.items()},
                           "probes": [probe.to_json() for probe in self.probes]})


def places(graphs: Graphs) -> dict[str, str]:
    """Name of each activation of the first signature → number and kind of the operator that computes it.

    TensorFlow makes up the names, other ones for other numbers of lengths in a file; the operators stay.
    """
    return {tensor.name: f"{operator.index} {operator.name}"
            for operator in graphs.entries[0].subgraph.operators for tensor in operator.outputs}


def read(folder: Path) -> TrainedRanges | None:
    """The ranges in ``folder``; None where there are none. Raises CheckpointError for a damaged file."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        raw = parse_json(path.read_text(encoding="utf-8"))
        ranges = {str(name): (float(low), float(high)) for name, (low, high) in raw["ranges"].items()}
        recipe, probed = str(raw["recipe"]), tuple(map(probes.read, raw["probes"]))
        if not probed:
            raise ValueError("no probes")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is no file of trained ranges ({error!r}); train again, or remove it to measure "
                              "the ranges") from None
    wrong = [name for name, (low, high) in ranges.items()
             if not (math.isfinite(low) and math.isfinite(high) and low <= 0 <= high and low < high)]
    if wrong:
        raise CheckpointError(f"{path}: the range of {wrong[0]} is {ranges[wrong[0]]}; it must be finite and hold 0")
    return TrainedRanges(recipe, ranges, probed)
