"""What ARM processors of phones execute for our files and for those that people make, counted under emulation.

    python benchmarks/suites/arm_cost.py --check                  # the table, beside arm_counts.json
    python benchmarks/suites/arm_cost.py --record                 # write arm_counts.json
    python benchmarks/suites/arm_cost.py --kernels --files "mbl int8" recipe.json

Instructions are exact: two runs give the same number, on any machine. "speed" is a ratio to TensorFlow's dynamic file
by the throughput model of mobilebert_lite/cost/cores.py; it is no measurement, and there are no milliseconds.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import arm_fit
from arm_counting import Counts, Job, count, runtime, together
from peers import inputs_of
from results import save
from rich.console import Console
from rich.table import Table

from mobilebert_lite.cost.cores import CORES
from mobilebert_lite.cost.estimate import estimate, work_of
from mobilebert_lite.graph.names import signature_name

RECORD = Path(__file__).with_name("arm_counts.json")
LAYERS = 2
HALF = " + half"
TITLES = ("stock dynamic", "stock dynamic + half", "aeq dynamic", "mbl dynamic", "mbl dynamic + half", "mbl int8",
          "mbl int8 + half", "half_attention.json + half")
# Float products and reference kernels take most of the time of emulation: counted when asked for (--files).
SLOW = ("stock float", "stock static int8", "mbl none", "mbl none + half")
# What others are compared with.
BASE = "stock dynamic"
# A file may execute this much more than recorded before --check fails.
TOLERANCE = 0.005
# XNNPACK cuts these graphs, and prices are of its kernels.
UNFITTED = ("stock static int8",)
# --gate: what phones run. Float products are slow to emulate, and the files for phones have few.
GATE = (("mbl dynamic", 128), ("mbl int8", 128), ("mbl int8 + half", 128), ("mbl int8 + half", 384))

# The first pattern that a function's name holds says what it does.
GROUPS = tuple((group, re.compile(pattern)) for group, pattern in (
    ("static int8 products", r"qs8\w*gemm"),
    ("dynamic int8 products", r"q[dp]8\w*gemm|kai_\w*matmul\w*q[sa]i8"),
    ("float16 products", r"f16_gemm"),
    ("float32 products", r"f32_gemm"),
    ("rounding inputs", r"kai_run_lhs_quant|qp8_f32|rminmax|x8_packq|packq"),
    ("softmax", r"raddstoreexp|rmax|rsum|vmulc|softmax"),
    ("packing", r"packw|pack_lh|_pack|kai_run_rhs"),
    ("additions", r"v(add|sub|mul|prelu|max|min|clamp)c?"),
    ("conversions", r"_vcvt|quantiz|convert"),
    ("copies", r"transpose|copy|memcpy|memset|gather|^libc\."),
    ("reference kernels", r"reference_ops|reference_integer|optimized_ops"),
))


@dataclass(frozen=True)
class Row:
    """A file on a processor."""

    file: str
    length: int
    cpu: str
    kernels: Mapping[str, Counts]

    @property
    def key(self) -> tuple[str, int, str]:
        """What it is found by in the record."""
        return self.file, self.length, self.cpu

    @property
    def total(self) -> Counts:
        """All kernels."""
        return together(self.kernels)

    def groups(self) -> dict[str, Counts]:
        """What is done -> its counts, the most expensive first."""
        found: dict[str, dict[str, Counts]] = defaultdict(dict)
        for name, counts in self.kernels.items():
            found[group_of(name)][name] = counts
        summed = {group: together(counts) for group, counts in found.items()}
        return dict(sorted(summed.items(), key=lambda one: -one[1].cycles))

    def to_json(self) -> dict[str, Any]:
        """For the record."""
        total = self.total
        return {"file": self.file, "length": self.length, "cpu": self.cpu, "instructions": total.instructions,
                "cycles": round(total.cycles), "kinds": dict(sorted(total.kinds.items())),
                "kernels": {group: [counts.instructions, round(counts.cycles)]
                            for group, counts in self.groups().items()}}


def group_of(function: str) -> str:
    """What ``function`` does; "rest" for what no pattern of GROUPS holds."""
    return next((group for group, pattern in GROUPS if pattern.search(function)), "rest")


def rows(cpus: Sequence[str], files: Mapping[tuple[str, int], Path]) -> list[Row]:
    """One for each file and processor, in one process for each processor, all at the same time."""
    jobs = [Job(path, signature_name("qa", length), inputs_of(length)) for (_, length), path in files.items()]
    with ThreadPoolExecutor() as pool:
        counted = dict(zip(cpus, pool.map(partial(count, jobs=jobs), cpus), strict=True))
    return [Row(file, length, cpu, kernels) for cpu in cpus
            for (file, length), kernels in zip(files, counted[cpu], strict=True)]


def build(folder: Path, layers: int, asked: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Path]:
    """The files, those that are not in ``folder`` yet made there. Their weights are of a seed: every machine makes
    files of the same operators and sizes.
    """
    made = {(title, length): folder / f"{Path(title).name}-{length}-{layers}.tflite" for title, length in asked}
    missing = [(*key, path) for key, path in made.items() if not path.exists()]
    if missing:
        from peer_files import FILES, ours, with_half_precision

        from mobilebert_lite.architecture.config import PRESETS
        from mobilebert_lite.architecture.weights import random_weights

        weights = random_weights(replace(PRESETS["uncased"], num_hidden_layers=layers), {"qa": 2}, seed=1)
        for title, length, path in missing:
            plain = title.removesuffix(HALF)
            content = (ours(weights, length, "int8", Path(__file__).parent / plain) if plain.endswith(".json")
                       else FILES[plain](weights, length))
            path.write_bytes(with_half_precision(content) if title.endswith(HALF) else content)
    return made


def recorded() -> dict[tuple[str, int, str], dict[str, Any]]:
    """Of RECORD, by ``Row.key``."""
    if not RECORD.exists():
        return {}
    return {(row["file"], row["length"], row["cpu"]): row for row in json.loads(RECORD.read_text())["rows"]}


def worse(found: Sequence[Row], before: Mapping[tuple[str, int, str], Mapping[str, Any]]) -> list[str]:
    """What executes more than TOLERANCE above the record, or has none, in words."""
    reasons = []
    for row in found:
        name = f"{row.file}, {row.length} tokens, {row.cpu}"
        if row.key not in before:
            reasons.append(f"{name} has no record: run make arm-cost ARM_COST=--record")
            continue
        old, new = before[row.key]["instructions"], row.total.instructions
        if new > old * (1 + TOLERANCE):
            kernels = before[row.key]["kernels"]
            grown = Counter({group: counts.instructions - kernels.get(group, [0])[0]
                             for group, counts in row.groups().items()})
            [(most, more)] = grown.most_common(1)
            reasons.append(f"{name}: {new:,} instructions, {100 * (new / old - 1):.2f} % more than the record of "
                           f"{old:,}; most of it in {most} ({more:+,})")
    return reasons


def show(console: Console, found: Sequence[Row], before: Mapping[tuple[str, int, str], Mapping[str, Any]]) -> None:
    """A table for each processor and length."""
    for cpu, length in dict.fromkeys((row.cpu, row.length) for row in found):
        chosen = [row for row in found if (row.cpu, row.length) == (cpu, length)]
        base = next((row.total for row in chosen if row.file == BASE), None)
        table = Table("file", "M instructions", "of the record", "fewer", "speed", "sdot", "smmla", "fmla f32",
                      "fmla f16", "where its modelled cycles go", title=f"{cpu}, {length} tokens")
        for row in chosen:
            total, old = row.total, before.get(row.key)
            table.add_row(
                row.file, f"{total.instructions / 1e6:.2f}",
                f"{100 * (total.instructions / old['instructions'] - 1):+.2f} %" if old else "",
                f"{base.instructions / total.instructions:.3f} ×" if base else "",
                f"{base.cycles / total.cycles:.3f} ×" if base else "",
                *(f"{total.kinds.get(kind, 0) / 1e6:.2f}" for kind in ("sdot", "smmla", "fmla f32", "fmla f16")),
                ", ".join(f"{group} {100 * counts.cycles / total.cycles:.0f}" for group, counts in
                          row.groups().items() if counts.cycles > 0.02 * total.cycles))
        console.print(table)


def predict(console: Console, cpus: Sequence[str], files: Mapping[tuple[str, int], Path]) -> None:
    """How fast the files are beside the first of them, by ``cost.estimate``: no emulator is needed."""
    table = Table("file", "tokens", *cpus, title="predicted speed beside the first file, one thread")
    costs = {key: [estimate(path.read_bytes(), cpu).cycles for cpu in cpus] for key, path in files.items()}
    first = next(iter(costs.values()))
    for (title, length), cycles in costs.items():
        table.add_row(title, str(length), *(f"{one / own:.2f} ×" for one, own in zip(first, cycles, strict=True)))
    console.print(table)


def show_kernels(console: Console, row: Row) -> None:
    """One file, kernel by kernel."""
    total = row.total
    table = Table("kernel", "what it does", "instructions", "% of the modelled cycles",
                  title=f"{row.file} on {row.cpu}: {total.instructions:,} instructions")
    for name, counts in sorted(row.kernels.items(), key=lambda one: -one[1].cycles):
        if counts.cycles > 0.002 * total.cycles:
            table.add_row(name, group_of(name), f"{counts.instructions:,}", f"{100 * counts.cycles / total.cycles:.1f}")
    console.print(table)


def record(found: Sequence[Row], files: Mapping[tuple[str, int], bytes]) -> None:
    """Put the rows into RECORD, and write the prices of ``mobilebert_lite.cost`` that follow from all rows there."""
    kept = recorded() | {row.key: row.to_json() | {"work": work_of(files[row.file, row.length])} for row in found}
    ordered = [row for _, row in sorted(kept.items(), key=lambda one: (one[0][2], one[0][1], one[0][0]))]
    prices = {}
    for cpu in CORES:
        chosen = [row for row in ordered if row["cpu"] == cpu and row["file"] not in UNFITTED]
        prices[cpu] = arm_fit.fit(chosen, [row["work"] for row in chosen])
    arm_fit.write(prices)
    lines = ",\n".join(map(json.dumps, ordered))
    RECORD.write_text(f'{{"runtime": {json.dumps(runtime())}, "layers": {LAYERS}, "rows": [\n{lines}\n]}}\n')


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=LAYERS)
    parser.add_argument("--lengths", nargs="+", type=int, default=[128, 384])
    parser.add_argument("--cpus", nargs="+", choices=CORES, default=list(CORES))
    parser.add_argument("--files", nargs="+", metavar="TITLE", default=TITLES,
                        help=f"their titles ({', '.join(SLOW)} are others), or recipes (.json); with {HALF!r} "
                        "behind it, a file whose float parts may be computed in half precision")
    parser.add_argument("--save", type=Path, help="keep the files in this folder, or take them from there")
    parser.add_argument("--predict", action="store_true",
                        help="only make the files, and say what the prices of kernels predict for them")
    parser.add_argument("--gate", action="store_true", help="a few files that show most")
    parser.add_argument("--check", action="store_true",
                        help=f"fail where a file executes over {100 * TOLERANCE:g} %% more than recorded")
    parser.add_argument("--record", action="store_true", help="put these rows into arm_counts.json")
    parser.add_argument("--kernels", action="store_true", help="list the kernels of every file")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.record and options.layers != LAYERS:
        parser.error(f"the record is of {LAYERS} layers")
    return options


def main() -> int:
    options = parse()
    console = Console(width=None if sys.stdout.isatty() else 200)
    asked = GATE if options.gate else [(title, length) for title in options.files for length in options.lengths]
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.save or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        paths = build(folder, options.layers, asked)
        if options.predict:
            predict(console, options.cpus, paths)
            return 0
        found = rows(options.cpus, paths)
        if options.record:
            record(found, {key: path.read_bytes() for key, path in paths.items()})
    before = recorded() if options.layers == LAYERS else {}
    show(console, found, before)
    for row in found if options.kernels else ():
        show_kernels(console, row)
    console.print("The model of throughput, no measurement:", *(CORES[cpu].describe() for cpu in options.cpus),
                  sep="\n  ", soft_wrap=True)
    save(options.json, [row.to_json() for row in found])
    reasons = worse(found, before) if options.check else []
    for reason in reasons:
        console.print(f"Error: {reason}", style="red", soft_wrap=True)
    return int(bool(reasons))


if __name__ == "__main__":
    sys.exit(main())
