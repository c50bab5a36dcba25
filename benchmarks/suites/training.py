"""Small networks from scratch and fine-tuned checkpoints, compared with the scores in docs/how-to/train.md.

    MBL_TEST_DATA=<folder with data/sst2, data/snips, checkpoints/trained> python benchmarks/suites/training.py --check

Every case is what a user would type: `mbl train`, `mbl convert --quantize int8`, `mbl eval`, as processes of their own,
whose processor time is counted. --only names cases; those that the file of --json holds already stay in it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("MBL_TEST_DATA", ROOT.parent / "shared"))
SST2, SNIPS, TRAINED = SHARED / "data/sst2", SHARED / "data/snips", SHARED / "checkpoints/trained"


@dataclass(frozen=True)
class Case:
    """One training and what must come of it."""

    task: str
    # Files of data, made by ``prepare`` where they are not given as they stand.
    train: str
    # The options that differ from the defaults.
    options: tuple[str, ...]
    # Examples to score on.
    test: str
    # Least score of the float network, in percent; None: that of the checkpoint it started from.
    least: float | None
    # Length of the converted file.
    length: int
    # Most that int8 may lose, in points.
    most_lost: float = 0.5
    # Processor minutes that training may take: 20 minutes on two cores.
    most_minutes: float = 40.0
    # A folder of checkpoints/trained to go on from; empty: from scratch.
    start: str = ""


CASES = {
    "sst2": Case("classification", "sst2_train.tsv", ("--batch-size", "64", "--epochs", "3", "--dropout", "0.1",
                                                      "--token-dropout", "0.05"), "sst2_dev.tsv", 78.0, 64),
    "snips-intents": Case("classification", "intents_train.tsv", ("--batch-size", "64", "--token-dropout", "0.05",
                                                                  "--dropout", "0.1"), "intents_test.tsv", 97.0, 64),
    "snips-slots": Case("token-classification", "slots_train.bio", ("--batch-size", "64", "--token-dropout", "0.1",
                                                                    "--dropout", "0.1"), "slots_test.bio", 85.0, 64),
    "fine-tuned slots": Case("token-classification", "slots_train.bio", ("--epochs", "2", "--learning-rate", "3e-5"),
                             "slots_test.bio", None, 64, start="snips_slots"),
    "fine-tuned sst2": Case("classification", "sst2_some.tsv", ("--epochs", "1", "--learning-rate", "2e-5"),
                            "sst2_dev.tsv", None, 64, start="sst2"),
}


def prepare(folder: Path) -> None:
    """SST-2 as it is, SNIPS as a table of intents and as BIO files; dev is what trainings are judged by."""
    for split in ("train", "dev"):
        (folder / f"sst2_{split}.tsv").write_bytes((SST2 / f"{split}.tsv").read_bytes())
    lines = (SST2 / "train.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "sst2_some.tsv").write_text("".join(lines[:1] + lines[1::8]), encoding="utf-8")
    for split in ("train", "dev", "test"):
        texts, tags, labels = ((SNIPS / f"{split}.{kind}").read_text(encoding="utf-8").splitlines()
                               for kind in ("seq.in", "seq.out", "label"))
        (folder / f"intents_{split}.tsv").write_text("text\tlabel\n" + "".join(
            f"{text.strip()}\t{label.strip()}\n" for text, label in zip(texts, labels, strict=True)), encoding="utf-8")
        (folder / f"slots_{split}.bio").write_text("\n".join("".join(
            f"{word} {tag}\n" for word, tag in zip(text.split(), row.split(), strict=True))
            for text, row in zip(texts, tags, strict=True)), encoding="utf-8")


def mbl(*arguments: str) -> tuple[str, float, float]:
    """Output of the command, wall seconds, processor seconds."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([Path(sys.executable).with_name("mbl"), *arguments], stdout=subprocess.PIPE, text=True,
                          check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (done.stdout, time.perf_counter() - started,
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def run(name: str, case: Case, data: Path, folder: Path, extra: Sequence[str] = ()) -> dict[str, Any]:
    """Train, convert, score: one row of the table."""
    place = folder / name.replace(" ", "-")
    dev = data / case.test.replace("_test", "_dev")
    start = ["--weights", str(TRAINED / case.start)] if case.start else []
    _, wall, cpu = mbl("train", "--task", case.task, "--data", str(data / case.train), "--eval", str(dev), *start,
                       *case.options, *extra, "--output", str(place))
    facts = json.loads((place / "metrics.json").read_text(encoding="utf-8"))
    least = case.least
    if case.start:
        least = score_of(TRAINED / case.start, case, data, place.with_suffix(".before.tflite"), "--quantize", "none")
    layers = json.loads((place / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"]
    return {"case": name, "layers": layers, "history": facts["history"],
            "parameters": facts["parameters"], "steps": facts["steps"], "seconds": wall, "cpu_minutes": cpu / 60,
            "float": score_of(place, case, data, place.with_suffix(".float.tflite"), "--quantize", "none"),
            "int8": score_of(place, case, data, place.with_suffix(".int8.tflite"), "--quantize", "int8"),
            "least": least, "most_lost": case.most_lost, "most_minutes": case.most_minutes}


def score_of(checkpoint: Path, case: Case, data: Path, file: Path, *options: str) -> float:
    """The task's score on the test data of the checkpoint as a file, converted with ``options``."""
    mbl("convert", "--weights", str(checkpoint), "--task", case.task, "--seq-len", str(case.length), *options,
        "--calibration", str(data / case.train.replace("_some", "_train")), "--output", str(file))
    found, _, _ = mbl("eval", str(file), "--data", str(data / case.test), "--json")
    return float(json.loads(found)["score"]["value"])


def failures(row: dict[str, Any]) -> list[str]:
    """What is not as it must be."""
    wanted = [(row["float"] >= row["least"], f"{row['float']:.2f} is below {row['least']:.2f}"),
              (row["float"] - row["int8"] <= row["most_lost"], f"int8 loses {row['float'] - row['int8']:.2f} points"),
              (row["cpu_minutes"] <= row["most_minutes"], f"{row['cpu_minutes']:.1f} processor minutes")]
    return [f"{row['case']}: {message}" for holds, message in wanted if not holds]


def show(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    """The table."""
    table = Table("case", "layers", "parameters", "steps", "minutes", "CPU minutes", "at least", "float", "int8")
    for row in rows:
        table.add_row(row["case"], str(row["layers"]), f"{row['parameters'] / 1e6:.2f} M", f"{row['steps']:,}",
                      f"{row['seconds'] / 60:.1f}", f"{row['cpu_minutes']:.1f}", f"{row['least']:.2f}",
                      f"{row['float']:.2f}", f"{row['int8']:.2f}")
    console.print(table)


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Loss and score over the steps of every training, as SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    for row in rows:
        history = row["history"]
        score = "eval/accuracy" if "eval/accuracy" in history[-1] else "eval/f1"
        left.plot(*zip(*((point["step"], point["loss"]) for point in history if "loss" in point), strict=True),
                  label=row["case"])
        scored = [(point["step"], point[score]) for point in history if score in point]
        right.plot(*zip(*scored, strict=True), marker="o", markersize=3,
                   label=f"{row['case']}, {score.removeprefix('eval/')}")
    left.set(xlabel="step", ylabel="training loss", yscale="log")
    right.set(xlabel="step", ylabel="dev score, %")
    for panel in (left, right):
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=[*CASES], default=[*CASES])
    parser.add_argument("--check", action="store_true", help="fail unless every score is reached")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="file for the curves of trainings from scratch")
    parser.add_argument("--keep", type=Path, help="folder for checkpoints and files")
    options, extra = parser.parse_known_args()
    if not SST2.is_dir() or not SNIPS.is_dir():
        parser.error(f"no data in {SHARED}; set MBL_TEST_DATA")
    kept = json.loads(options.json.read_text())["rows"] if options.json and options.json.exists() else []
    # Rows of another run stay, so that cases can be run one by one.
    rows: list[dict[str, Any]] = [row for row in kept if row["case"] not in options.only]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        data = Path(temporary) / "data"
        data.mkdir()
        folder.mkdir(parents=True, exist_ok=True)
        prepare(data)
        for name in options.only:
            rows.append(run(name, CASES[name], data, folder, extra))
            show(Console(), rows)
            if options.json:
                options.json.parent.mkdir(parents=True, exist_ok=True)
                cases = {name: asdict(case) for name, case in CASES.items()}
                options.json.write_text(json.dumps({"cases": cases, "rows": rows}, indent=2))
    if options.plot:
        plot([row for row in rows if not CASES[row["case"]].start], options.plot)
    wrong = [message for row in rows for message in failures(row)]
    if options.check and wrong:
        sys.exit("; ".join(wrong))


if __name__ == "__main__":
    main()
