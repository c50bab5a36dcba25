"""The options of a training that was begun, beside its state."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from mobilebert_lite.architecture.config import read_json
from mobilebert_lite.errors import CheckpointError
from mobilebert_lite.training import states
from mobilebert_lite.training.options import TrainOptions

METRICS = "metrics.json"


def saved_options(output: Path) -> TrainOptions:
    """The options of the training in ``output``. Raises CheckpointError where there is none, or its data changed."""
    path = output / states.FOLDER / states.OPTIONS
    if not path.is_file():
        finished = (output / METRICS).is_file()
        raise CheckpointError(f"the training in {output} is finished; go on from it with --weights {output}" if finished
                              else f"no training to resume in {output}; {path} is not there")
    raw = read_json(path)
    options = replace(TrainOptions.from_json(raw), output=output)
    changed = [name for name, digest in hashes(options).items() if raw.get("sha256", {}).get(name) != digest]
    if changed:
        raise CheckpointError(f"{', '.join(changed)} changed since the training began; only the same data can be "
                              "gone on with")
    return options


def hashes(options: TrainOptions) -> dict[str, str]:
    """SHA-256 of each file that a training reads, by its path."""
    files = [path for path in (options.data, options.eval, options.vocabulary, options.labels, options.config) if path]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()}
