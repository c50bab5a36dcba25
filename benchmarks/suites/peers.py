"""Our files against what people get by hand, interleaved in one process.

    python benchmarks/suites/peers.py --lengths 128 384 --threads 1 2 --json out/peers.json

All files are made from one seeded full-size network for question answering. "stock" is TensorFlow's converter on the
unfused graph; "aeq" is ai-edge-quantizer's own recipe on the same. One run visits every file in turn, so that noise
of the machine falls on all alike; the ratios are of medians.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from mobilebert_lite.config import PRESETS
from mobilebert_lite.converters.flatbuffer import read_model
from mobilebert_lite.converters.tflite import convert_network
from mobilebert_lite.fusion import equalise
from mobilebert_lite.fusion.pipeline import fuse
from mobilebert_lite.graph.attention import MASK_CONSTANT
from mobilebert_lite.graph.names import signature_name
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.inspection import delegation
from mobilebert_lite.quantization.calibrate import measure_ranges
from mobilebert_lite.quantization.embedding import quantise_rows
from mobilebert_lite.quantization.recipe import Recipe, Rule, apply_recipe, load_recipe
from mobilebert_lite.runtime import Session
from mobilebert_lite.weights import Weights, random_weights

Inputs = dict[str, np.ndarray]


def texts(length: int, words: int, count: int = 4) -> list[Inputs]:
    """Sequences without padding: the time does not depend on what the ids are."""
    rng = np.random.default_rng(0)
    return [{"ids": rng.integers(0, words, (1, length), np.int32), "mask": np.ones((1, length), np.int32),
             "segment_ids": (np.arange(length) >= 16).astype(np.int32)[None]} for _ in range(count)]


def ours(weights: Weights, length: int, mode: str) -> bytes:
    """What `mbl convert --quantize MODE` makes."""
    recipe, inputs = load_recipe(mode), texts(length, weights.config.vocab_size)
    fused = fuse(weights, "qa", recipe.without)
    if recipe.equalise:
        fused = equalise.apply(fused, Network(weights.config, fused.tensors, "qa", plan=fused.plan)
                               .channel_maxima(inputs))
    tensors = quantise_rows(fused.tensors) if recipe.word_table == "int8" else fused.tensors
    content = convert_network(Network(weights.config, tensors, "qa", plan=fused.plan), [length])
    ranges = measure_ranges(content, {signature_name("qa", length): inputs}) if recipe.needs_calibration else {}
    return apply_recipe(content, recipe, ranges)


def stock(weights: Weights, length: int, kind: str, calibration: list[Inputs] | None = None,
          mask_constant: float = MASK_CONSTANT) -> bytes:
    """TensorFlow's converter on the unfused graph: float, dynamic or static int8, calibrated with random texts or with
    ``calibration``."""
    network = Network(weights.config, weights.tensors, "qa", mask_constant)
    name = signature_name("qa", length)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(network, folder, signatures={name: network.signature(length)})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[name])
        if kind != "float":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "static":
            def representative() -> Iterator[tuple[str, Inputs]]:
                yield from ((name, one) for one in calibration or texts(length, weights.config.vocab_size))
            converter.representative_dataset = representative
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        content: bytes = converter.convert()
        return content


def aeq_dynamic(weights: Weights, length: int) -> bytes:
    """ai-edge-quantizer's dynamic_wi8_afp32 on the unfused graph."""
    content = convert_network(Network(weights.config, weights.tensors, "qa"), [length])
    return apply_recipe(content, Recipe("aeq", "", rules=(Rule("*", "int8", "dynamic"),)), {})


FILES: dict[str, Callable[[Weights, int], bytes]] = {
    "stock float": lambda weights, length: stock(weights, length, "float"),
    "stock dynamic": lambda weights, length: stock(weights, length, "dynamic"),
    "stock static int8": lambda weights, length: stock(weights, length, "static"),
    "aeq dynamic": aeq_dynamic,
    "mbl none": lambda weights, length: ours(weights, length, "none"),
    "mbl dynamic": lambda weights, length: ours(weights, length, "dynamic"),
    "mbl int8": lambda weights, length: ours(weights, length, "int8"),
}


def measure(files: Mapping[str, bytes], length: int, threads: int, runs: int) -> dict[str, list[float]]:
    """Milliseconds of every run, the files in turn."""
    name = signature_name("qa", length)
    sessions = {title: Session(content, threads) for title, content in files.items()}
    inputs = texts(length, 1000, 1)[0]
    samples: dict[str, list[float]] = {title: [] for title in files}
    for run in range(-2, runs):
        for title, session in sessions.items():
            started = time.perf_counter()
            session.run(name, inputs)
            if run >= 0:
                samples[title].append(1e3 * (time.perf_counter() - started))
    return samples


def summarise(files: Mapping[str, bytes], samples: Mapping[str, list[float]]) -> list[dict[str, Any]]:
    """One row per file."""
    best = float(np.median(samples["mbl int8"]))
    rows = []
    for title, content in files.items():
        model = read_model(content)
        taken = delegation(model, 0)
        rows.append({"file": title, "megabytes": len(content) / 1e6, "operators": len(model.subgraphs[0].operators),
                     "partitions": taken and taken.partitions, "median_ms": float(np.median(samples[title])),
                     "min_ms": min(samples[title]), "over_mbl_int8": float(np.median(samples[title])) / best,
                     "samples_ms": samples[title]})
    return rows


def show(console: Console, title: str, rows: list[dict[str, Any]]) -> None:
    table = Table("file", "MB", "operators", "partitions", "median ms", "min ms", "× mbl int8", title=title)
    for row in rows:
        table.add_row(row["file"], f"{row['megabytes']:.1f}", str(row["operators"]), str(row["partitions"]),
                      f"{row['median_ms']:.2f}", f"{row['min_ms']:.2f}", f"{row['over_mbl_int8']:.2f}")
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", nargs="+", type=int, default=[128, 384])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--files", nargs="+", default=list(FILES), choices=list(FILES))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    weights = random_weights(replace(PRESETS["uncased"], num_hidden_layers=options.layers), {"qa": 2}, seed=1)
    console, results = Console(), []
    for length in options.lengths:
        files = {title: FILES[title](weights, length) for title in options.files}
        for threads in options.threads:
            rows = summarise(files, measure(files, length, threads, options.runs))
            show(console, f"length {length}, {threads} thread(s), {options.layers} layers", rows)
            results.append({"length": length, "threads": threads, "layers": options.layers, "files": rows})
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        provenance = {"machine": platform.processor() or platform.machine(), "python": platform.python_version(),
                      **{name: version(name) for name in ("tensorflow", "ai-edge-litert", "ai-edge-quantizer")}}
        options.json.write_text(json.dumps({"provenance": provenance, "results": results}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
