"""Scores of the trained checkpoints in every quantization mode, beside the figures recorded when they were trained.

    python benchmarks/suites/trained_checkpoints.py --check

converts each checkpoint, calibrated with texts of its training data, scores every file on its evaluation data and
against the stored outputs of 300 examples, and with --check fails when a file loses more or errs more than is allowed.
The data lies where MBL_TEST_DATA says (default ../shared).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from results import save
from stored import DATA, judge, rounding

from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.evaluation.evaluate import EvalRequest, evaluate
from mobilebert_lite.evaluation.scorers import ScorerOptions
from mobilebert_lite.quantization.recipe import MODES

# Points that a mode may lose against the recorded score, near ties apart (stored.TIES).
ALLOWED = {"none": 0.1, "fp16": 0.2, "dynamic": 0.2, "int8": 0.5, "int8-full": 1.0, "int16x8": 0.2, "int4": 3.0}
# Mean largest error of a logit of the question answering model, whose logits span ±37.
ALLOWED_ERROR = {"none": 0.01, "fp16": 0.1, "dynamic": 0.5, "int8": 0.7, "int8-full": 1.2, "int16x8": 0.5, "int4": 3.5}
# 16-bit kernels take a second and more for a text, so these modes are scored on so many stored examples alone.
SLOW = {"int16x8": 40}


@dataclass(frozen=True)
class Case:
    """One checkpoint with its evaluation data and the score its writer recorded."""

    name: str
    calibration: str
    evaluation: str
    length: int
    recorded: float


CASES = (
    Case("sst2", "data/sst2/train.tsv", "data/sst2/dev.tsv", 64, 82.91),
    Case("sst2_outliers", "data/sst2/train.tsv", "data/sst2/dev.tsv", 64, 82.91),
    Case("snips_qa", "checkpoints/trained/snips_qa/snips_qa_dev.json",
         "checkpoints/trained/snips_qa/snips_qa_test.json", 128, 96.33),
    Case("snips_slots", "checkpoints/trained/snips_slots/snips_slots_dev.json",
         "checkpoints/trained/snips_slots/snips_slots_test.json", 64, 90.02),
)


@dataclass(frozen=True)
class Row:
    """One file's result."""

    checkpoint: str
    mode: str
    megabytes: float
    metric: str
    score: float
    recorded: float
    # Against the stored outputs: largest error of a logit or of a probability, mean over the examples.
    error: float
    examples: int
    # That the score is of.
    scored: int
    seconds: float

    @property
    def lost(self) -> float:
        """Points below the recorded score."""
        return self.recorded - self.score

    @property
    def passed(self) -> bool:
        """Whether the loss is allowed; float must reproduce the figure from both sides."""
        near = self.checkpoint != "snips_qa" or self.error <= ALLOWED_ERROR[self.mode]
        lost = abs(self.lost) if self.mode == "none" else self.lost
        return near and lost <= ALLOWED[self.mode] + rounding(self.scored)


def measure(case: Case, mode: str, folder: Path) -> Row:
    """Convert and score."""
    started = time.monotonic()
    path = folder / f"{case.name}-{mode}.tflite"
    convert(ConvertRequest(output=path, weights=str(DATA / "checkpoints/trained" / case.name), lengths=(case.length,),
                    quantize=mode, calibration=DATA / case.calibration))
    stored = judge(path.read_bytes(), case.name, SLOW.get(mode))
    if mode in SLOW:
        return Row(case.name, mode, path.stat().st_size / 1e6, "exact", stored.exact, stored.recorded, stored.error,
                   stored.examples, stored.examples, time.monotonic() - started)
    # The recorded scores are those of tokens as they are; whole words score higher.
    result = evaluate(EvalRequest(path, DATA / case.evaluation, threads=2, options=ScorerOptions(word_pieces=True)))
    return Row(case.name, mode, path.stat().st_size / 1e6, result.scorer.metric, result.score.value, case.recorded,
               stored.error, stored.examples, len(result.examples), time.monotonic() - started)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", help="names of checkpoints")
    parser.add_argument("--modes", nargs="*", default=list(MODES))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", action="store_true", help="exit 1 when a file loses more than is allowed")
    options = parser.parse_args()
    if not DATA.exists():
        print(f"no data at {DATA}; set MBL_TEST_DATA", file=sys.stderr)
        return 2
    rows = []
    print(f"{'checkpoint':14} {'mode':9} {'MB':>7} {'metric':8} {'score':>7} {'recorded':>8} {'lost':>6} {'error':>7} "
          f"{'s':>5}")
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            for mode in options.modes:
                if options.only and case.name not in options.only:
                    continue
                row = measure(case, mode, Path(folder))
                rows.append(row)
                print(f"{row.checkpoint:14} {row.mode:9} {row.megabytes:7.2f} {row.metric:8} {row.score:7.2f} "
                      f"{row.recorded:8.2f} {row.lost:6.2f} {row.error:7.4f} {row.seconds:5.0f}"
                      f"{'' if row.passed else '  FAILED'}",
                      flush=True)
    save(options.json, [asdict(row) for row in rows])
    return int(options.check and not all(row.passed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
