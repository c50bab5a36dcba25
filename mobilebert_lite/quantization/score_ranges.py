"""The range of attention scores, chosen for what the softmax makes of them.

A score 20 below the greatest of its row is as good as one 200 below, and where one key is far above all others it does
not matter how far. So most of what lies between the extremes is of no use, and with the mask's constant among them
there would be next to nothing left: 256 steps over a thousand units. Ranges are tried on scores of the calibration
texts, and the one stays that changes the attention probabilities least. What lies below it, padding above all,
falls to its low end.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mobilebert_lite.quantization.calibrate import CalibrationSamples, TensorRanges, observe, reads_scores, tie
from mobilebert_lite.tflite.graph import Graphs, Subgraph, Tensor

# Texts for each signature and rows of scores for each softmax: more change little.
TEXTS, ROWS = 48, 2048

# What is tried. The upper end: shares of the greatest score.
TOPS = (1.0, 0.85, 0.7, 0.6, 0.5, 0.4)
# The lower end: so far below a low row's greatest score (e⁻¹⁰ · 384 keys are two hundredths of the greatest).
TAILS = (5.0, 10.0, 20.0)
# Which rows are low, in percent of all rows by their greatest score.
LOW_ROWS = (0.0, 1.0, 5.0, 25.0)


def fit_scores(content: bytes, samples: CalibrationSamples, ranges: TensorRanges, bits: int,
               threads: int = 2) -> TensorRanges:
    """``ranges`` with those of attention scores fitted for activations of so many ``bits``.

    ``content`` is the float file that they were measured on.
    """
    graphs = Graphs.read(content)
    few = {name: rows[::max(1, len(rows) // TEXTS)][:TEXTS] for name, rows in samples.items()}
    seen: dict[str, list[np.ndarray]] = {}
    for subgraph, values in observe(content, graphs, few, threads):
        for index, value in values({scores[0].index: 2 if len(scores[0].shape) == 4 else 0
                                    for scores in score_tensors(subgraph)}):
            rows = value.reshape(-1, value.shape[-1])
            seen.setdefault(subgraph.tensors[index].name, []).append(rows[::max(1, len(rows) * TEXTS // ROWS)])
    fitted = dict(ranges)
    for subgraph in graphs.subgraphs:
        for scores in score_tensors(subgraph):
            if found := seen.get(scores[0].name):
                # Before and after the mask in one range: adding it then rounds nothing.
                fitted.update(dict.fromkeys([tensor.name for tensor in scores],
                                            best_range(np.concatenate(found), bits)))
    tie(graphs, fitted)
    return fitted


def best_range(rows: np.ndarray, bits: int) -> tuple[float, float]:
    """The range that changes the softmax of ``rows`` least. *Shape:* (rows, keys), padding masked"""
    wanted, greatest = softmax(rows), rows.max(axis=-1)
    tops = [share * float(greatest.max()) for share in TOPS]
    lows = {max(float(rows.min()), float(np.percentile(greatest, low)) - tail) for low in LOW_ROWS for tail in TAILS}
    tried = [(min(low, 0.0), max(top, 0.0)) for top in tops for low in sorted(lows) if low < top]
    errors = [float(np.square(softmax(fake_quantize(rows, *one, bits)) - wanted).sum()) for one in tried]
    return tried[int(np.argmin(errors))] if tried else (min(float(rows.min()), 0.0), max(float(rows.max()), 0.0))


def fake_quantize(values: np.ndarray, low: float, high: float, bits: int) -> np.ndarray:
    """``values`` clipped to a range and rounded to its 2^bits values."""
    step = (high - low) / (2 ** bits - 1)
    rounded: np.ndarray = np.rint(np.clip(values, low, high) / step) * step
    return rounded


def softmax(rows: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    powers = np.exp(rows - rows.max(axis=-1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def score_tensors(subgraph: Subgraph) -> Iterator[list[Tensor]]:
    """For each softmax over [1, A, R, S] or [1, R · A, S]: what it reads, and the scores before the mask was added."""
    for operator in subgraph.operators:
        if reads_scores(operator):
            scores = operator.operand(0)
            yield [scores, *(other for other in subgraph.producers[scores.index].operands
                             if other.shape == scores.shape)]
