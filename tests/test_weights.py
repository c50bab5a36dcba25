"""The table of tensors and its strict check."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import pytest

from mobilebert_lite.architecture.config import PRESETS, MobileBertConfig
from mobilebert_lite.architecture.weights import checked, random_weights, tensor_table
from mobilebert_lite.errors import WeightsError, shorten


@pytest.mark.parametrize(("preset", "parameters"), [("uncased", 24_581_888), ("multilingual", 35_977_088)])
def test_parameters_of_the_published_encoders(preset: str, parameters: int) -> None:
    """Without pooler and heads, as the published checkpoints count."""
    table = tensor_table(PRESETS[preset])
    assert sum(prod(spec.shape) for spec in table.values()) == parameters
    with_pooler = tensor_table(PRESETS[preset], pooler=True)
    assert sum(prod(spec.shape) for spec in with_pooler.values()) == parameters + 512 * 512 + 512


def test_heads_in_the_table(tiny_config: MobileBertConfig) -> None:
    table = tensor_table(tiny_config, {"qa": 2, "classifier": 7, "nsp": 2, "mlm": 0})
    assert table["qa.kernel"].shape == (64, 2)
    assert table["classifier.bias"].shape == (7,)
    # The vocabulary's own vectors are 16 wide; the decoder needs the 48 channels that are missing.
    assert table["mlm.extra"].shape == (tiny_config.vocab_size, 48)
    assert "mlm.extra" not in tensor_table(replace(tiny_config, embedding_size=64), {"mlm": 0})


def test_tensors_that_no_computation_reads_may_be_absent(tiny_config: MobileBertConfig) -> None:
    config = replace(tiny_config, use_bottleneck_attention=True)
    optional = [name for name, spec in tensor_table(config).items() if spec.optional]
    assert len(optional) == 2 * 4
    assert all(".bottleneck.attention" in name for name in optional)
    tensors = dict(random_weights(config).tensors)
    for name in optional:
        del tensors[name]
    assert checked(config, tensors).parameters == sum(tensor.size for tensor in tensors.values())
    assert not any(spec.optional for spec in tensor_table(tiny_config).values())


def test_every_problem_in_one_error(tiny_config: MobileBertConfig) -> None:
    tensors = dict(random_weights(tiny_config, {"qa": 2}).tensors)
    del tensors["layers.0.output.bias"], tensors["layers.1.ffn.1.norm.beta"]
    tensors["layers.2.output.bias"] = np.zeros(64, np.float32)
    tensors["qa.kernel"] = tensors["qa.kernel"].T
    tensors["embeddings.norm.gamma"] = np.full(64, np.nan, np.float32)
    tensors["embeddings.norm.beta"] = np.full(64, np.inf, np.float32)
    with pytest.raises(WeightsError) as error:
        checked(tiny_config, tensors)
    message = str(error.value)
    assert "missing layers.0.output.bias, layers.1.ffn.1.norm.beta;" in message
    assert "unexpected layers.2.output.bias;" in message
    assert "wrong shape qa.kernel: found [2, 64], expected [64, 64] (hidden_size 64)" in message
    assert "NaN or infinite embeddings.norm.gamma, embeddings.norm.beta" in message


def test_checked_weights_are_float32_and_contiguous(tiny_config: MobileBertConfig) -> None:
    tensors = {name: tensor.astype(np.float64) for name, tensor in random_weights(tiny_config).tensors.items()}
    tensors["layers.0.output.kernel"] = tensors["layers.0.output.kernel"].copy("F")
    weights = checked(tiny_config, tensors)
    assert all(tensor.dtype == np.float32 and tensor.flags.c_contiguous for tensor in weights.tensors.values())


def test_what_weights_say_about_themselves(tiny_config: MobileBertConfig) -> None:
    plain = random_weights(tiny_config)
    assert (plain.heads, plain.has_pooler) == ((), False)
    weights = random_weights(tiny_config, {"classifier": 3, "nsp": 2}, pooler=True)
    assert (set(weights.heads), weights.has_pooler) == ({"classifier", "nsp"}, True)
    assert weights.parameters == plain.parameters + (64 * 64 + 64) + (64 * 3 + 3) + (64 * 2 + 2)


def test_random_weights_are_seeded(tiny_config: MobileBertConfig) -> None:
    first, again, other = (random_weights(tiny_config, seed=seed).tensors for seed in (3, 3, 4))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not any(np.array_equal(first[name], other[name]) for name in first)


def test_long_lists_are_shortened() -> None:
    assert shorten(["a", "b"]) == "a, b"
    assert shorten(list("abcdef")) == "a, b, c, d, e, f"
    assert shorten(list("abcdefg")) == "a, b, c, d, e, f and 1 more"
