"""Checkpoints rewritten to have the outliers of published ones, converted by us and by TensorFlow's stock recipes.

    python benchmarks/suites/outliers.py --seeds 0 1 --check

The function stays the same, so every figure should stay that of the checkpoint as it was trained ("as trained").
With --check, fails when one of ours does not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from peer_files import Inputs, stock
from results import save
from rewrites import with_outliers
from stored import DATA, Judgement, judge

from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.converters.checkpoints import load_checkpoint
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.datasets.samples import read_or_builtin, samples, split_examples
from mobilebert_lite.tasks import find_task

CHECKPOINT, LENGTH = "snips_qa", 128
FOLDER = DATA / "checkpoints/trained" / CHECKPOINT
TEXTS = FOLDER / "snips_qa_dev.json"
# Mode -> points of exact spans below the checkpoint's (near ties apart), and mean largest error of a logit, that are
# allowed.
ALLOWED = {"dynamic": (0.5, 0.6), "int8": (0.7, 1.0), "int8-full": (1.4, 1.4)}
STOCK = {"stock dynamic": ("dynamic", Masking()), "stock static": ("static", Masking()),
         "stock static, mask -30": ("static", Masking(constant=-30.0))}
# Texts that TensorFlow calibrates with; its calibrator takes a second for each.
STOCK_TEXTS = 60


def files(weights: Weights, vocabulary: list[str], inputs: list[Inputs]) -> Iterator[tuple[str, bytes]]:
    """Every file of ``weights``, by what made it."""
    with tempfile.TemporaryDirectory() as folder:
        huggingface.save(weights, Path(folder) / "checkpoint", vocabulary=vocabulary)
        for mode in ALLOWED:
            output = Path(folder) / f"{mode}.tflite"
            convert(ConvertRequest(output, str(Path(folder) / "checkpoint"), lengths=(LENGTH,), quantize=mode,
                            calibration=TEXTS))
            yield mode, output.read_bytes()
    for title, (kind, masking) in STOCK.items():
        yield title, stock(weights, LENGTH, kind, inputs, masking)


def passed(title: str, result: Judgement) -> bool:
    """Whether a file of ours is as good as it must be; stock ones are only shown."""
    if title not in ALLOWED:
        return True
    points, error = ALLOWED[title]
    return result.exact >= result.recorded - points - result.rounding and result.error <= error


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", action="store_true", help="exit 1 when a file of ours is worse than allowed")
    options = parser.parse_args()
    if not DATA.exists():
        print(f"no data at {DATA}; set MBL_TEST_DATA", file=sys.stderr)
        return 2
    checkpoint, task = load_checkpoint(str(FOLDER)), find_task("qa")
    calibration, _ = split_examples(read_or_builtin(TEXTS, task).examples)
    [features] = samples(checkpoint.tokenizer, task, calibration, [LENGTH], STOCK_TEXTS * LENGTH).values()
    inputs = [dict(one.inputs()) for one in features]
    print(f"{'weights':12} {'file':24} {'exact spans':>11} {'of':>6} {'error':>7}")
    rows, good = [], True
    variants = {"as trained": checkpoint.weights,
                **{f"seed {seed}": with_outliers(checkpoint.weights, seed) for seed in options.seeds}}
    for name, weights in variants.items():
        for title, content in files(weights, list(checkpoint.tokenizer.vocabulary), inputs):
            result = judge(content, CHECKPOINT)
            fine = passed(title, result)
            good &= fine
            rows.append({"weights": name, "file": title, **asdict(result)})
            print(f"{name:12} {title:24} {result.exact:11.1f} {result.recorded:6.1f} {result.error:7.2f}"
                  f"{'' if fine else '  FAILED'}", flush=True)
    save(options.json, rows)
    return int(options.check and not good)


if __name__ == "__main__":
    sys.exit(main())
