"""What is taken where nothing is asked, as far as it depends on the number of rows.

docs/how-to/train.md has what was measured. What a network needs is steps, not passes: 8 passes over 300 rows are 75
steps, in which one from scratch has not learnt what it can, and 8 over 60,000 are 15,000, more than a small network is
worth on a processor.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mobilebert_lite.tasks.teaching import Training

# From scratch, a network learns the language too; below so many rows a pretrained checkpoint knows more of it.
FEW_ROWS = 5000
# Held out where no examples to score on are given.
MOST_HELD_OUT = 1000


class Size(NamedTuple):
    """Data sets of fewer than ``below`` rows."""

    below: float
    # Smaller batches make more steps of few rows; larger ones make each step of many rows surer.
    batch_size: int
    # Times the passes that the task has for a few thousand rows.
    passes: float


SCRATCH = (Size(1000, 16, 4), Size(20_000, 32, 1), Size(float("inf"), 64, 0.4))
# A checkpoint has learnt the language; all that few rows need is enough steps for the head.
FINE_TUNED = (Size(1000, 16, 4), Size(float("inf"), 32, 1))


def held_out(rows: int) -> float:
    """The share of the rows that are held out: a score on 30 of 300 rows would be right to 15 points only."""
    return 0.2 if rows < 1000 else 0.1


def defaults(training: Training, scratch: bool, rows: int) -> dict[str, Any]:
    """Options by name, for a network from scratch or a checkpoint, and ``rows`` examples."""
    taught = dict(training.scratch if scratch else training.fine_tuned)
    size = next(size for size in (SCRATCH if scratch else FINE_TUNED) if rows < size.below)
    return {"token_dropout": 0.05 if scratch else 0.0, **taught, "batch_size": size.batch_size,
            "epochs": taught["epochs"] * size.passes}
