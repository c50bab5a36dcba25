"""Configurations of which nobody published a checkpoint, against a reference written in NumPy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from reference import Reference

from mobilebert_lite.config import MobileBertConfig
from mobilebert_lite.converters.tflite import convert_network
from mobilebert_lite.fusion.pipeline import fuse
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.runtime import Session
from mobilebert_lite.weights import random_weights

LENGTH = 16
VARIANTS: dict[str, dict[str, Any]] = {
    "query and key read the stream": {"key_query_shared_bottleneck": False},
    "no bottleneck": {"use_bottleneck": False, "hidden_size": 32},
    "no trigrams": {"trigram_input": False},
    "neither trigrams nor projection": {"trigram_input": False, "embedding_size": 64},
    "gelu_new and layer_norm": {"hidden_act": "gelu_new", "normalization_type": "layer_norm", "layer_norm_eps": 0.01},
}


@pytest.fixture(scope="module")
def inputs() -> list[dict[str, np.ndarray]]:
    """Three sequences of two segments, the first without padding."""
    rng = np.random.default_rng(0)
    rows = []
    for used in (LENGTH, LENGTH - 1, LENGTH // 2):
        mask = (np.arange(LENGTH) < used).astype(np.int32)
        segments = mask * (np.arange(LENGTH) >= used // 2)
        ids = np.where(mask, rng.integers(5, 200, LENGTH), 0)
        rows.append({"ids": ids.astype(np.int32)[None], "mask": mask[None],
                     "segment_ids": segments.astype(np.int32)[None]})
    return rows


@pytest.mark.parametrize("variant", VARIANTS)
def test_graph_and_fused_file(tiny_config: MobileBertConfig, inputs: list[dict[str, np.ndarray]],
                              variant: str) -> None:
    """The graph as it is, and the file after every fusion rule."""
    config = replace(tiny_config, **VARIANTS[variant])
    weights = random_weights(config, {"qa": 2}, seed=5)
    fused = fuse(weights, "qa")
    file = Session(convert_network(Network(config, fused.tensors, "qa", plan=fused.plan), [LENGTH]))
    reference = Reference(config, weights.tensors)
    graph = Network(config, weights.tensors, "qa").run(inputs)
    for row, from_graph in zip(inputs, graph, strict=True):
        hidden = reference.encode(*(row[name][0] for name in ("ids", "mask", "segment_ids")))
        logits = reference.dense("qa", hidden)
        kept = row["mask"][0].astype(bool)
        for column, name in enumerate(("start_logits", "end_logits")):
            expected = logits[kept, column]
            for actual in (from_graph, file.run(f"qa_{LENGTH}", row)):
                # float32 against float64: measured 1e-6 of the largest, ten times that allowed.
                assert np.abs(actual[name][0, kept] - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("pooler", [True, False])
def test_features(tiny_config: MobileBertConfig, inputs: list[dict[str, np.ndarray]], pooler: bool) -> None:
    weights = random_weights(tiny_config, pooler=pooler, seed=6)
    reference = Reference(tiny_config, weights.tensors)
    for row, actual in zip(inputs, Network(tiny_config, weights.tensors, "features").run(inputs), strict=True):
        hidden = reference.encode(*(row[name][0] for name in ("ids", "mask", "segment_ids")))
        kept = row["mask"][0].astype(bool)
        assert np.abs(actual["sequence_output"][0] - hidden)[kept].max() < 1e-5 * np.abs(hidden).max()
        pooled = reference.pool(hidden)
        assert np.abs(actual["pooled_output"][0] - pooled).max() < 1e-5 * np.abs(pooled).max()
