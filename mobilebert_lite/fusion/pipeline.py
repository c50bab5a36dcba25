"""The ordered list of rules."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np

from mobilebert_lite.errors import ConversionError
from mobilebert_lite.fusion import (
    cls_only,
    compose_query_key,
    drop_key_bias,
    eliminate_no_norm,
    equalise,
    fold_query_scale,
    fold_value_bias,
    merge_embeddings,
)
from mobilebert_lite.fusion.algebra import cast
from mobilebert_lite.fusion.plan import Fused
from mobilebert_lite.masking import Masking
from mobilebert_lite.weights import Weights

# equalise comes after them all, where a recipe asks for it: it needs the ranges of what they leave.
# Normalisation first: what it leaves behind in biases, the later rules sweep up.
RULES: dict[str, Callable[[Fused], Fused]] = {rule.NAME: rule.apply for rule in (
    fold_query_scale, merge_embeddings, eliminate_no_norm, compose_query_key, drop_key_bias, fold_value_bias, cls_only)}


def fuse(weights: Weights, task: str, without: Collection[str] = (), dtype: type = np.float32,
         masking: Masking | None = None) -> Fused:
    """``weights`` for ``task`` after every rule but those in ``without``, rounded once to ``dtype``.

    The function is the same. Raises ConversionError for an unknown rule.
    """
    known = [*RULES, equalise.NAME, "all"]
    unknown = sorted(set(without) - set(known))
    if unknown:
        raise ConversionError(f"unknown fusion rule {', '.join(unknown)}; known are {', '.join(known)}")
    fused = Fused(weights.config, task, cast(weights.tensors, np.float64), masking=masking or Masking())
    for name, rule in RULES.items():
        off = name in without or "all" in without
        fused = fused.refused(name, "switched off, or of no use in this mode") if off else rule(fused)
    return replace(fused, tensors=cast(fused.tensors, dtype))
