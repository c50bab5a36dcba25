"""What a training needs to go on exactly where it stopped."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.common.files import replacing
from mobilebert_lite.common.json_text import decode
from mobilebert_lite.common.temporary import temporary
from mobilebert_lite.errors import CheckpointError, OutputError

FOLDER, STATE, OPTIONS, LOGS = "training", "state.safetensors", "options.json", "logs"


@dataclass
class TrainProgress:
    """Where a training stands. The order of the data and all random choices follow from seed and step."""

    step: int = 0
    # Best score so far, and the step after which it was measured.
    best: float | None = None
    best_step: int = 0
    # Evaluations since then.
    waited: int = 0
    # Training time before the last interruption, in seconds.
    seconds: float = 0.0
    # What was logged: step, loss, …; after an evaluation also its metrics.
    history: list[dict[str, float]] = field(default_factory=list)


@contextmanager
def held(output: Path) -> Iterator[None]:
    """The training in ``output`` is this process's own while the block lasts; a lock goes with its process, however
    that ends. Raises OutputError where another process is at it."""
    output.mkdir(parents=True, exist_ok=True)
    lock = os.open(output, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise OutputError(f"another process is training in {output}; wait for it, or give another folder") from None
    finally:
        os.close(lock)


def finish(output: Path) -> None:
    """Keep the logs of the training in ``output``, and remove what only its resumption would need."""
    folder = output / FOLDER
    if (folder / LOGS).is_dir():
        (output / LOGS).mkdir(exist_ok=True)
        for file in (folder / LOGS).iterdir():
            file.replace(output / LOGS / file.name)
    # Half a folder could not be resumed: it goes at once.
    with temporary(output, FOLDER, is_folder=True) as leftover:
        folder.replace(leftover)


def save(folder: Path, arrays: Mapping[str, np.ndarray], progress: TrainProgress) -> None:
    """Replace the saved state; at every moment a whole one is there."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    with replacing(folder / STATE) as unfinished:
        try:
            save_file(dict(arrays), unfinished, metadata={"progress": json.dumps(asdict(progress))})
        except SafetensorError as error:  # of the disk
            raise OutputError(f"cannot write {folder / STATE}: {error}; the state before it is still there") from None


def load(folder: Path) -> tuple[dict[str, np.ndarray], TrainProgress]:
    """The saved state. Raises CheckpointError when there is none, or a damaged one."""
    from safetensors import SafetensorError, safe_open

    path = folder / STATE
    if not path.is_file():
        raise CheckpointError(f"no saved training in {folder.parent}; {path} is not there")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata: dict[str, Any] = decode(file.metadata()["progress"])
            return {name: file.get_tensor(name) for name in file.keys()}, TrainProgress(**metadata)  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); start the training again") from None
