"""What several lengths in one file gain over the longest alone, on texts as long as real ones are.

    python benchmarks/suites/lengths.py --lengths auto:8 --json out/lengths.json

Both files are made by `mbl convert` from one seeded full-size network, calibrated with the questions of SQuAD v1.1 dev.
A fixed sample of their windows then runs through both files in turn, each window in the shortest signature that holds
it, as `mbl run` does. The data lies where MBL_TEST_DATA says (default ../shared).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from results import save

from mobilebert_lite.architecture.config import PRESETS
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.datasets.reading import evenly, read_examples
from mobilebert_lite.running.model import Model
from mobilebert_lite.tasks import find_task
from mobilebert_lite.text.features import Features
from mobilebert_lite.text.tokenization import Tokenizer

DATA = Path(os.environ.get("MBL_TEST_DATA", "../shared"))
LONGEST = 384


def convert(checkpoint: Path, lengths: str, output: Path) -> None:
    """As a user would."""
    subprocess.run([Path(sys.executable).parent / "mbl", "convert", "--weights", checkpoint, "--seq-len", lengths,
                    "--calibration", DATA / "data/squad/dev-v1.1.json", "-o", output], check=True)


def sample(tokenizer: Tokenizer, count: int) -> list[Features]:
    """``count`` windows of 384 tokens, evenly over the set."""
    task, examples = find_task("qa"), read_examples(DATA / "data/squad/dev-v1.1.json", "qa")
    windows = [window for example in examples[::8] for window in task.features(tokenizer, example, LONGEST)]
    return list(evenly(windows, count))


def measure(models: dict[str, Model], windows: list[Features], rounds: int) -> dict[str, np.ndarray]:
    """Milliseconds per window: the least of ``rounds``, the files in turn."""
    times = {name: np.full(len(windows), np.inf) for name in models}
    for _ in range(rounds):
        for i, window in enumerate(windows):
            for name, model in models.items():
                started = time.perf_counter()
                model.run(window)
                times[name][i] = min(times[name][i], 1e3 * (time.perf_counter() - started))
    return times


def memory(path: Path, window: Features) -> dict[int, float]:
    """Megabytes of resident memory after each further signature has run once, by its length."""
    model, process, found = Model(path, threads=1), psutil.Process(), {}
    for length, name in model.lengths.items():
        model.session.run(name, window.trimmed(length).inputs())
        found[length] = process.memory_info().rss / 1e6
    return found


def same_answers(models: dict[str, Model], windows: list[Features]) -> bool:
    """Whether the longest signature of both files gives the same logits, to the bit."""
    one, several = (model.session.run(f"qa_{LONGEST}", window.inputs())
                    for window in windows[:1] for model in models.values())
    return all(np.array_equal(one[name], several[name]) for name in one)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", default="auto:8")
    parser.add_argument("--windows", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)  # for the child process
    options = parser.parse_args()
    tokenizer = Tokenizer.from_file(DATA / "data/vocab/uncased.txt")
    if options.memory_of:
        print(json.dumps(memory(options.memory_of, sample(tokenizer, 1)[0])))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{name}.tflite" for name in ("one", "several")}
        config = replace(PRESETS["uncased"], num_hidden_layers=options.layers)
        huggingface.save(random_weights(config, {"qa": 2}, seed=1), Path(folder) / "full",
                         vocabulary=tokenizer.vocabulary)
        convert(Path(folder) / "full", str(LONGEST), paths["one"])
        convert(Path(folder) / "full", options.lengths, paths["several"])
        child = subprocess.run([sys.executable, __file__, "--memory-of", paths["several"]], capture_output=True,
                               text=True, check=True)
        models = {name: Model(path, options.threads) for name, path in paths.items()}
        windows = sample(tokenizer, options.windows)
        times = measure(models, windows, options.rounds)
        sizes = {name: path.stat().st_size for name, path in paths.items()}
        result: dict[str, Any] = {
            "machine": platform.processor() or platform.machine(), "threads": options.threads,
            "layers": options.layers, "lengths": sorted(models["several"].lengths), "bytes": sizes,
            "growth": sizes["several"] / sizes["one"] - 1,
            "mean_ms": {name: float(one.mean()) for name, one in times.items()},
            "speedup": float(times["one"].mean() / times["several"].mean()),
            "longest_signature_is_identical": same_answers(models, windows),
            "memory_megabytes": json.loads(child.stdout.splitlines()[-1]),
            "tokens": [window.length_used for window in windows],
            "samples_ms": {name: one.tolist() for name, one in times.items()}}
    print(json.dumps({key: value for key, value in result.items() if key not in ("tokens", "samples_ms")}, indent=1))
    save(options.json, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
