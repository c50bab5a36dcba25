"""The configuration and its readers."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilebert_lite.architecture.config import (
    ACTIVATIONS,
    NORMALIZATIONS,
    PRESETS,
    MobileBertConfig,
    from_huggingface,
    from_tensorflow1,
    read_json,
    to_huggingface,
    to_tensorflow1,
)
from mobilebert_lite.architecture.weights import checked, random_weights
from mobilebert_lite.errors import ConfigError, WeightsError

SIZES = st.integers(1, 4096)
# Of blocks and of networks in one: what a configuration describes must fit a machine.
COUNTS = st.integers(1, 24)


@st.composite
def configs(draw: st.DrawFn) -> MobileBertConfig:
    """Any configuration that is valid."""
    heads, use_bottleneck = draw(st.integers(1, 16)), draw(st.booleans())
    block, other = heads * draw(st.integers(1, 64)), draw(SIZES)
    vocabulary = draw(SIZES)
    return MobileBertConfig(
        vocab_size=vocabulary, hidden_size=other if use_bottleneck else block, num_hidden_layers=draw(COUNTS),
        num_attention_heads=heads, intermediate_size=draw(SIZES), embedding_size=draw(SIZES),
        intra_bottleneck_size=block if use_bottleneck else other, hidden_act=draw(st.sampled_from(ACTIVATIONS)),
        max_position_embeddings=draw(SIZES), type_vocab_size=draw(SIZES), num_feedforward_networks=draw(COUNTS),
        normalization_type=draw(st.sampled_from(NORMALIZATIONS)), layer_norm_eps=draw(st.floats(1e-12, 1e-3)),
        use_bottleneck=use_bottleneck, use_bottleneck_attention=draw(st.booleans()),
        key_query_shared_bottleneck=draw(st.booleans()), trigram_input=draw(st.booleans()),
        classifier_activation=draw(st.booleans()), pad_token_id=draw(st.integers(0, vocabulary - 1)),
        hidden_dropout_prob=draw(st.floats(0, 0.9)), attention_probs_dropout_prob=draw(st.floats(0, 0.9)),
        initializer_range=draw(st.floats(1e-3, 1)), labels=tuple(draw(st.lists(st.text(), max_size=5))),
        problem_type=draw(st.sampled_from(["", "regression", "single_label_classification"])))


# Presets

def test_presets_are_the_published_shapes() -> None:
    """Against Table 1 of arXiv:2004.02984 and the published config.json files."""
    uncased, tiny = PRESETS["uncased"], PRESETS["tiny"]
    assert (uncased.num_hidden_layers, uncased.hidden_size, uncased.block_size, uncased.embedding_size,
            uncased.intermediate_size, uncased.num_feedforward_networks) == (24, 512, 128, 128, 512, 4)
    assert (uncased.num_attention_heads, uncased.head_size) == (4, 32)
    assert (uncased.normalization_type, uncased.hidden_act) == ("no_norm", "relu")
    assert PRESETS["multilingual"].vocab_size == 119547
    assert (tiny.num_feedforward_networks, tiny.value_input_size) == (2, 128)


@pytest.mark.parametrize(("switches", "query", "value"), [
    ({}, 128, 512),
    ({"use_bottleneck_attention": True}, 128, 128),
    ({"key_query_shared_bottleneck": False}, 512, 512),
    ({"key_query_shared_bottleneck": False, "use_bottleneck_attention": True}, 128, 128),
    ({"use_bottleneck": False}, 512, 512),
    ({"use_bottleneck": False, "use_bottleneck_attention": True}, 512, 512),
])
def test_what_attention_reads(switches: dict[str, Any], query: int, value: int) -> None:
    config = MobileBertConfig(**switches)
    assert (config.query_input_size, config.value_input_size) == (query, value)


# Hugging Face

@given(configs())
def test_huggingface_round_trip(config: MobileBertConfig) -> None:
    raw = json.loads(json.dumps(to_huggingface(config)))
    assert from_huggingface(raw) == config


def test_what_transformers_reads() -> None:
    """Keys that transformers computes from, beyond our own fields."""
    config = MobileBertConfig(use_bottleneck=False).with_labels(("no", "yes"))
    raw = to_huggingface(config)
    assert raw["model_type"] == "mobilebert"
    assert raw["true_hidden_size"] == 512  # the width of attention, here without bottleneck
    assert (raw["id2label"], raw["label2id"]) == ({"0": "no", "1": "yes"}, {"no": 0, "yes": 1})
    assert to_huggingface(MobileBertConfig())["true_hidden_size"] == 128


def test_huggingface_defaults_and_foreign_keys() -> None:
    """A published config.json leaves keys out, writes null, and carries keys that are not about the network."""
    assert from_huggingface({}) == MobileBertConfig()
    assert from_huggingface({"pad_token_id": None, "torch_dtype": "float32", "classifier_dropout": None,
                             "transformers_version": "4.6.0"}) == MobileBertConfig()


def test_labels_follow_their_ids() -> None:
    """By number, not by the order of the file or of the digits."""
    raw = {"id2label": {str(i): f"label {i}" for i in reversed(range(12))}}
    assert from_huggingface(raw).labels == tuple(f"label {i}" for i in range(12))


@pytest.mark.parametrize(("raw", "labels"), [
    ({"id2label": {0: "a", "1": "b"}}, ("a", "b")),
    ({"id2label": {"0": "a", "2": "c"}}, ("a", "", "c")),
    ({"id2label": {"1": "a", "2": "b"}}, ("", "a", "b")),
    ({"id2label": {"0": "a", "1": None}}, ("a", "")),
    ({"id2label": {"-100": "ignored", "0": "a", "1": "b"}}, ("a", "b")),
    ({"id2label": {"0": "a", "99999999999": "b"}}, ("a",)),
    ({"id2label": {"0": "a"}, "label2id": {"b": 0, "c": 1}}, ("a",)),
    ({"label2id": {"b": 1, "a": "0"}}, ("a", "b")),
    ({"label2id": {"a": 0, "b": 0, "c": 1}}, ("", "c")),
    ({"id2label": {}, "label2id": None}, ()),
])
def test_labels_of_other_forms(raw: dict[str, Any], labels: tuple[str, ...]) -> None:
    """Ids may be text or numbers; one without a name of its own has none, and whoever needs it says so."""
    assert from_huggingface(raw).labels == labels


@pytest.mark.parametrize("raw", [{"id2label": {"zero": "a"}}, {"id2label": ["a", "b"]}, {"label2id": {"a": None}},
                                 {"label2id": {"a": float("inf")}}])
def test_labels_that_are_none(raw: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="whole numbers"):
        from_huggingface(raw)


def test_another_architecture() -> None:
    with pytest.raises(ConfigError, match=r"'bert'.*mobilebert"):
        from_huggingface({"model_type": "bert"})


# TensorFlow 1

def test_tensorflow1_defaults() -> None:
    """BertConfig of google-research/mobilebert is a plain BERT where the file says nothing else."""
    config = from_tensorflow1({"vocab_size": 100})
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (768, 12, 12)
    assert (config.intermediate_size, config.type_vocab_size, config.num_feedforward_networks) == (3072, 16, 1)
    assert (config.embedding_size, config.intra_bottleneck_size, config.block_size) == (768, 768, 768)
    switches = (config.trigram_input, config.use_bottleneck, config.use_bottleneck_attention,
                config.key_query_shared_bottleneck)
    assert switches == (False,) * 4
    assert (config.normalization_type, config.classifier_activation) == ("layer_norm", True)


@pytest.mark.parametrize(("theirs", "ours"), [("gelu", "gelu_new"), ("relu", "relu")])
def test_tensorflow1_gelu_is_the_tanh_form(theirs: str, ours: str) -> None:
    assert from_tensorflow1({"vocab_size": 100, "hidden_act": theirs}).hidden_act == ours
    assert to_tensorflow1(MobileBertConfig(hidden_act=ours))["hidden_act"] == theirs


def test_tensorflow1_of_the_published_model() -> None:
    """The bert_config.json that google-research/mobilebert publishes for mobilebert_uncased."""
    assert from_tensorflow1({
        "attention_probs_dropout_prob": 0.1, "hidden_act": "relu", "hidden_dropout_prob": 0.0, "hidden_size": 512,
        "initializer_range": 0.02, "intermediate_size": 512, "max_position_embeddings": 512,
        "num_attention_heads": 4, "num_hidden_layers": 24, "type_vocab_size": 2, "vocab_size": 30522,
        "embedding_size": 128, "trigram_input": True, "use_bottleneck": True, "intra_bottleneck_size": 128,
        "use_bottleneck_attention": False, "key_query_shared_bottleneck": True, "num_feedforward_networks": 4,
        "normalization_type": "no_norm", "classifier_activation": True}) == PRESETS["uncased"]


@given(configs())
def test_tensorflow1_round_trip(config: MobileBertConfig) -> None:
    """All but what TF1 has no key for."""
    if config.hidden_act == "gelu":
        with pytest.raises(ConfigError, match="erf"):
            to_tensorflow1(config)
        return
    again = from_tensorflow1(json.loads(json.dumps(to_tensorflow1(config))))
    absent = {"pad_token_id", "layer_norm_eps", "labels", "problem_type"}
    assert all(getattr(again, field.name) == getattr(config, field.name)
               for field in fields(config) if field.name not in absent)


def test_tensorflow1_is_strict() -> None:
    with pytest.raises(ConfigError, match=r"unknown keys num_blocks, width$"):
        from_tensorflow1({"vocab_size": 100, "width": 3, "num_blocks": 2})
    with pytest.raises(ConfigError, match="vocab_size is missing"):
        from_tensorflow1({"hidden_size": 512})


# Bad values

@pytest.mark.parametrize(("values", "message"), [
    ({"hidden_size": 0}, "hidden_size is 0"),
    ({"num_hidden_layers": -1}, "num_hidden_layers is -1"),
    ({"vocab_size": "30522"}, "vocab_size is '30522'"),
    ({"embedding_size": 128.0}, r"embedding_size is 128\.0"),
    ({"num_attention_heads": True}, "num_attention_heads is True"),
    ({"num_attention_heads": 3}, "does not divide the attention width 128"),
    ({"num_attention_heads": 256}, "does not divide"),
    ({"use_bottleneck": 1}, "use_bottleneck is 1; it must be true or false"),
    ({"trigram_input": "yes"}, "trigram_input is 'yes'"),
    ({"normalization_type": "batch_norm"}, "'batch_norm'; known are no_norm, layer_norm"),
    ({"hidden_act": "swish"}, "'swish'; known are relu"),
    ({"hidden_act": ["relu"]}, "hidden_act"),
    ({"pad_token_id": 30522}, "pad_token_id is 30522, outside"),
    ({"pad_token_id": -1}, "pad_token_id is -1"),
    ({"pad_token_id": "0"}, "pad_token_id"),
    ({"layer_norm_eps": "tiny"}, "layer_norm_eps"),
    ({"layer_norm_eps": -1.0}, "layer_norm_eps"),
])
def test_bad_values_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_huggingface(values)


@pytest.mark.parametrize(("content", "message"), [
    (b"{", "not readable JSON"), (b"\xff", "not readable JSON"), (b"[1]", "holds a JSON list"), (None, "no config")])
def test_unreadable_files(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "config.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_json(path)


# What a stranger's file may say

@pytest.mark.parametrize(("name", "value"), [
    ("num_hidden_layers", 10**6), ("num_feedforward_networks", 10**9), ("hidden_size", 10**9), ("vocab_size", 10**12),
    ("hidden_size", [1]), ("num_hidden_layers", {"a": 1}), ("num_hidden_layers", float("inf")),
    ("num_attention_heads", 10**4000), ("hidden_act", ["relu"]), ("normalization_type", {}), ("layer_norm_eps", 1e400),
    ("pad_token_id", 10**4000), ("hidden_dropout_prob", "x"), ("initializer_range", []), ("problem_type", [1])])
def test_what_no_network_has(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name) as caught:
        from_huggingface({**to_huggingface(PRESETS["tiny"]), name: value})
    assert len(str(caught.value)) < 300


def test_a_network_that_fits_no_machine() -> None:
    with pytest.raises(ConfigError, match="parameters; the most is 2,147,483,648"):
        MobileBertConfig(num_hidden_layers=1000, hidden_size=1 << 16, intra_bottleneck_size=1 << 15)
    # As Table 1 of the paper has it, to the biases and normalizations.
    assert 24e6 < MobileBertConfig().parameters < 25.3e6


def test_tensors_are_counted_before_they_are_named() -> None:
    """A table of what this configuration promises would have 1.5 million names."""
    few = random_weights(replace(PRESETS["small"], num_hidden_layers=1, vocab_size=9))
    many = replace(few.config, num_hidden_layers=1000, num_feedforward_networks=250, intermediate_size=1)
    with pytest.raises(WeightsError, match="num_hidden_layers is 1000, but the tensors have 1 blocks"):
        checked(many, few.tensors)
