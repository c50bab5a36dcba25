"""Running real clients, each in a process of its own, and libraries in environments of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

_HERE = Path(__file__).resolve().parent
_ENVIRONMENTS = Path(os.environ.get("MBL_CLIENTS", _HERE.parent.parent / ".venv-clients"))
_CHILDREN = {"task-library": "task_library.py", "mediapipe": "mediapipe_text.py"}


class RefusedError(Exception):
    """The client did not load the file; the message is its own."""


def environment(client: str) -> Path:
    """The Python of the environment of "task-library" or "mediapipe"."""
    python = _ENVIRONMENTS / client / "bin" / "python"
    if not python.exists():
        pytest.fail(f"no environment {python.parent.parent}: run `make test-clients`, which makes it")
    return python


def ask(client: str, model: Path, api: str, examples: Sequence[Sequence[str]]) -> list[Any]:
    """What library ``client`` answers, one entry for each example. Raises RefusedError with its reason."""
    done = run([environment(client), _HERE / "children" / _CHILDREN[client], model, api], json.dumps(examples))
    answers: list[Any] = json.loads(done)
    return answers


def run_bare(api: str, model: Path, signature: str, inputs: Mapping[str, np.ndarray], folder: Path
             ) -> dict[str, np.ndarray]:
    """Outputs of a bare runtime, examples first. Raises RefusedError with its reason."""
    given, taken = folder / "inputs.npz", folder / "outputs.npz"
    np.savez(given, **inputs)
    run([sys.executable, _HERE / "children" / "runtimes.py", model, api, signature, given, taken])
    with np.load(taken) as arrays:
        return dict(arrays)


def run(command: Sequence[object], given: str = "") -> str:
    """What ``command`` prints. Fails the test when it is killed; raises RefusedError when it ends with an error."""
    done = subprocess.run([str(part) for part in command], input=given, capture_output=True, text=True, timeout=550)
    if done.returncode < 0:
        pytest.fail(f"{command[1]} was killed by signal {-done.returncode}:\n{done.stderr[-2000:]}")
    if done.returncode:
        raise RefusedError(" ".join(done.stderr.strip().splitlines()[-4:]))
    return done.stdout
