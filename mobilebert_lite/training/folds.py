"""Cross-validation: scores on all of a small data set, each example by a network that has not seen it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.common.files import json_bytes, write_atomically
from mobilebert_lite.common.json_text import decode
from mobilebert_lite.training import workers
from mobilebert_lite.training.loop import Loop, Trained
from mobilebert_lite.training.preparation import TrainingData

_DONE = "folds.json"
# Data, folder for the state, what is counted, and where lines go -> the training.
Run = Callable[[TrainingData, Path, str, Callable[[str], None]], tuple[Trained, Loop]]


@dataclass(frozen=True)
class FoldScores:
    """What the networks of the folds score on the parts that they have not seen."""

    # An object for each fold: examples, score, metrics.
    folds: Sequence[Mapping[str, Any]]

    def report(self) -> dict[str, Any]:
        """For metrics.json: means over the folds, and the standard deviation of the score."""
        scores = [fold["score"] for fold in self.folds]
        names = [name for name in self.folds[0]["metrics"] if name != "total"]
        metrics = {name: float(np.mean([fold["metrics"][name] for fold in self.folds])) for name in names}
        total = sum(fold["examples"] for fold in self.folds)
        return {"score": float(np.mean(scores)), "score_deviation": float(np.std(scores, ddof=1)),
                "metrics": {**metrics, "total": total}, "folds": list(self.folds)}


def _say_of(say: Callable[[str], None], told: str, message: str) -> None:
    say(f"{told}: {message}")


def cross_validate(parts: Sequence[Callable[[], TrainingData]], run: Run, folder: Path, say: Callable[[str], None]
                   ) -> FoldScores:
    """Train and score each of ``parts``; those that an interrupted training in ``folder`` had finished stay."""
    done: list[dict[str, Any]] = []
    if (folder / _DONE).is_file():
        done = decode((folder / _DONE).read_text("utf-8"))["folds"]
    for number in range(len(done) + 1, len(parts) + 1):
        prepared, place = parts[number - 1](), folder / f"fold-{number}"
        told = f"fold {number} of {len(parts)}"
        trained, loop = run(prepared, place, told, partial(_say_of, say, told))
        done.append({"examples": len(prepared.dev), "score": trained.progress.best, "metrics": dict(trained.metrics)})
        say(f"{told}: {loop.evaluator.scorer.metric} {trained.progress.best:.2f} on {len(prepared.dev)} examples")
        if workers.is_chief():
            write_atomically(folder / _DONE, json_bytes({"folds": done}))
            shutil.rmtree(place, ignore_errors=True)
    return FoldScores(done)
