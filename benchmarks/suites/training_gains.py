"""What distillation and quantization-aware training gain over training and converting alone.

    MBL_TEST_DATA=<folder with data, checkpoints/trained> python benchmarks/suites/training_gains.py --check

- students: four layers from scratch on half of SST-2, with the labels alone and with the logits of the trained
  24-layer checkpoint too; the same data, steps and seeds.
- slots: the trained slot tagger with channels nearly as far apart as those of published checkpoints (``rewrites``),
  converted to int8-full without the balancing that would mend them: as it is, and after half an epoch of
  quantization-aware training. The scores in training are of the same network on dev.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from results import save
from rewrites import with_outliers
from rich.console import Console
from rich.table import Table
from training import CASES, SHARED, TRAINED, mbl, prepare, score_of

from mobilebert_lite.architecture.config import PRESETS, to_huggingface
from mobilebert_lite.converters.checkpoints import load_checkpoint
from mobilebert_lite.converters.huggingface import checkpoint as huggingface

LAYERS, LENGTH = 4, 64
MODE = "int8-full"
# Of the outliers. With more, rounding drowns the answers, and the converter refuses the file of the plain checkpoint.
STRENGTH = 0.7
HARD = ("--quantize", MODE, "--no-fuse", "equalize")


def students(data: Path, folder: Path, seeds: range) -> list[dict[str, Any]]:
    """Accuracy on dev, seed by seed."""
    lines = (data / "sst2_train.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    (data / "sst2_half.tsv").write_text("".join(lines[:1] + lines[1::2]), encoding="utf-8")
    config = data / "config.json"
    config.write_text(json.dumps(to_huggingface(replace(PRESETS["small"], num_hidden_layers=LAYERS))), encoding="utf-8")
    teacher = TRAINED / "sst2"
    ways = {"labels alone": (), "labels and teacher": ("--teacher", str(teacher))}
    found = []
    for name, options in ways.items():
        scores = []
        for seed in seeds:
            place = folder / f"{name.replace(' ', '-')}-{seed}"
            mbl("train", "--task", "classification", "--config", str(config), "--vocab", str(teacher / "vocab.txt"),
                "--data", str(data / "sst2_half.tsv"), "--eval", str(data / "sst2_dev.tsv"), "--seq-len", str(LENGTH),
                "--epochs", "2", "--batch-size", "64", "--dropout", "0.1", "--seed", str(seed), *options,
                "--output", str(place))
            scores.append(json.loads((place / "metrics.json").read_text(encoding="utf-8"))["score"])
        found.append({"case": f"{LAYERS} layers on half of SST-2, {name}", "scores": scores})
    return found


def slots(data: Path, folder: Path) -> list[dict[str, Any]]:
    """F1 of entities on the test data, of files; in training on dev."""
    checkpoint = load_checkpoint(str(TRAINED / "snips_slots"))
    hard = folder / "outliers"
    huggingface.save(with_outliers(checkpoint.weights, 0, STRENGTH), hard, vocabulary=checkpoint.tokenizer.vocabulary,
                     settings=checkpoint.tokenizer.settings)
    aware = folder / "aware"
    mbl("train", "--task", "token-classification", "--weights", str(hard), "--data", str(data / "slots_train.bio"),
        "--eval", str(data / "slots_dev.bio"), *HARD, "--seq-len", "48", "--epochs", "0.5", "--batch-size", "64",
        "--learning-rate", "3e-5", "--output", str(aware))
    history = [point["eval/f1"] for point in json.loads((aware / "metrics.json").read_text(encoding="utf-8"))["history"]
               if "eval/f1" in point]
    files = [(name, _converted(source, options, data, folder / file)) for name, source, options, file in (
        ("float", hard, ("--quantize", "none"), "float.tflite"),
        (f"{MODE} without balancing, file of the plain checkpoint", hard, HARD, "after.tflite"),
        (f"{MODE} without balancing, file after quantization-aware training", aware, HARD, "aware.tflite"))]
    return [{"case": f"slots with outliers, {name}", "scores": scores} for name, scores in (
        *files, (f"{MODE} without balancing, on dev before training", history[:1]),
        (f"{MODE} without balancing, on dev while quantization-aware", [max(history)]))]


def _converted(checkpoint: Path, options: tuple[str, ...], data: Path, file: Path) -> list[float]:
    """The score; none where the converter refuses a file that is not true to its checkpoint."""
    try:
        return [score_of(checkpoint, CASES["fine-tuned slots"], data, file, *options)]
    except subprocess.CalledProcessError as error:
        if "convert" in map(str, error.cmd):
            return []
        raise


def failures(rows: list[dict[str, Any]]) -> list[str]:
    """Cases whose better way is not better than the plain one; a refused file is worse than any."""
    means = {row["case"]: float(np.mean(row["scores"])) if row["scores"] else 0.0 for row in rows}
    pairs = [("labels alone", "labels and teacher"), ("before training", "while quantization-aware"),
             ("file of the plain checkpoint", "file after quantization-aware training")]
    wrong = []
    for plain, better in pairs:
        values = [[value for name, value in means.items() if name.endswith(end)] for end in (plain, better)]
        if all(values) and values[1][0] <= values[0][0]:
            wrong.append(f"{better}: {values[1][0]:.2f}, {plain}: {values[0][0]:.2f}")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=["students", "slots"], default=["students", "slots"])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--check", action="store_true", help="fail unless both gain")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="folder for checkpoints and files")
    options = parser.parse_args()
    if not SHARED.is_dir():
        parser.error(f"no data in {SHARED}; set MBL_TEST_DATA")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder, data = options.keep or Path(temporary), Path(temporary) / "data"
        folder.mkdir(parents=True, exist_ok=True)
        data.mkdir()
        prepare(data)
        try:
            if "slots" in options.only:
                rows += slots(data, folder)
            if "students" in options.only:
                rows += students(data, folder, range(options.seeds))
        except subprocess.CalledProcessError as error:
            sys.exit(f"{' '.join(map(str, error.cmd))} failed")
    table = Table("case", "score", "by seed")
    for row in rows:
        mean = f"{np.mean(row['scores']):.2f}" if row["scores"] else "refused"
        table.add_row(row["case"], mean, ", ".join(f"{one:.2f}" for one in row["scores"]))
    Console().print(table)
    save(options.json, rows)
    if options.check and (wrong := failures(rows)):
        sys.exit("; ".join(wrong))


if __name__ == "__main__":
    main()
