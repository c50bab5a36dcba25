"""Every quantization mode for every processor that the compiler knows: whole or not, nodes, size, answers.

    python benchmarks/suites/npu.py --weights ../shared/checkpoints/trained/sst2 --layers 2 --lengths 32,128,384 \\
      --gain 3e4 --simulate sm8750 --table out/npu.md

``--layers`` keeps the first so many blocks, whose answers are arbitrary but must be kept all the same; ``--gain`` makes
the stream between blocks as large as that of published checkpoints. Answers are compared in the simulator for the
processors of --simulate alone, which takes seconds a text. Each row has the network as ``convert --npu`` draws it;
``stock`` is the network with nothing fused, and ``MODE, for CPUs`` what ``mbl compile`` makes of an ordinary file.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from results import save
from rewrites import magnified

from mobilebert_lite.common.files import write_atomically
from mobilebert_lite.conversion import for_npu, pipeline
from mobilebert_lite.conversion.answers import FloatAnswers
from mobilebert_lite.conversion.building import build
from mobilebert_lite.conversion.plan import Plan
from mobilebert_lite.conversion.reference import float_file
from mobilebert_lite.conversion.request import ConvertRequest
from mobilebert_lite.datasets import samples
from mobilebert_lite.errors import ConversionError, VerificationError
from mobilebert_lite.npu.compiler import compile_content
from mobilebert_lite.npu.socs import Soc, find_soc, socs

MODES = ("none", "fp16", "dynamic", "int8", "int8-full", "int16x8")
STOCK, FOR_CPUS = "stock", ", for CPUs"
_BLOCK = re.compile(r"layers\.(\d+)\.")
_HEADER = ("| file | tokens | processor | whole | nodes | steps | MB | same answer | error |\n"
           "|---|---|---|---|---|---|---|---|---|")


def shortened(plan: Plan, layers: int | None, gain: float | None) -> Plan:
    """``plan`` for the first so many ``layers`` of its network, with its stream ``gain`` times as large."""
    weights = plan.checkpoint.weights
    if layers is not None:
        kept = {name: tensor for name, tensor in weights.tensors.items()
                if not (block := _BLOCK.match(name)) or int(block[1]) < layers}
        weights = replace(weights, config=replace(weights.config, num_hidden_layers=layers), tensors=kept)
    if gain is not None:
        weights = magnified(weights, gain)
    return replace(plan, checkpoint=replace(plan.checkpoint, weights=weights),
                   reference=FloatAnswers(weights, plan.task, plan.masking))


def files(plan: Plan, modes: Sequence[str], ordinary: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
    """What it is called, its mode, and the file: the stock graph, those for NPUs, and those for CPUs of some modes."""
    yield STOCK, "none", float_file(plan.checkpoint, plan.task, plan.lengths)
    for mode in modes:
        yield mode, mode, pipeline.drawn_for_npu(plan.with_mode(mode))
    for mode in ordinary:
        own = plan.with_mode(mode)
        yield mode + FOR_CPUS, mode, build(own.checkpoint.weights, own.design, own.calibration).content


def row(plan: Plan, name: str, mode: str, content: bytes, soc: Soc, simulate: bool) -> dict[str, Any]:
    """What came of one file and one processor."""
    found: dict[str, Any] = {"file": name, "tokens": plan.lengths[0], "soc": soc.name}
    try:
        compiled = compile_content(content, soc)
    except ConversionError as error:
        return {**found, "whole": False, "left": str(error).partition(": ")[2]}
    found |= {"whole": compiled.is_whole, "left": for_npu.told(compiled.left), "operators": compiled.operators,
              "nodes": sum(compiled.nodes.values()), "steps": compiled.steps, "bytes": len(compiled.content)}
    if not simulate or not compiled.is_whole:
        return found
    try:
        [result] = for_npu.simulated(compiled, plan.task, pipeline.expectations(plan.with_mode(mode)))
    except VerificationError as error:
        return {**found, "verification": str(error)}
    return {**found, "agreement": result.agreement, "error": result.error, "texts": result.texts}


def line(found: dict[str, Any]) -> str:
    """A row of the table."""
    refused = "nodes" not in found
    whole = "yes" if found["whole"] else f"refused: {found['left'][:60]}" if refused else f"CPU: {found['left'][:60]}"
    cells = [found["file"], found["tokens"], found["soc"], whole, found.get("nodes", ""), found.get("steps", ""),
             "" if refused else f"{found['bytes'] / 1e6:.2f}",
             f"{found['agreement']:.0%} of {found['texts']}" if "agreement" in found else "",
             f"{found['error']:.2g}" if "error" in found else found.get("verification", "")]
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", help="checkpoint; the bundled one without it")
    parser.add_argument("--task", default=None)
    parser.add_argument("--layers", type=int, help="the first so many blocks alone")
    parser.add_argument("--gain", type=float, help="how many times as large the stream is made")
    parser.add_argument("--lengths", default="32", help="in tokens, with commas; each is a file of its own")
    parser.add_argument("--modes", nargs="*", default=list(MODES))
    parser.add_argument("--ordinary", nargs="*", default=[], help="modes whose files for CPUs are compiled too")
    parser.add_argument("--socs", nargs="*", default=list(socs()))
    parser.add_argument("--simulate", nargs="*", default=[], help="processors whose answers are compared")
    parser.add_argument("--texts", type=int, default=4, help="how many texts are compared")
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--table", type=Path, help="write them as a table here")
    asked = parser.parse_args()
    samples.SIMULATION = samples.Most(tokens=asked.texts * 1024, sequences=asked.texts)
    simulated = {find_soc(name).name for name in asked.simulate}
    rows = []
    for length in map(int, asked.lengths.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            plan = pipeline.resolve(ConvertRequest(Path(folder) / "x.tflite", asked.weights, task=asked.task,
                                                   lengths=(length,)))
        plan = shortened(plan, asked.layers, asked.gain)
        for name, mode, content in files(plan, asked.modes, asked.ordinary):
            for soc in map(find_soc, asked.socs):
                rows.append(row(plan, name, mode, content, soc, soc.name in simulated))
                print(line(rows[-1]), flush=True)
    save(asked.json, rows)
    if asked.table:
        asked.table.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(asked.table, ("\n".join([_HEADER, *map(line, rows)]) + "\n").encode())


if __name__ == "__main__":
    main()
