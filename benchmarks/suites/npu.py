"""Every quantization mode for every processor that the compiler knows: whether it compiles whole, its size and nodes.

    python benchmarks/suites/npu.py --task classification --length 32 --simulate sm8750

Answers are compared in the simulator for the processors of --simulate alone, which takes seconds a text.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mobilebert_lite.conversion import pipeline
from mobilebert_lite.conversion.for_npu import compile_verified, told
from mobilebert_lite.conversion.plan import Plan
from mobilebert_lite.conversion.reference import float_file
from mobilebert_lite.conversion.request import ConvertRequest
from mobilebert_lite.errors import ConversionError, VerificationError
from mobilebert_lite.npu.compiler import compile_content
from mobilebert_lite.npu.socs import Soc, find_soc, socs

MODES = ("none", "fp16", "dynamic", "int8", "int8-full", "int16x8")


def files(plan: Plan, modes: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The file of each mode, by its name; the first is the network with nothing fused."""
    yield "unfused", float_file(plan.checkpoint, plan.task, plan.lengths)
    for mode in modes:
        yield mode, pipeline.make(plan.with_mode(mode), lambda message: None).content


def row(plan: Plan, mode: str, content: bytes, soc: Soc, simulate: bool) -> dict[str, Any]:
    """What came of one file and one processor."""
    found: dict[str, Any] = {"mode": mode, "soc": soc.name}
    try:
        compiled = compile_content(content, soc)
    except ConversionError as error:
        return {**found, "whole": False, "reason": str(error).partition(": ")[2]}
    found |= {"whole": compiled.is_whole, "left": told(compiled.left), "operators": compiled.operators,
              "nodes": sum(compiled.nodes.values()), "steps": compiled.steps, "bytes": len(compiled.content)}
    if not simulate or not compiled.is_whole:
        return found
    try:
        expected = pipeline.expectations(replace(plan, mode="none" if mode == "unfused" else mode))
        [result] = compile_verified(content, soc, plan.task, expected, mode).verification
    except VerificationError as error:
        return {**found, "verification": str(error)}
    return {**found, "agreement": result.agreement, "error": result.error, "texts": result.texts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", help="checkpoint; the bundled one without it")
    parser.add_argument("--task", default=None)
    parser.add_argument("--length", type=int, default=32)
    parser.add_argument("--modes", nargs="*", default=list(MODES))
    parser.add_argument("--socs", nargs="*", default=list(socs()))
    parser.add_argument("--simulate", nargs="*", default=[], help="processors whose answers are compared")
    parser.add_argument("--json", type=Path, help="write the rows here")
    asked = parser.parse_args()
    simulated = {find_soc(name).name for name in asked.simulate}
    with tempfile.TemporaryDirectory() as folder:
        plan = pipeline.resolve(ConvertRequest(Path(folder) / "x.tflite", asked.weights, task=asked.task,
                                               lengths=(asked.length,)))
    rows = []
    for mode, content in files(plan, asked.modes):
        for soc in map(find_soc, asked.socs):
            rows.append(row(plan, mode, content, soc, soc.name in simulated))
            print(json.dumps(rows[-1]), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
