"""What becomes of files of weights that are damaged: tensors, or one line that says why not, soon."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mobilebert_lite.converters.huggingface import tensor_files
from mobilebert_lite.errors import CheckpointError

# Of the processor, for one file; other programs on the machine do not count.
SECONDS = 10


def outcome(content: bytes, path: Path) -> str:
    """Why a file is refused; "" where its tensors were read. Anything but one line is a failure."""
    path.write_bytes(content)
    try:
        tensors, _ = tensor_files.read_all(path.parent)
    except CheckpointError as error:
        message = str(error)
        assert message.startswith(f"{path} ")
        assert message.isprintable()
        assert len(message) <= 500 + len(str(path))
        return message.removeprefix(f"{path} ")
    assert all(isinstance(tensor, np.ndarray) and tensor.dtype == np.float32 for tensor in tensors.values())
    return ""


def survey(path: Path, seeds: Sequence[int], mutate: Callable[[int, bytes], tuple[str, bytes]],
           samples: Sequence[bytes]) -> list[str]:
    """Outcomes of ``samples``, each damaged by ``mutate`` as the seeds say."""
    outcomes = []
    for seed in seeds:
        kind, content = mutate(seed, samples[seed // 8 % len(samples)])
        started = time.process_time()
        try:
            outcomes.append(outcome(content, path))
        except Exception as error:
            raise AssertionError(f"seed {seed}, {kind}: {error!r}") from error
        assert time.process_time() - started < SECONDS, f"seed {seed}, {kind}"
    return outcomes
