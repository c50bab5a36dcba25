"""What the LiteRT GPU accelerator makes of a file, on Mesa's software Vulkan driver."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

Inputs = Mapping[str, Sequence[Mapping[str, np.ndarray]]]

_DRIVERS = Path("/usr/share/vulkan/icd.d")
_CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class Acceptance:
    """What ran where, and what came out."""

    # Whether every operator of every signature runs on the GPU, constants aside.
    whole: bool
    # "OPERATOR: reason" for what stays on the CPU, as the accelerator puts it.
    rejected: tuple[str, ...]
    # (operators on the GPU, on the CPU) of each signature that is not whole.
    counts: tuple[tuple[int, int], ...]
    # Signature -> outputs by name for each of its inputs.
    outputs: dict[str, list[dict[str, np.ndarray]]]


def run_on_gpu(model: Path, inputs: Inputs) -> Acceptance:
    """Run ``model`` on ``inputs`` (signature -> inputs by name, one after the other).

    Fails the test when the process crashes, or when there is no driver.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, taken = Path(folder) / "inputs", Path(folder) / "outputs"
        given.write_bytes(pickle.dumps(inputs))
        done = subprocess.run([sys.executable, _CHILD, model, given, taken], capture_output=True, text=True,
                              timeout=500, env={**os.environ, "VK_DRIVER_FILES": driver(), "XDG_RUNTIME_DIR": folder})
        if done.returncode:
            pytest.fail(f"the accelerator ended with {done.returncode} on {model.name}:\n{done.stderr[-2000:]}")
        assert "name=GPU WebGPU" in done.stderr, "there is no GPU accelerator in this ai-edge-litert"
        assert re.search(r"adapterType=CPU|llvmpipe", done.stderr), "this is not the software driver"
        whole, outputs = pickle.loads(taken.read_bytes())
    return Acceptance(whole, *parse(done.stderr), outputs)


def driver() -> str:
    """The description file of Mesa's software driver."""
    found = sorted(_DRIVERS.glob("lvp_icd*.json"))
    if not found:
        pytest.fail(f"no lvp_icd*.json in {_DRIVERS}: run scripts/install_software_vulkan.sh (make test-gpu does)")
    return str(found[0])


def parse(log: str) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """The rejected operators with their reasons, each once, and the counts of operators."""
    rejected: dict[str, None] = {}
    for part in log.split("Following operations are not supported by GPU delegate:\n")[1:]:
        for line in part.splitlines():
            if not re.match(r"[A-Z][A-Z0-9_]*:", line):
                break
            rejected[line.strip()] = None
    counts = re.findall(r"(\d+) operations will run on the GPU, and the remaining (\d+) operations", log)
    return tuple(rejected), tuple((int(gpu), int(cpu)) for gpu, cpu in counts)
