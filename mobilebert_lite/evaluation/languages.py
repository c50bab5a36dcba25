"""Scores of each language of a set (XNLI), and their mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilebert_lite.evaluation.statistics import resample
from mobilebert_lite.tasks.scoring import Scorer

# Of examples beside others that have one.
UNKNOWN = "unknown"


def by_language(examples: Sequence[Any], rows: np.ndarray, scorer: Scorer) -> dict[str, Any] | None:
    """``scores``: for each language its examples, its metrics, and the score to judge by with its interval;
    ``macro_average``: the mean of these scores, each language counting alike. None where no example has a language."""
    languages = np.array([getattr(example, "language", None) or "" for example in examples], object)
    if not any(languages):
        return None
    scores: dict[str, dict[str, Any]] = {}
    for name in sorted(set(languages)):
        those = rows[languages == name]
        score = resample(len(those), lambda chosen, those=those: scorer.score(those[chosen]))  # type: ignore[misc]
        scores[name or UNKNOWN] = {"examples": len(those), **score.to_json(), "metrics": scorer.metrics(those)}
    return {"macro_average": float(np.mean([one["value"] for one in scores.values()])), "scores": scores}
