"""The rewrites that conversions are tried on: other weights, the same function."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.tasks import find_task

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks" / "suites"))
from rewrites import KEY_BIAS, with_outliers


@pytest.mark.parametrize("seed", range(4))
def test_the_function_is_the_same(tiny_config: MobileBertConfig, tiny_inputs: dict[int, list[dict[str, np.ndarray]]],
                                  seed: int) -> None:
    """To 1e-5 of the largest logit: channels a thousand apart are summed in float32 in another order."""
    weights = random_weights(tiny_config, {"qa": 2}, seed=seed)
    other = with_outliers(weights, seed)
    for expected, actual in zip(*(Network(one.config, one.tensors, find_task("qa")).run(tiny_inputs[32])
                                  for one in (weights, other)), strict=True):
        for name, value in expected.items():
            assert np.abs(actual[name] - value).max() <= 1e-5 * np.abs(value).max()


def test_the_weights_are_not(tiny_config: MobileBertConfig) -> None:
    """Every stream is scaled apart by more than its outliers' factor, and keys have large biases; seeds differ."""
    weights = random_weights(tiny_config, {"qa": 2})
    first, second = with_outliers(weights, 0), with_outliers(weights, 1)
    for name in ("embeddings.position", "layers.1.output.kernel", "layers.0.attention.output.kernel",
                 "layers.1.ffn.1.output.kernel"):
        ratio = np.abs(first.tensors[name] / weights.tensors[name]).mean(axis=0)
        assert ratio.max() / ratio.min() > 20
        assert not np.allclose(first.tensors[name], second.tensors[name])
    assert 0.7 * KEY_BIAS < np.abs(first.tensors["layers.0.attention.key.bias"]).max() <= KEY_BIAS


def test_other_networks_are_refused(tiny_config: MobileBertConfig) -> None:
    with pytest.raises(ValueError, match="no_norm"):
        with_outliers(random_weights(replace(tiny_config, normalization_type="layer_norm"), {"qa": 2}), 0)
    with pytest.raises(ValueError, match="pooler"):
        with_outliers(random_weights(tiny_config, {"classifier": 2}, pooler=True), 0)
