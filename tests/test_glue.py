"""GLUE's scores against SciPy and against definitions written otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from mobilebert_lite.tasks import glue

SEEDS = range(8)


def classes(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, count, 60)
    return gold, np.where(rng.random(60) < 0.6, gold, rng.integers(0, count, 60))


def correlation_of_indicators(gold: np.ndarray, predicted: np.ndarray, count: int) -> float:
    """Matthews' correlation for several classes: covariances of the one-hot matrices, summed over the classes."""
    a, b = (np.eye(count)[x] - np.eye(count)[x].mean(axis=0) for x in (gold, predicted))
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("seed", SEEDS)
def test_matthews(seed: int, count: int) -> None:
    gold, predicted = classes(seed, count)
    assert glue.matthews(gold, predicted) == pytest.approx(100 * correlation_of_indicators(gold, predicted, count))
    if count == 2:  # where it is the ordinary correlation
        assert glue.matthews(gold, predicted) == pytest.approx(100 * np.corrcoef(gold, predicted)[0, 1])


@pytest.mark.parametrize("seed", SEEDS)
def test_f1_is_the_harmonic_mean(seed: int) -> None:
    gold, predicted = classes(seed, 2)
    hits = sum(g == p == 1 for g, p in zip(gold, predicted, strict=True))
    precision, recall = hits / sum(predicted == 1), hits / sum(gold == 1)
    assert glue.f1(gold, predicted) == pytest.approx(200 * precision * recall / (precision + recall))
    assert glue.macro_f1(gold, predicted) == pytest.approx(
        (glue.f1(gold, predicted) + glue.f1(1 - gold, 1 - predicted)) / 2)
    assert glue.accuracy(gold, predicted) == pytest.approx(100 * np.mean([g == p for g, p in zip(
        gold, predicted, strict=True)]))


def test_what_has_no_definition_is_zero() -> None:
    zeros, ones = np.zeros(5, int), np.ones(5, int)
    assert glue.f1(zeros, zeros) == 0
    assert glue.matthews(zeros, ones) == 0
    assert glue.matthews(np.array([0, 1, 0, 1, 0]), ones) == 0
    assert glue.pearson(zeros.astype(float), np.arange(5.0)) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_correlations_are_scipys(seed: int) -> None:
    from scipy import stats

    rng = np.random.default_rng(seed)
    gold = rng.integers(0, 11, 80) / 2  # as STS-B's, with many ties
    predicted = np.round(gold + rng.normal(0, 1.5, 80), seed % 3)
    assert glue.pearson(gold, predicted) == pytest.approx(100 * stats.pearsonr(gold, predicted)[0])
    assert glue.spearman(gold, predicted) == pytest.approx(100 * stats.spearmanr(gold, predicted)[0])


def test_every_task_of_glue_has_its_scores() -> None:
    """Table 1 of the paper; the diagnostic set is no task of its own."""
    assert {name for name, keys in glue.TASKS.items() if keys == ("accuracy",)} == {
        "sst2", "mnli", "qnli", "rte", "wnli"}
    assert {name for name, keys in glue.TASKS.items() if keys == ("accuracy", "f1")} == {"mrpc", "qqp"}
    assert (glue.TASKS["cola"], glue.TASKS["stsb"]) == (("matthews",), ("pearson", "spearman"))
