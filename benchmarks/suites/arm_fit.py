"""What each kind of work takes, from what was counted for whole files: the prices of ``cost.estimate``.

A group of kernels does certain kinds of work that hardly another does, so each group is fitted alone: amounts of the
files times prices are what its kernels took, by least squares of the relative errors, no price below nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

import mobilebert_lite.cost
from mobilebert_lite.cost.amounts import OPERATORS

KERNELS = Path(mobilebert_lite.cost.__file__).with_name("kernels.json")
_FLOATS = ("float32", "float16")
# Group of arm_cost.GROUPS -> the kinds of work (cost.amounts) that its kernels do.
EXPLAINED = {
    "static int8 products": ("dense int8: multiplications", "dense int8: outputs"),
    "dynamic int8 products": ("dense dynamic: multiplications", "dense dynamic: outputs",
                              "dense dynamic, half: multiplications", "dense dynamic, half: outputs"),
    **{f"{form} products": (f"product {form}: multiplications", f"product {form}: outputs") for form in _FLOATS},
    "rounding inputs": ("dense dynamic: inputs", "dense dynamic, half: inputs"),
    "softmax": tuple(f"softmax {form}" for form in _FLOATS),
    "additions": tuple(f"elementwise {form}" for form in (*_FLOATS, "int8")),
    "conversions": (*(f"converted {form}" for form in _FLOATS), "dense dynamic, half: inputs"),
    "copies": ("moved", *(f"second operands {form}" for form in _FLOATS)),
    "rest": (OPERATORS,),
}


def fit(rows: Sequence[Mapping[str, Any]], amounts: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Kind of work -> [instructions, cycles] of one, from rows of one processor and the ``amounts`` of their files."""
    prices: dict[str, list[float]] = {}
    for group, kinds in EXPLAINED.items():
        work = np.array([[one.get(kind, 0.0) for kind in kinds] for one in amounts])
        taken = np.array([row["kernels"].get(group, (0, 0)) for row in rows], float)
        used = taken[:, 0] > 0
        for place in (0, 1):
            solved = np.zeros(len(kinds))
            if used.any():
                solved, _ = nnls(work[used] / taken[used, place, None], np.ones(used.sum()))
            for kind, price in zip(kinds, solved, strict=True):
                prices.setdefault(kind, [0.0, 0.0])[place] += float(price)
    return {kind: [float(f"{price:.6g}") for price in both] for kind, both in prices.items()}


def write(prices: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Core -> ``fit``, into the package."""
    KERNELS.write_text(json.dumps(prices, indent=1) + "\n")
