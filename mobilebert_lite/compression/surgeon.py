"""Which inputs of a dense layer can go, and what it costs in its output when the others are refitted.

Optimal brain surgeon (Hassibi and Stork 1993) for groups of inputs, as in ZipLM (Kurtic et al. 2023, arXiv:2302.04089,
section 3). With inputs of covariance C and kernel W, leaving out the group g raises the mean squared error of the
output by tr(W_gᵀ ((C⁻¹)_gg)⁻¹ W_g) when the rest is refitted by W − C⁻¹_:g ((C⁻¹)_gg)⁻¹ W_g, which is exact. The mean
of what is left out goes into the bias.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Added to the diagonal of a covariance, as a share of its mean: inputs that always agree make it singular.
RIDGE = 1e-5
# Share of the inputs that may be left before those that are gone are taken out of the matrices.
_STALE = 0.85


@dataclass(frozen=True)
class Curve:
    """The order in which groups of inputs are left out, and the error after each.

    order: int [groups], the first to go first.
    errors: float64 [groups + 1]: mean squared error with 0, 1, … of them gone.
    """

    order: np.ndarray
    errors: np.ndarray

    def kept(self, count: int) -> tuple[int, ...]:
        """The ``count`` groups that stay longest, in their own order."""
        return tuple(sorted(int(i) for i in self.order[len(self.order) - count:]))


def root(metric: np.ndarray) -> np.ndarray:
    """A matrix R with R·Rᵀ = ``metric``, symmetric and without negative eigenvalues but for rounding."""
    values, vectors = np.linalg.eigh(metric)
    found: np.ndarray = vectors * np.sqrt(np.maximum(values, 0))
    return found


def curve(covariance: np.ndarray, kernel: np.ndarray, metric: np.ndarray, group: int = 1) -> Curve:
    """Leave out groups of ``group`` neighboring inputs, one after the other, the cheapest first.

    ``metric`` weighs errors of the output e as eᵀ·metric·e. *Shape:* [in, in], [in, out], [out, out]
    """
    size = len(covariance)
    ridge = RIDGE * max(float(np.trace(covariance)) / size, 1e-30)
    inverse = np.linalg.inv(covariance + ridge * np.eye(size))
    weights = kernel @ root(metric)
    left = np.arange(size // group)
    alive = np.ones(len(left), bool)
    order, errors = [], [0.0]
    for _ in range(size // group):
        scores = np.where(alive, _scores(inverse, weights, group), np.inf)
        chosen = int(scores.argmin())
        order.append(int(left[chosen]))
        errors.append(errors[-1] + float(scores[chosen]))
        _leave_out(inverse, weights, slice(chosen * group, (chosen + 1) * group))
        alive[chosen] = False
        # What is gone still costs time, and taking it away does too.
        if 0 < alive.sum() <= _STALE * len(alive):
            rows = np.repeat(alive, group)
            inverse, weights = inverse[np.ix_(rows, rows)], weights[rows]
            left, alive = left[alive], alive[alive]
    return Curve(np.array(order), np.array(errors))


def _scores(inverse: np.ndarray, weights: np.ndarray, group: int) -> np.ndarray:
    """The error that leaving out each group adds. *Shape:* → [groups]"""
    if group == 1:
        found: np.ndarray = (weights ** 2).sum(1) / np.maximum(inverse.diagonal(), 1e-300)
        return found
    parts = [slice(i, i + group) for i in range(0, len(inverse), group)]
    return np.array([np.sum(weights[part] * np.linalg.solve(inverse[part, part], weights[part])) for part in parts])


def _leave_out(inverse: np.ndarray, weights: np.ndarray, part: slice) -> None:
    """Make ``inverse`` that of the covariance of the other inputs, and refit their ``weights``; both in place.

    The rows of ``part`` become those of an input that stands alone and has no weight.
    """
    step = np.linalg.solve(inverse[part, part], np.hstack([inverse[part], weights[part]]))
    rows = inverse[:, part].copy()
    inverse -= rows @ step[:, :len(inverse)]
    weights -= rows @ step[:, len(inverse):]
    inverse[part], inverse[:, part], weights[part] = 0, 0, 0
    inverse[part, part] = np.eye(part.stop - part.start)
