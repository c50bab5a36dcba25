"""What is taken where nothing is asked, as far as it depends on the number of rows."""

from __future__ import annotations

from typing import Any

from mobilebert_lite.tasks.teaching import Training

# From scratch, a network learns the language too; below so many rows a pretrained checkpoint knows more of it.
FEW_ROWS = 5000
# Held out where no examples to score on are given.
MOST_HELD_OUT = 1000


def held_out(rows: int) -> float:
    """The share of the rows that are held out: a score on 30 of 300 rows would be right to 15 points only."""
    return 0.2 if rows < 1000 else 0.1


def defaults(training: Training, scratch: bool, rows: int, batch_size: int | None = None) -> dict[str, Any]:
    """Options by name, for a network from scratch or a checkpoint, and ``rows`` examples."""
    taught = dict(training.scratch if scratch else training.fine_tuned)
    return {"token_dropout": 0.05 if scratch else 0.0, "batch_size": 32, **taught}
