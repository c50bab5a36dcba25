"""Instructions that LiteRT executes for a file on an emulated ARM processor: counted, to the instruction.

``scripts/make_arm_root.sh`` and ``scripts/make_arm_counter.sh`` make what this needs. What is counted is the first
call of the interpreter, one thread: all that LiteRT and the C library do in it, and nothing of Python. The counts
depend on the file, the processor that is emulated, and the build of LiteRT; not on values, and not on this machine.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from arm_code import AddressSpace

from mobilebert_lite.cost.cores import CORES
from mobilebert_lite.cost.instructions import kind_of
from mobilebert_lite.errors import MblError

ROOT = Path(__file__).resolve().parents[2] / ".arm"
_CHILD = Path(__file__).with_name("arm_child.py")
# What the interpreter of Python executes between the marks is none of the file's.
_LITERT = re.compile(r"^(libpywrap|_pywrap|libLiteRt|libtensorflow|lib[cm]\.so|libstdc\+\+)")


@dataclass(frozen=True)
class Counts:
    """Instructions of one kernel, or of a file."""

    # Kind of instruction (cost.instructions) -> how many.
    kinds: Mapping[str, int]
    # By the model, on the core that was emulated.
    cycles: float

    @property
    def instructions(self) -> int:
        """All of them."""
        return sum(self.kinds.values())


@dataclass(frozen=True)
class Job:
    """A signature of a file (empty: the only subgraph) and its inputs."""

    model: Path
    signature: str
    inputs: Mapping[str, np.ndarray]


def runtime() -> str:
    """The interpreter whose instructions are counted, and its version."""
    [found] = (ROOT / "root/opt/site").glob("ai_edge_litert-*.dist-info")
    return found.name.removesuffix(".dist-info").replace("_", "-")


def count(cpu: str, jobs: Sequence[Job]) -> list[dict[str, Counts]]:
    """Function -> its counts, for each of ``jobs``, in one process on ``cpu`` (a name of ``cost.cores.CORES``).

    Raises MblError where the emulator is missing or fails.
    """
    emulator, plugin, root = ROOT / "counting" / "qemu-aarch64", ROOT / "counting" / "counter.so", ROOT / "root"
    if not (ROOT / "counting" / ".made").exists() or not (ROOT / ".made").exists():
        raise MblError(f"{ROOT} has no emulator that counts: run `make arm-cost`, which makes one")
    with tempfile.TemporaryDirectory() as scratch:
        folder, listed = Path(scratch), []
        for place, job in enumerate(jobs):
            given = folder / f"{place}.npz"
            np.savez(given, **job.inputs)  # type: ignore[arg-type]
            listed.append([str(job.model), job.signature, str(given)])
        counts, maps = folder / "counts", folder / "maps"
        done = subprocess.run(
            [emulator, "-L", root, "-cpu", cpu, "-plugin", f"{plugin},out={counts}", root / "usr/bin/python3.13",
             _CHILD, json.dumps(listed), maps],
            env={"PYTHONHOME": f"{root}/usr", "PYTHONPATH": f"{root}/opt/site", "PYTHONHASHSEED": "0"},
            capture_output=True, text=True)
        if done.returncode:
            raise MblError(f"the emulated {cpu} ended with {done.returncode}: {done.stderr[-2000:]}")
        if "XNNPACK delegate" not in done.stderr:
            raise MblError(f"XNNPACK was not used on the emulated {cpu}: {done.stderr[-2000:]}")
        space = AddressSpace(maps.read_text())
        return [_by_function(cpu, section, space) for section in _sections(counts)]


def _sections(path: Path) -> Iterator[list[str]]:
    lines: list[str] = []
    with path.open() as stream:
        for line in stream:
            if line != "section\n":
                lines.append(line)
            elif lines:
                yield lines
                lines = []
    yield lines


def _by_function(cpu: str, lines: Sequence[str], space: AddressSpace) -> dict[str, Counts]:
    core = CORES[cpu]
    kinds: dict[str, Counter[str]] = {}
    cycles: Counter[str] = Counter()
    for line in lines:
        address, runs, *words = line.split()
        library, function = space.function(int(address, 16))
        if not _LITERT.match(library):
            continue
        if library.split(".")[0] in ("libc", "libm"):
            # Debian's have no symbols of what the linker chooses, such as memcpy.
            function = f"{library}: any"
        block = Counter(kind_of(int(word, 16)).name for word in words)
        total = kinds.setdefault(function, Counter())
        for kind, number in block.items():
            total[kind] += number * int(runs)
        cycles[function] += core.cycles(block) * int(runs)
    return {function: Counts(dict(total), cycles[function]) for function, total in kinds.items()}


def together(counts: Mapping[str, Counts]) -> Counts:
    """All functions."""
    kinds: Counter[str] = Counter()
    for one in counts.values():
        kinds.update(one.kinds)
    return Counts(dict(kinds), sum(one.cycles for one in counts.values()))
