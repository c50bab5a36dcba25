"""LiteRT and Python on emulated processors (scripts/make_arm_root.sh makes what they need)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mobilebert_lite.cost.instructions import kind_of
from mobilebert_lite.running.runtime import Session

ROOT = Path(__file__).resolve().parents[2] / ".arm"
_CHILD = Path(__file__).with_name("child.py")

# QEMU's names of x86-64 processors: without AVX, without FMA and AVX2, without AVX-512. QEMU has none with AVX-512.
X86 = ("Nehalem", "SandyBridge", "Haswell")

# How the kernels multiply. QEMU's disassembler knows not all of them by name.
INSTRUCTIONS = ("sdot", "smmla")

# For a model: signature, and the inputs of each run.
Rows = Sequence[Mapping[str, np.ndarray]]
Outputs = list[dict[str, np.ndarray]]


@dataclass(frozen=True)
class Job:
    """A signature of a file, and what it is run on."""

    model: Path
    signature: str
    inputs: Rows

    def here(self) -> Outputs:
        """Its outputs on this machine's processor, one thread."""
        session = Session(self.model.read_bytes())
        return [session.run(self.signature, inputs) for inputs in self.inputs]


def run_on(cpu: str, jobs: Sequence[Job]) -> list[Outputs]:
    """The outputs of ``jobs`` on processor ``cpu`` (QEMU's name), through XNNPACK, one thread."""
    with tempfile.TemporaryDirectory() as folder:
        done = _start(cpu, jobs, Path(folder))
        assert "XNNPACK delegate" in done.stderr, f"XNNPACK switched itself off:\n{done.stderr[-2000:]}"
        return [_load(Path(folder) / f"{place}.out.npz", len(job.inputs)) for place, job in enumerate(jobs)]


def instructions(cpu: str, job: Job) -> Counter[str]:
    """How often each of INSTRUCTIONS stands in the code that ``job`` reaches on ``cpu``."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "code.log"
        _start(cpu, [job], Path(folder), "-d", "in_asm", "-D", str(log))
        found: Counter[str] = Counter()
        with log.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if match := re.match(r"0x[0-9a-f]+:\s+([0-9a-f]{8})\s", line):
                    found[kind_of(int(match[1], 16)).name] += 1
        return Counter({name: found[name] for name in INSTRUCTIONS if found[name]})


def _start(cpu: str, jobs: Sequence[Job], folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    if not (ROOT / ".made").exists():
        pytest.fail(f"{ROOT} is not there: run scripts/make_arm_root.sh (make test-processors does)")
    listed = []
    for place, job in enumerate(jobs):
        given, taken = folder / f"{place}.in.npz", folder / f"{place}.out.npz"
        np.savez(given, **{f"{name}/{row}": value  # type: ignore[arg-type]
                           for row, inputs in enumerate(job.inputs) for name, value in inputs.items()})
        listed.append([str(job.model), job.signature, str(given), str(taken)])
    done = subprocess.run([*python(cpu, *options), _CHILD, json.dumps(listed)],
                          capture_output=True, text=True, timeout=500)
    if done.returncode:
        pytest.fail(f"the emulated processor {cpu} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    assert done.stdout.split() == ["x86_64" if cpu in X86 else "aarch64"]
    return done


def python(cpu: str, *options: str) -> list[str]:
    """The command of a Python on ``cpu``: on x86 this one, on ARM one with NumPy and LiteRT; ``options`` are QEMU's."""
    if cpu in X86:
        return [str(ROOT / "qemu-x86_64"), "-cpu", cpu, *options, sys.executable]
    root = ROOT / "root"
    return [str(part) for part in (
        ROOT / "qemu-aarch64", "-L", root, "-cpu", cpu, *options, "-E", f"PYTHONHOME={root}/usr", "-E",
        f"PYTHONPATH={root}/opt/site", root / "usr/bin/python3.13")]


def _load(path: Path, count: int) -> Outputs:
    with np.load(path) as arrays:
        rows: Outputs = [{} for _ in range(count)]
        for key in arrays:
            name, row = key.split("/")
            rows[int(row)][name] = arrays[key]
        return rows
