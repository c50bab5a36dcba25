"""Two models on the same examples, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from mobilebert_lite.evaluation.evaluate import EvalResult
from mobilebert_lite.evaluation.statistics import mcnemar, resample


def compare(first: EvalResult, second: EvalResult) -> Mapping[str, Any]:
    """``agreement`` (percent of examples with the same answer), ``difference`` of the scores (first less second, with
    its interval over resampled examples), and ``mcnemar``, the test on what is entirely right (None for numbers)."""
    scorer, a, b = first.scorer, first.rows, second.rows
    same = [scorer.answer(one) == scorer.answer(other)
            for one, other in zip(first.predictions, second.predictions, strict=True)]
    difference = resample(len(same), lambda chosen: scorer.score(a[chosen]) - scorer.score(b[chosen]))
    right = scorer.correct(a), scorer.correct(b)
    test = None if right[0] is None or right[1] is None else asdict(mcnemar(right[0], right[1]))
    return {"agreement": 100.0 * float(np.mean(same)), "difference": difference.to_json(),
            "mcnemar": test}
