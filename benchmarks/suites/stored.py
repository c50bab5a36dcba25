"""Files held against the outputs that a trained checkpoint's writer stored: 300 evaluation examples each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobilebert_lite.running.runtime import Session

# Examples that may fall on the other side of a near tie where a processor rounds otherwise than the one that a figure
# was recorded on.
TIES = 2
DATA = Path(os.environ.get("MBL_TEST_DATA", "../shared"))


@dataclass(frozen=True)
class Judgement:
    """What one file makes of the stored examples."""

    # Mean over the examples of the largest error of a logit (questions) or of a probability (classes).
    error: float
    # Percent of examples answered as their gold says: the exact span, or the class.
    exact: float
    # The same of the stored outputs themselves.
    recorded: float
    examples: int

    @property
    def rounding(self) -> float:
        """Points of ``exact`` that rounding may decide."""
        return rounding(self.examples)


def rounding(examples: int) -> float:
    """Points of a score over so many examples that are TIES of them."""
    return 100 * TIES / examples


def judge(content: bytes, checkpoint: str, limit: int | None = None) -> Judgement:
    """The file ``content`` on the first ``limit`` stored examples of ``checkpoint``."""
    with np.load(DATA / "checkpoints/trained" / checkpoint / "eval_logits.npz") as stored:
        arrays = {name: stored[name][:limit] for name in stored.files}
    session = Session(content, threads=2)
    name = next(iter(session.signatures))
    measure = _span if "start_logits" in arrays else _class
    errors, right, recorded = [], [], []
    for i in range(len(arrays["input_ids"])):
        row = {key: value[i] for key, value in arrays.items()}
        inputs = {ours: row[theirs][None].astype(np.int32) for ours, theirs in (
            ("ids", "input_ids"), ("mask", "attention_mask"), ("segment_ids", "token_type_ids"))}
        error, exact, before = measure(session.run(name, inputs), row)
        errors.append(error)
        right.append(exact)
        recorded.append(before)
    return Judgement(float(np.mean(errors)), 100 * float(np.mean(right)), 100 * float(np.mean(recorded)), len(errors))


def _span(outputs: Mapping[str, np.ndarray], row: Mapping[str, np.ndarray]) -> tuple[float, bool, bool]:
    """Largest error, and whether the outputs and the stored ones give the gold span."""
    kept = row["attention_mask"].astype(bool)
    error = max(np.abs(outputs[name][0] - row[name])[kept].max() for name in ("start_logits", "end_logits"))
    gold = [row["start_positions"], row["end_positions"]]

    def best(logits: Mapping[str, np.ndarray]) -> list[int]:
        return [int(np.where(kept, logits[f"{end}_logits"].ravel(), -np.inf).argmax()) for end in ("start", "end")]

    return float(error), best(outputs) == gold, best(row) == gold


def _class(outputs: Mapping[str, np.ndarray], row: Mapping[str, np.ndarray]) -> tuple[float, bool, bool]:
    """The same for probabilities and the gold class."""
    powers = np.exp(row["logits"] - row["logits"].max())
    probability, gold = outputs["probability"][0], int(row["labels"])
    error = np.abs(probability - powers / powers.sum()).max()
    return float(error), int(probability.argmax()) == gold, int(powers.argmax()) == gold
