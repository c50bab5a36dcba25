"""What stands behind a score: classes, confusions, calibration and errors, as values for JSON; shares in percent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

# Bins of confidence, of equal width.
BINS = 10
PERCENTILES = (50, 90, 99)
# What examples of all tasks are asked with.
_ASKED = ("question", "context", "prompt", "choices", "text", "pair")
# What says how bad an error is, and in which words.
WEIGHTS = {"f1": "F1 {:.1f}", "confidence": "{:.1f} % sure", "residual": "off by {:+.4g}",
           "entities": "{} entities amiss", "loss": "loss {:.3f}"}


def _ratio(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole else 0.0


def class_row(name: str, right: int, support: int, predicted: int) -> dict[str, Any]:
    """Scores of one class: ``support`` is how often it is labeled, ``right`` how often it is found there."""
    return {"name": name, "precision": _ratio(right, predicted), "recall": _ratio(right, support),
            "f1": _ratio(2 * right, support + predicted), "support": int(support), "predicted": int(predicted),
            "right": int(right)}


def classes(gold: np.ndarray, predicted: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each class that is labeled or predicted. *Shape:* int (n,) twice"""
    return [class_row(names[one], int(((gold == one) & (predicted == one)).sum()), int((gold == one).sum()),
                      int((predicted == one).sum())) for one in np.union1d(gold, predicted).astype(int)]


def averages(rows: Sequence[Mapping[str, Any]], *, micro: bool) -> dict[str, dict[str, float]]:
    """``macro`` and ``weighted`` (by support) means of the rows of ``classes``, and with ``micro`` the scores of all
    decisions together, which for one class a text is the accuracy thrice."""
    kinds = ("precision", "recall", "f1")
    values = np.array([[row[kind] for kind in kinds] for row in rows], np.float64).reshape(-1, 3)
    support = np.array([row["support"] for row in rows], np.float64)
    found = {}
    if micro:
        whole = class_row("", *(sum(row[name] for row in rows) for name in ("right", "support", "predicted")))
        found["micro"] = {kind: whole[kind] for kind in kinds}
    for name, weights in (("macro", np.ones(len(rows))), ("weighted", support)):
        total = float(weights.sum())
        means = weights @ values / total if total else np.zeros(3)
        found[name] = dict(zip(kinds, map(float, means), strict=True))
    return found


def confusion(gold: np.ndarray, predicted: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """``counts[i][j]``: examples of ``labels[i]`` that the model takes for ``labels[j]``. *Shape:* int (n,) twice"""
    there = np.union1d(gold, predicted).astype(int)
    counts = np.zeros((len(there), len(there)), np.int64)
    np.add.at(counts, (np.searchsorted(there, gold), np.searchsorted(there, predicted)), 1)
    return {"labels": [names[one] for one in there], "counts": counts.tolist()}


def calibration(confidence: Sequence[float] | np.ndarray, right: Sequence[float] | np.ndarray, of: str
                ) -> dict[str, Any] | None:
    """How far the model's probabilities are from how often it is right (Guo et al. 2017, arXiv:1706.04599).

    ``ece`` is the mean distance between confidence and accuracy over ``BINS`` bins (low, high], weighted by their
    counts; ``of`` says what was counted. None where there is nothing. *Shape:* 0 to 1 and 0 or 1, (n,)
    """
    sure, hits = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    if not len(sure):
        return None
    number = np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1)
    bins, error = [], 0.0
    for i in range(BINS):
        inside = number == i
        count = int(inside.sum())
        mean, accuracy = (float(100 * one[inside].mean()) if count else None for one in (sure, hits))
        if mean is not None and accuracy is not None:
            error += count / len(sure) * abs(accuracy - mean)
        bins.append({"low": 100 * i / BINS, "high": 100 * (i + 1) / BINS, "count": count, "confidence": mean,
                     "accuracy": accuracy})
    return {"of": of, "ece": error, "count": len(sure), "confidence": float(100 * sure.mean()),
            "accuracy": float(100 * hits.mean()), "bins": bins}


def residuals(gold: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """Predicted less labeled numbers: their mean, sizes, and how they are spread. *Shape:* float (n,) twice"""
    left = predicted - gold
    size = np.abs(left)
    counts, edges = np.histogram(left, 2 * BINS)
    return {"mean": float(left.mean()), "mean_absolute": float(size.mean()),
            "root_mean_square": float(np.sqrt((left ** 2).mean())), "largest": float(size.max()),
            **{f"p{q}_absolute": float(np.percentile(size, q)) for q in PERCENTILES},
            "histogram": {"edges": edges.tolist(), "counts": counts.tolist()}}


def mistake(example: Any, expected: str, predicted: str, **more: Any) -> dict[str, Any]:
    """An example that the model got wrong, with what it was asked."""
    values = {name: getattr(example, name, None) for name in _ASKED}
    asked = {name: list(one) if isinstance(one, tuple) else one for name, one in values.items() if one is not None}
    language = getattr(example, "language", None)
    return {"id": str(example.id), **asked, **({} if language is None else {"language": language}),
            "expected": expected, "predicted": predicted, **more}


def weight(error: Mapping[str, Any]) -> str:
    """How bad a ``mistake`` is, in words."""
    return ", ".join(how.format(error[name]) for name, how in WEIGHTS.items() if name in error)


def worst(weights: Sequence[float] | np.ndarray, wrong: Iterable[int], most: int) -> list[int]:
    """``most`` of the indices ``wrong``, those with the greatest of all ``weights`` first."""
    return sorted(wrong, key=lambda i: (-float(weights[i]), i))[:most]
