"""Ahead-of-time compilation of a ``.tflite`` for an NPU, and what the compiler said."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobilebert_lite.common.temporary import scratch_folder
from mobilebert_lite.errors import ConversionError, printable
from mobilebert_lite.inspection.parts import places
from mobilebert_lite.npu import toolchain
from mobilebert_lite.npu.compiled import is_compiled, left_to_cpu
from mobilebert_lite.npu.socs import Soc
from mobilebert_lite.tflite.graph import Graphs

# A network of 24 layers takes seconds.
_SECONDS = 1800
_PARTITIONED = re.compile(r"Partitioned subgraph<(\d+)>, selected (\d+) ops, from a total of (\d+) ops\. "
                          r"resulted in (\d+) partitions")
_SDK = re.compile(r"Applying plugin with SDK version: v?([\d.]+)")
_STEPS = re.compile(r"finalize_runlist: in_runlist=(\d+)")
# What the compiler says of an operator that it cannot do; the first is the cause.
_REASON = re.compile(r"<E>\s*(\"[^\n]*|[^\n]*(?:[Uu]nsupport|[Ii]nvalid|[Ff]ail)[^\n]*)|ERROR: (?!\[)([^\n]+)")


@dataclass(frozen=True)
class Left:
    """An operator that stays on the CPU."""

    signature: str
    # ``SOFTMAX #12``.
    operator: str
    # The part of the network, and its layer.
    place: str


@dataclass(frozen=True)
class Compiled:
    """A compiled file, and what the compiler said about it.

    content: the file, without appended files.
    soc: what it is for.
    compiler: versions of all that compiled it.
    operators: how many the file had, of which ``taken`` run on the NPU.
    partitions: parts that they were compiled to.
    left: what stays on the CPU.
    nodes: kind → number of nodes of the graphs that the compiler was given by LiteRT.
    steps: what the NPU executes, after the compiler's own fusion and tiling.
    """

    content: bytes
    soc: Soc
    compiler: str
    operators: int
    taken: int
    partitions: int
    left: tuple[Left, ...]
    nodes: Mapping[str, int]
    steps: int

    @property
    def is_whole(self) -> bool:
        """Whether all of it runs on the NPU."""
        return not self.left

    def to_json(self) -> dict[str, Any]:
        """For reports and provenance."""
        return {"soc": self.soc.name, "model": self.soc.model, "hexagon": self.soc.hexagon, "compiler": self.compiler,
                "operators": self.operators, "taken": self.taken, "partitions": self.partitions,
                "left": [vars(one) for one in self.left], "nodes": sum(self.nodes.values()), "steps": self.steps}


def compile_content(content: bytes, soc: Soc) -> Compiled:
    """``content``, an ordinary ``.tflite``, for ``soc``.

    Raises ConversionError with the compiler's reason when it refuses the file or takes nothing of it, DependencyError
    where it is not installed.
    """
    if is_compiled(content):
        raise ConversionError("the file is compiled already; give the .tflite that it was made from")
    tools = toolchain.find()
    with scratch_folder() as folder, tools.libraries() as libraries:
        given, made = folder / "given.tflite", folder / "made.tflite"
        given.write_bytes(content)
        command = [str(tools.program), "--cmd=apply", f"--model={given}", f"--o={made}",
                   "--soc_manufacturer=Qualcomm", f"--soc_model={soc.model}", "--err=--", f"--libs={tools.plugins}",
                   f"--qualcomm_ir_json_dir={folder}"]
        code, log = _run(command, f"{libraries}:{tools.litert}")
        if code or not made.exists():
            raise ConversionError(f"Qualcomm's compiler does not take this file for {soc}: {_reason(log, code)}")
        nodes = sum((_nodes(path) for path in folder.glob("*.json")), Counter[str]())
        result = made.read_bytes()
    graphs = Graphs.read(result)
    parts = [tuple(map(int, found)) for found in _PARTITIONED.findall(log)]
    if not sum(taken for _, taken, _, _ in parts):
        raise ConversionError(f"Qualcomm's compiler takes no operator of this file for {soc}")
    sdk = _SDK.search(log)
    return Compiled(result, soc, f"QAIRT {sdk[1] if sdk else 'of unknown version'} ({tools.versions})",
                    sum(total for _, _, total, _ in parts), sum(taken for _, taken, _, _ in parts),
                    sum(count for *_, count in parts), _left(graphs), nodes,
                    sum(map(int, _STEPS.findall(log))))


def _run(command: list[str], libraries: str) -> tuple[int, str]:
    """The exit code, and all that the compiler printed."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=_SECONDS, env={"LD_LIBRARY_PATH": libraries, "PATH": "/usr/bin:/bin"})
    except subprocess.TimeoutExpired:
        raise ConversionError(f"Qualcomm's compiler did not come to an end in {_SECONDS // 60} minutes") from None
    return done.returncode, done.stdout.decode("utf-8", "replace")


def _reason(log: str, code: int) -> str:
    found = [one.strip() for groups in _REASON.findall(log) for one in groups if one.strip()]
    told = "; ".join(dict.fromkeys(found[:2])) or next(
        (line for line in reversed(log.splitlines()) if "ERROR" in line), f"it ended with code {code}")
    return printable(told)[:400]


def _nodes(path: Path) -> Counter[str]:
    nodes = json.loads(path.read_text("utf-8"))["graph"]["nodes"]
    return Counter(one["type"] for one in nodes.values())


def _left(graphs: Graphs) -> tuple[Left, ...]:
    """What stays on the CPU, with the signature that runs it."""
    names = {entry.subgraph.index: entry.name for entry in reversed(graphs.entries)}
    found, where = [], places(graphs)
    for index, operator in left_to_cpu(graphs):
        outputs = [where[index][tensor.index] for tensor in operator.outputs]
        place = outputs[0] if outputs else None
        layer = f", layer {place.layer}" if place and place.layer is not None else ""
        found.append(Left(names.get(index, f"subgraph {index}"), operator.place,
                          f"{place.part}{layer}" if place else ""))
    return tuple(found)
