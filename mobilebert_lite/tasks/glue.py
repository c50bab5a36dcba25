"""Scores of classes and of numbers as GLUE defines them, in percent.

Source: Wang et al. 2018 (arXiv:1804.07461), table 1 and section 3.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

# GLUE's task -> the scores that are averaged for it.
TASKS: dict[str, tuple[str, ...]] = {
    "cola": ("matthews",),
    "sst2": ("accuracy",),
    "mrpc": ("accuracy", "f1"),
    "qqp": ("accuracy", "f1"),
    "stsb": ("pearson", "spearman"),
    "mnli": ("accuracy",),
    "qnli": ("accuracy",),
    "rte": ("accuracy",),
    "wnli": ("accuracy",),
}
# Tasks whose predictions are handed in by name: the names in the order of the numbers in Hugging Face's data sets. The
# predictions of the others are numbers. Source: the test files that gluebenchmark.com takes.
NAMES: dict[str, tuple[str, ...]] = {
    "mnli": ("entailment", "neutral", "contradiction"),
    "qnli": ("entailment", "not_entailment"),
    "rte": ("entailment", "not_entailment"),
}


def accuracy(gold: np.ndarray, predicted: np.ndarray) -> float:
    """Share of equal entries of int [n] each."""
    return 100.0 * float(np.mean(gold == predicted))


def f1(gold: np.ndarray, predicted: np.ndarray, positive: int = 1) -> float:
    """Harmonic mean of precision and recall of the class ``positive``; 0 where it neither occurs nor is found."""
    found, wanted = predicted == positive, gold == positive
    either = int(found.sum() + wanted.sum())
    return 200.0 * int((found & wanted).sum()) / either if either else 0.0


def macro_f1(gold: np.ndarray, predicted: np.ndarray) -> float:
    """Mean of the classes' F1, over the classes that occur in either."""
    return float(np.mean([f1(gold, predicted, int(each)) for each in np.union1d(gold, predicted)]))


def matthews(gold: np.ndarray, predicted: np.ndarray) -> float:
    """Matthews' correlation, for any number of classes (Gorodkin 2004); 0 where either is constant."""
    classes = np.union1d(gold, predicted)
    wanted = (gold[:, None] == classes).sum(axis=0, dtype=np.float64)
    found = (predicted[:, None] == classes).sum(axis=0, dtype=np.float64)
    count, right = float(len(gold)), float((gold == predicted).sum())
    spread = (count**2 - wanted @ wanted) * (count**2 - found @ found)
    return 100.0 * float(right * count - wanted @ found) / float(np.sqrt(spread)) if spread > 0 else 0.0


def pearson(gold: np.ndarray, predicted: np.ndarray) -> float:
    """Linear correlation of float [n] each; 0 where either is constant."""
    a, b = gold - gold.mean(), predicted - predicted.mean()
    spread = float(np.sqrt((a @ a) * (b @ b)))
    return 100.0 * float(a @ b) / spread if spread > 0 else 0.0


def spearman(gold: np.ndarray, predicted: np.ndarray) -> float:
    """Linear correlation of the ranks, equal values sharing the mean of theirs."""
    return pearson(_ranks(gold), _ranks(predicted))


def _ranks(values: np.ndarray) -> np.ndarray:
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    # The last rank of a group, less half of its other members.
    ranks: np.ndarray = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
    return ranks


def table(predictions: Iterable[str]) -> str:
    """``predictions`` as GLUE's server takes them."""
    return "".join(["index\tprediction\n", *(f"{i}\t{one}\n" for i, one in enumerate(predictions))])
