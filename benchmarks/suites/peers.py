"""Our files against what people get by hand, interleaved in one process.

    python benchmarks/suites/peers.py --lengths 128 384 --threads 1 2 --json out/peers.json --plot out/peers.svg

All files are made from one seeded full-size network for question answering (peer_files.py; with --torch FOLDER also
what torch_peers.py has put there). One run visits every file in turn, so that noise of the machine falls on all alike;
the ratios are of medians. Peak memory is that of a process that loads one file and runs it three times, less that of
a process that loads nothing.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from results import save
from rich.console import Console
from rich.table import Table

from mobilebert_lite.graph.names import signature_name

Inputs = dict[str, np.ndarray]
OURS = "mbl int8"


def inputs_of(length: int) -> Inputs:
    """One sequence without padding, of ids that every vocabulary has."""
    rng = np.random.default_rng(0)
    return {"ids": rng.integers(0, 1000, (1, length), np.int32), "mask": np.ones((1, length), np.int32),
            "segment_ids": (np.arange(length) >= 16).astype(np.int32)[None]}


def runner(path: Path, length: int, threads: int) -> Callable[[], object]:
    """A call that runs the file once. Ours and stock files have named inputs, litert-torch's stand in order."""
    inputs = inputs_of(length)
    if path.suffix == ".onnx":
        import onnxruntime  # type: ignore[import-not-found, unused-ignore]

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, inputs)
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    signatures = interpreter.get_signature_list()
    name = signature_name("qa", length) if signature_name("qa", length) in signatures else next(iter(signatures))
    run = interpreter.get_signature_runner(name)
    if set(signatures[name]["inputs"]) != set(inputs):
        inputs = dict(zip(sorted(signatures[name]["inputs"]), inputs.values(), strict=True))
    return lambda: run(**inputs)


def measure(files: Mapping[str, Path], length: int, threads: int, runs: int) -> dict[str, list[float]]:
    """Milliseconds of every run, the files in turn."""
    runners = {title: runner(path, length, threads) for title, path in files.items()}
    samples: dict[str, list[float]] = {title: [] for title in files}
    for run in range(-2, runs):
        for title, call in runners.items():
            started = time.perf_counter()
            call()
            if run >= 0:
                samples[title].append(1e3 * (time.perf_counter() - started))
    return samples


