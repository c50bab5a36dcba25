"""The ordered list of rules."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np

from mobilebert_lite.architecture.heads import EncoderTask
from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.errors import RequestError
from mobilebert_lite.fusion import (
    center,
    center_keys,
    cls_only,
    drop_key_bias,
    eliminate_no_norm,
    equalize,
    fold_query_scale,
    fold_shared_bias,
    fold_value_bias,
    merge_embeddings,
    merge_projections,
    shrink_hidden,
    unit_scale,
    wide_heads,
)
from mobilebert_lite.fusion.algebra import cast
from mobilebert_lite.fusion.plan import Fused

Rules = dict[str, Callable[[Fused], Fused]]

# Normalization first: what it leaves behind in biases, the later rules sweep up.
RULES: Rules = {rule.NAME: rule.apply for rule in (
    fold_query_scale, merge_embeddings, eliminate_no_norm, fold_shared_bias, drop_key_bias, fold_value_bias,
    shrink_hidden, cls_only)}
# Here stand those that need calibration, where a recipe asks for them: they want the ranges of what the rules above
# leave, and know dense layers by the names that the rules below take away.
CALIBRATED = (center_keys.NAME, equalize.NAME, center.NAME)
LAST_RULES: Rules = {rule.NAME: rule.apply for rule in (merge_projections, unit_scale)}
# In their place for NPUs, whose time goes by operators: the slices of a merged layer cost more than a second layer.
NPU_RULES: Rules = {rule.NAME: rule.apply for rule in (wide_heads, unit_scale)}

NAMES = tuple(dict.fromkeys((*RULES, *CALIBRATED, *LAST_RULES, *NPU_RULES)))


def fuse(weights: Weights, task: EncoderTask, without: Collection[str] = (), dtype: type = np.float32,
         masking: Masking | None = None) -> Fused:
    """``weights`` for ``task`` after every rule of RULES but those in ``without``, rounded once to ``dtype``.

    The function is the same. Raises RequestError for an unknown rule.
    """
    unknown = sorted(set(without) - {*NAMES, "all"})
    if unknown:
        raise RequestError(f"unknown fusion rule {', '.join(unknown)}; known are {', '.join([*NAMES, 'all'])}")
    whole = Fused(weights.config, task, cast(weights.tensors, np.float64), masking=masking or Masking())
    fused = _apply(RULES, whole, without)
    return replace(fused, tensors=cast(fused.tensors, dtype))


def fuse_last(fused: Fused, without: Collection[str] = (), for_npu: bool = False) -> Fused:
    """``fused``, with its channels balanced or not, after LAST_RULES, or NPU_RULES, but those in ``without``."""
    dtype = fused.tensors["embeddings.position"].dtype.type
    fused = _apply(NPU_RULES if for_npu else LAST_RULES, fused, without)
    return replace(fused, tensors=cast(fused.tensors, dtype))


def _apply(rules: Rules, fused: Fused, without: Collection[str]) -> Fused:
    for name, rule in rules.items():
        off = name in without or "all" in without
        fused = fused.refused(name, "switched off, or of no use in this mode") if off else rule(fused)
    return fused
