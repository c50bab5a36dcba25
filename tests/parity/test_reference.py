"""Configurations of which nobody published a checkpoint, against a reference written in NumPy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from reference import Reference

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.shape import BlockShape
from mobilebert_lite.architecture.weights import Weights, checked, random_weights
from mobilebert_lite.conversion.lowering import convert_network
from mobilebert_lite.fusion.pipeline import fuse, fuse_last
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tasks import find_task

LENGTH = 16
VARIANTS: dict[str, dict[str, Any]] = {
    "query and key read the stream": {"key_query_shared_bottleneck": False},
    "no bottleneck": {"use_bottleneck": False, "hidden_size": 32},
    "no trigrams": {"trigram_input": False},
    "neither trigrams nor projection": {"trigram_input": False, "embedding_size": 64},
    "TINY": {"use_bottleneck_attention": True, "classifier_activation": False},
    "gelu and layer_norm, as the teacher": {"hidden_act": "gelu", "normalization_type": "layer_norm",
                                            "num_feedforward_networks": 1},
    "relu6, as in quantization-aware training": {"hidden_act": "relu6", "classifier_activation": False},
    "uneven": {"shapes": (BlockShape(1, (7, 40)), BlockShape(0, (64,)))},
    "uneven, without a bottleneck": {"use_bottleneck": False, "hidden_size": 32,
                                     "shapes": (BlockShape(3, ()), BlockShape(2, (24, 5)))},
    "uneven TINY": {"use_bottleneck_attention": True, "shapes": (BlockShape(2, (33,)), BlockShape(4, ()))},
    "gelu_new and layer_norm": {"hidden_act": "gelu_new", "normalization_type": "layer_norm", "layer_norm_eps": 0.01},
}


def loud(weights: Weights) -> Weights:
    """With hidden layers of which a part passes 6, where relu6 clamps."""
    return weights.with_tensors({name: tensor * np.float32(4 if ".intermediate." in name else 1)
                                 for name, tensor in weights.tensors.items()})


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
    weights = loud(random_weights(config, {"qa": 2}, seed=5))
    fused = fuse(weights, find_task("qa"))
    file = Session(convert_network(Network(config, fused.tensors, find_task("qa"), plan=fused.plan), [LENGTH]))
    reference = Reference(config, weights.tensors)
    graph = Network(config, weights.tensors, find_task("qa")).run(inputs)
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
    network = Network(tiny_config, weights.tensors, find_task("features"))
    for row, actual in zip(inputs, network.run(inputs), strict=True):
        hidden = reference.encode(*(row[name][0] for name in ("ids", "mask", "segment_ids")))
        kept = row["mask"][0].astype(bool)
        assert np.abs(actual["sequence_output"][0] - hidden)[kept].max() < 1e-5 * np.abs(hidden).max()
        pooled = reference.pool(hidden)
        assert np.abs(actual["pooled_output"][0] - pooled).max() < 1e-5 * np.abs(pooled).max()


def test_masked_lm_with_a_word_table_of_its_own(tiny_config: MobileBertConfig,
                                                inputs: list[dict[str, np.ndarray]]) -> None:
    """As transformers' TensorFlow classes have it."""
    weights = random_weights(tiny_config, {"mlm": 0}, seed=9)
    words = random_weights(tiny_config, seed=10).tensors["embeddings.word"]
    weights = checked(tiny_config, {**weights.tensors, "mlm.word": words})
    fused = fuse_last(fuse(weights, find_task("fill-mask")))
    actual = Network(tiny_config, fused.tensors, find_task("fill-mask"), plan=fused.plan).run(inputs)
    tied = Reference(tiny_config, {**weights.tensors, "mlm.word": weights.tensors["embeddings.word"]})
    for row, outputs in zip(inputs, actual, strict=True):
        hidden = tied.encode(*(row[name][0] for name in ("ids", "mask", "segment_ids")))
        kept = row["mask"][0].astype(bool)
        expected = Reference(tiny_config, weights.tensors).masked_lm(hidden)[kept]
        assert np.abs(outputs["logits"][0, kept] - expected).max() < 3e-5 * np.abs(expected).max()
        assert np.abs(tied.masked_lm(hidden)[kept] - expected).max() > 0.1 * np.abs(expected).max()


@pytest.mark.parametrize("pooler", [True, False])
@pytest.mark.parametrize("variant", VARIANTS)
def test_heads_of_pre_training(tiny_config: MobileBertConfig, inputs: list[dict[str, np.ndarray]], variant: str,
                               pooler: bool) -> None:
    """The masked LM head is tied to a word table that fusion may have scaled; both outputs in the fused graph."""
    config = replace(tiny_config, **VARIANTS[variant])
    weights = random_weights(config, {"mlm": 0, "nsp": 2}, pooler=pooler, seed=7)
    fused = fuse_last(fuse(weights, find_task("pretraining")))
    reference = Reference(config, weights.tensors)
    actual = Network(config, fused.tensors, find_task("pretraining"), plan=fused.plan).run(inputs)
    for row, outputs in zip(inputs, actual, strict=True):
        hidden = reference.encode(*(row[name][0] for name in ("ids", "mask", "segment_ids")))
        kept = row["mask"][0].astype(bool)
        words = reference.masked_lm(hidden)[kept]
        # float32 against float64, through one more division by a standard deviation.
        assert np.abs(outputs["prediction_logits"][0, kept] - words).max() < 3e-5 * np.abs(words).max()
        follows = reference.dense("nsp", reference.pool(hidden))
        assert np.abs(outputs["seq_relationship_logits"][0] - follows).max() < 3e-5 * np.abs(follows).max()


def test_tags_are_read_from_every_token_even_beside_a_pooler(tiny_config: MobileBertConfig,
                                                             inputs: list[dict[str, np.ndarray]]) -> None:
    weights = random_weights(tiny_config, {"classifier": 3}, pooler=True, seed=8)
    fused = fuse(weights, find_task("token-classification"))
    reference = Reference(tiny_config, weights.tensors)
    actual = Network(tiny_config, fused.tensors, find_task("token-classification"), plan=fused.plan).run(inputs)
    for row, outputs in zip(inputs, actual, strict=True):
        hidden = reference.encode(*(row[name][0] for name in ("ids", "mask", "segment_ids")))
        expected, kept = reference.dense("classifier", hidden), row["mask"][0].astype(bool)
        assert np.abs(outputs["logits"][0] - expected)[kept].max() < 1e-5 * np.abs(expected).max()