def peak_memory(path: Path | None, length: int) -> float:
    """Megabytes that a process of its own needs at its peak."""
    command = [sys.executable, __file__, "--memory-of", str(path or ""), "--lengths", str(length)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def print_memory_of(path: str, length: int) -> None:
    """What the child process of ``peak_memory`` does."""
    import ai_edge_litert.interpreter  # noqa: F401  so that the empty process has loaded the runtime too

    if path:
        call = runner(Path(path), length, 1)
        for _ in range(3):
            call()
    # getrusage would count what the parent had in memory when it forked.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(int(peak[1]) / 1024 if peak else float("nan"))


def describe(files: Mapping[str, Path], length: int) -> dict[str, dict[str, Any]]:
    """Size, operators, XNNPACK partitions and memory of each file."""
    from mobilebert_lite.inspection.report import delegation
    from mobilebert_lite.tflite.graph import Graphs

    empty, found = peak_memory(None, length), {}
    for title, path in files.items():
        found[title] = {"megabytes": path.stat().st_size / 1e6, "memory_megabytes": peak_memory(path, length) - empty}
        if path.suffix == ".tflite":
            graphs = Graphs.read(path.read_bytes())
            taken = delegation(graphs, 0)
            found[title] |= {"operators": len(graphs.subgraphs[0].operators), "partitions": taken and taken.partitions}
    return found


def summarize(samples: Mapping[str, list[float]], described: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per file."""
    best = float(np.median(samples[OURS])) if OURS in samples else float("nan")
    return [{"file": title, **described[title], "median_ms": float(np.median(times)), "min_ms": min(times),
             "over_mbl_int8": float(np.median(times)) / best, "samples_ms": times} for title, times in samples.items()]


def show(console: Console, title: str, rows: list[dict[str, Any]]) -> None:
    table = Table("file", "MB", "operators", "partitions", "peak MB", "median ms", "min ms", "× mbl int8", title=title)
    for row in rows:
        table.add_row(row["file"], f"{row['megabytes']:.1f}", str(row.get("operators", "")),
                      str(row.get("partitions", "")), f"{row['memory_megabytes']:.0f}", f"{row['median_ms']:.2f}",
                      f"{row['min_ms']:.2f}", f"{row['over_mbl_int8']:.2f}")
    console.print(table)


def plot(results: list[dict[str, Any]], path: Path) -> None:
    """Median latency by length, one panel per number of threads, as SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    threads = sorted({result["threads"] for result in results})
    figure, panels = plt.subplots(1, len(threads), figsize=(5 * len(threads), 4), squeeze=False, sharey=True)
    for panel, count in zip(panels[0], threads, strict=True):
        lines: dict[str, list[tuple[int, float]]] = {}
        for result in results:
            if result["threads"] == count:
                for row in result["files"]:
                    lines.setdefault(row["file"], []).append((result["length"], row["median_ms"]))
        for title, points in lines.items():
            panel.plot(*zip(*sorted(points), strict=True), marker="o", markersize=3, label=title,
                       linewidth=2.5 if title == OURS else 1)
        panel.set(title=f"{count} thread{'s' if count > 1 else ''}", xlabel="length in tokens", yscale="log")
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("median ms")
    panels[0][-1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})


def provenance() -> dict[str, str]:
    """The machine and the versions of everything that takes part."""
    found = {"machine": processor()}
    for name in ("tensorflow", "ai-edge-litert", "ai-edge-quantizer", "onnxruntime", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def processor() -> str:
    """The processor's name and what decides the speed of int8: its matrix instructions."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    fields = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    values = {key.strip(): value.strip() for key, value in fields.items()}
    flags = set(values.get("flags", values.get("Features", "")).split())
    known = sorted(flags & {"avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})
    return f"{values.get('model name', 'unknown')} ({', '.join(known)})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", nargs="+", type=int, default=[32, 64, 128, 256, 384])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--files", nargs="+", help="a choice of them, by their titles")
    parser.add_argument("--torch", type=Path, help="folder of torch_peers.py")
    parser.add_argument("--save", type=Path, help="keep the files in this folder, or take them from there")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)  # for the child process
    options = parser.parse_args()
    if options.memory_of is not None:
        print_memory_of(options.memory_of, options.lengths[0])
        return 0
    console, results = Console(), []
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.save or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for length in options.lengths:
            files = build(folder, length, options.layers, options.files)
            made_by_torch = sorted(options.torch.glob(f"*-{length}.*")) if options.torch else ()
            files |= {path.stem.removesuffix(f"-{length}"): path for path in made_by_torch}
            described = describe(files, length)
            for threads in options.threads:
                rows = summarize(measure(files, length, threads, options.runs), described)
                show(console, f"length {length}, {threads} thread(s), {options.layers} layers", rows)
                results.append({"length": length, "threads": threads, "layers": options.layers, "files": rows})
                # After each table, so that an interrupted run keeps what it has.
                save(options.json, {"provenance": provenance(), "results": results})
    if options.plot:
        plot(results, options.plot)
    return 0


def build(folder: Path, length: int, layers: int, titles: list[str] | None) -> dict[str, Path]:
    """The files of one length, those that are not in ``folder`` yet made there."""
    from peer_files import FILES

    from mobilebert_lite.architecture.config import PRESETS
    from mobilebert_lite.architecture.weights import random_weights

    weights = random_weights(replace(PRESETS["uncased"], num_hidden_layers=layers), {"qa": 2}, seed=1)
    files = {}
    for title in titles or FILES:
        path = folder / f"{title}-{length}.tflite"
        if not path.exists():
            path.write_bytes(FILES[title](weights, length))
        files[title] = path
    return files


if __name__ == "__main__":
    sys.exit(main())
