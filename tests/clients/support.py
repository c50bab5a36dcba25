"""Running real client libraries in environments of their own, and what a comparison with ``mbl run`` found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

_HERE = Path(__file__).resolve().parent
_ENVIRONMENTS = Path(os.environ.get("MBL_CLIENTS", _HERE.parent.parent / ".venv-clients"))
LIBRARIES = {"task-library": "task_library.py", "mediapipe": "mediapipe_text.py"}
# Scores of one file on two builds of XNNPACK, which add in another order: float32 rounding over 24 layers, of the
# largest score.
FLOAT = 1e-4


class RefusedError(Exception):
    """The client did not load the file; the message is its own."""


def ask(client: str, model: Path, api: str, examples: Sequence[Sequence[str]]) -> list[Any]:
    """What library ``client`` answers, one entry for each example. Raises RefusedError with its reason."""
    python = _ENVIRONMENTS / client / "bin" / "python"
    if not python.exists():
        pytest.fail(f"no environment {python.parent.parent}: run `make test-clients`, which makes it")
    done = _run([python, _HERE / "children" / LIBRARIES[client], model, api], json.dumps(examples))
    return json.loads(done)  # type: ignore[no-any-return]


def run_bare(api: str, model: Path, signature: str, inputs: Mapping[str, np.ndarray], folder: Path
             ) -> dict[str, np.ndarray]:
    """Outputs of a bare runtime, examples first. Raises RefusedError with its reason."""
    given, taken = folder / "inputs.npz", folder / "outputs.npz"
    np.savez(given, **inputs)
    _run([sys.executable, _HERE / "children" / "runtimes.py", model, api, signature, given, taken])
    with np.load(taken) as arrays:
        return dict(arrays)


def _run(command: Sequence[object], given: str = "") -> str:
    done = subprocess.run([str(part) for part in command], input=given, capture_output=True, text=True, timeout=500)
    if done.returncode < 0:
        pytest.fail(f"{command[1]} was killed by signal {-done.returncode}:\n{done.stderr[-2000:]}")
    if done.returncode:
        raise RefusedError(done.stderr.strip().splitlines()[-1])
    return done.stdout


@dataclass(frozen=True)
class Difference:
    """An example whose answers are not the same."""

    example: tuple[str, ...]
    client: str
    ours: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What became of one file in one client."""

    client: str
    file: str
    # The client's reason, where it did not load the file; empty otherwise.
    refusal: str = ""
    examples: int = 0
    # Differences from `mbl run --tokenizer phone`, or from `mbl run` where the client takes ids.
    differences: Sequence[Difference] = ()
    # Differences from `mbl run`.
    from_reference: Sequence[Difference] = ()
    # Greatest difference of a score, of the largest score.
    error: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)
