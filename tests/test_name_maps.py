"""The tables lead there and back, for every variant, and no two tensors to one name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.converters.names.name_maps import (
    Row,
    huggingface_rows,
    huggingface_tensorflow_rows,
    read_tensors,
    tensorflow1_rows,
    write_tensors,
)
from mobilebert_lite.converters.tensorflow.garden_places import Places, find_places
from mobilebert_lite.converters.tensorflow.model_garden import name_rows, path_rows

TRAINER = Places("encoder/", "model/", "masked_lm/")
ALONE = Places("model/layer_with_weights-0/", "model/", "model/masked_lm/")
TABLES: dict[str, Callable[[MobileBertConfig], list[Row]]] = {
    "huggingface": huggingface_rows,
    "huggingface, TensorFlow": huggingface_tensorflow_rows,
    "tf1": tensorflow1_rows,
    "trainer": lambda config: path_rows(config, TRAINER),
    "alone": lambda config: path_rows(config, ALONE),
    "names": name_rows,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "usual": {},
    "tiny": {"use_bottleneck_attention": True, "num_feedforward_networks": 1},
    "layer_norm": {"normalization_type": "layer_norm"},
    "eleven blocks of twelve networks": {"num_hidden_layers": 11, "num_feedforward_networks": 12},
}
HEADS = {"qa": 2, "classifier": 3, "nsp": 2, "mlm": 0}
# The Model Garden has no head for the next sentence, and no name of its own for a span.
KNOWN = {"trainer": ("qa", "classifier", "mlm"), "alone": ("qa", "classifier", "mlm"), "names": ("classifier", "mlm")}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("table", TABLES)
def test_there_and_back(tiny_config: MobileBertConfig, table: str, variant: str) -> None:
    config = replace(tiny_config, **VARIANTS[variant])
    heads = {head: HEADS[head] for head in KNOWN.get(table, HEADS)}
    ours = random_weights(config, heads, pooler=True).tensors
    rows = TABLES[table](config)
    theirs = write_tensors(rows, ours)
    assert len(theirs) == len(ours)
    assert set(theirs) & set(ours) <= {"classifier.bias"}  # all the others were renamed
    back = read_tensors(rows, theirs)
    assert set(back) == set(ours)
    assert all(back[name].shape == ours[name].shape and np.array_equal(back[name], ours[name]) for name in ours)


def test_heads_have_an_axis_of_their_own_in_the_model_garden(tiny_config: MobileBertConfig) -> None:
    """Four heads of four."""
    theirs = write_tensors(path_rows(tiny_config, TRAINER), random_weights(tiny_config).tensors)
    scope = "encoder/layer_with_weights-2/block_layers/attention/0"
    shapes = {part: theirs[f"{scope}/{part}"].shape for part in (
        "_query_dense/kernel", "_value_dense/kernel", "_key_dense/bias", "_output_dense/kernel", "_output_dense/bias")}
    assert shapes == {"_query_dense/kernel": (16, 4, 4), "_value_dense/kernel": (64, 4, 4), "_key_dense/bias": (4, 4),
                      "_output_dense/kernel": (4, 4, 16), "_output_dense/bias": (16,)}


@pytest.mark.parametrize("places", [TRAINER, ALONE])
def test_places(tiny_config: MobileBertConfig, places: Places) -> None:
    weights = random_weights(tiny_config, {"qa": 2, "mlm": 0})
    assert find_places(write_tensors(path_rows(tiny_config, places), weights.tensors)) == places
    assert find_places(["variables/1", "variables/2"]) is None


@pytest.mark.parametrize("table", ["huggingface", "huggingface, TensorFlow", "tf1"])
def test_two_names_of_one_tensor(tiny_config: MobileBertConfig, table: str) -> None:
    """A checkpoint of three networks a block, read as one of two: the numbered second and the last collide."""
    three = replace(tiny_config, num_feedforward_networks=3)
    theirs = write_tensors(TABLES[table](three), random_weights(three).tensors)
    read = read_tensors(TABLES[table](tiny_config), theirs)
    assert len(read) == len(theirs)  # none was lost
    assert len(set(read) & set(theirs)) == 2 * 6  # networks 2 of both blocks keep their own names
