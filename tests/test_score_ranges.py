"""Ranges for the softmax of the attention."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mobilebert_lite.conversion.lowering import convert_network
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.quantization.calibrate import measure_ranges
from mobilebert_lite.quantization.score_ranges import best_range, fake_quantize, fit_scores, score_tensors, softmax
from mobilebert_lite.tflite.graph import Graphs


def scores(spread: float, padding: int = 16) -> np.ndarray:
    """Rows as a trained network has them: some almost even, some that single one key out; padding masked."""
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 1, (400, 48)) * rng.lognormal(0, spread, (400, 1))
    rows[:, 48 - padding:] -= 1000
    return rows


def cost(rows: np.ndarray, low: float, high: float) -> float:
    """Mean squared change of the probabilities in 8 bits."""
    return float(np.square(softmax(fake_quantize(rows, low, high, 8)) - softmax(rows)).sum(axis=-1).mean())


@pytest.mark.parametrize("spread", [0.5, 1.5])
def test_better_than_the_extremes(spread: float) -> None:
    """Of the masked scores by far, and of the scores that are read too."""
    rows = scores(spread)
    low, high = best_range(rows, 8)
    read = rows[:, :32]
    assert -100 < low < 0 < high <= read.max()
    assert cost(rows, low, high) < cost(rows, rows.min(), rows.max()) / 50
    assert cost(rows, low, high) < cost(rows, read.min(), read.max())


def test_padding_gets_no_share() -> None:
    """At the low end of the range it must weigh next to nothing, however many positions it is."""
    rows = np.concatenate([scores(0.5, padding=16), np.full((400, 300), -1000.0)], axis=1)
    shares = softmax(fake_quantize(rows, *best_range(rows, 8), 8))
    assert shares[:, 32:].sum(axis=1).mean() < 0.02


def test_zero_is_within() -> None:
    rows = np.full((4, 8), 3.0)
    assert best_range(rows, 8)[0] == 0.0
    assert best_range(-rows, 8)[1] == 0.0


def test_only_scores_change(tiny_qa: Path, tiny_inputs: dict[int, list[dict[str, np.ndarray]]]) -> None:
    """Before and after the mask, in one range at every length; all others keep their extremes."""
    weights = huggingface.load(tiny_qa)
    content = convert_network(Network(weights.config, weights.tensors, "qa"), [48, 32])
    samples = {f"qa_{length}": rows for length, rows in tiny_inputs.items()}
    before = measure_ranges(content, samples)
    after = fit_scores(content, samples, before, 8)
    names = [[[tensor.name for tensor in found] for found in score_tensors(subgraph)]
             for subgraph in Graphs.read(content).subgraphs]
    assert [len(found) for subgraph in names for found in subgraph] == [2, 2, 2, 2]
    for longer, shorter in zip(*names, strict=True):
        assert len({after[name] for name in (*longer, *shorter)}) == 1
        assert before[longer[0]][0] < -9000
        assert -100 < after[longer[0]][0] <= 0
    fitted = {name for subgraph in names for found in subgraph for name in found}
    assert {name for name in before if before[name] != after[name]} <= fitted
