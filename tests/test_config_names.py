"""Names that other writers give to activations, and keys that they add."""

from __future__ import annotations

from collections.abc import Callable
from math import erf

import numpy as np
import pytest
import tensorflow as tf

from mobilebert_lite.architecture.config import MobileBertConfig, from_huggingface, from_tensorflow1, to_tensorflow1
from mobilebert_lite.architecture.config_names import HUGGINGFACE_ACTIVATIONS, SILENT_KEYS, TENSORFLOW_ACTIVATIONS
from mobilebert_lite.converters.names.architectures import with_task
from mobilebert_lite.errors import ConfigError
from mobilebert_lite.graph.ops import activation

X = np.linspace(-9, 9, 1001)


def tanh_form(x: np.ndarray) -> np.ndarray:
    """gelu of google-research/mobilebert's modeling code."""
    return x * 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))


def exact_form(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2)))


# As transformers' activations.py computes them.
FORMULAS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0), "relu6": lambda x: np.clip(x, 0, 6),
    "gelu": exact_form, "gelu_python": exact_form, "gelu_new": tanh_form, "gelu_pytorch_tanh": tanh_form,
    "gelu_python_tanh": tanh_form, "gelu_accurate": tanh_form,
    "gelu_fast": lambda x: 0.5 * x * (1 + np.tanh(x * 0.7978845608 * (1 + 0.044715 * x * x))),
}


def test_all_names_have_a_formula() -> None:
    assert FORMULAS.keys() == HUGGINGFACE_ACTIVATIONS.keys() == TENSORFLOW_ACTIVATIONS.keys()


@pytest.mark.parametrize("name", FORMULAS)
def test_what_transformers_calls_an_activation(name: str) -> None:
    ours = from_huggingface({"hidden_act": name}).hidden_act
    actual = activation(tf.constant(X), ours).numpy()
    # float64. TensorFlow rounds a constant of the exact form to nine digits, transformers that of gelu_fast to ten; the
    # two forms differ by 5e-4.
    assert np.abs(actual - FORMULAS[name](X)).max() < 1e-7


@pytest.mark.parametrize(("name", "formula"), [("relu", "relu"), ("relu6", "relu6"), ("ReLU6", "relu6"),
                                               ("gelu", "gelu_new"), ("gelu_new", "gelu_new")])
def test_what_tensorflow_calls_an_activation(name: str, formula: str) -> None:
    config = from_tensorflow1({"vocab_size": 9, "hidden_act": name})
    assert np.abs(activation(tf.constant(X), config.hidden_act).numpy() - FORMULAS[formula](X)).max() < 1e-7


@pytest.mark.parametrize("name", ["quick_gelu", "gelu_10", "silu", "tanh", "linear", None, 6])
def test_other_functions_are_refused_by_name(name: object) -> None:
    """Null in a bert_config.json is a value left out, as everywhere else."""
    for read in (from_huggingface, from_tensorflow1):
        if name is None:
            assert read({"vocab_size": 9, "hidden_act": name}).hidden_act in ("relu", "gelu_new")
            continue
        with pytest.raises(ConfigError, match=f"hidden_act is {name!r}; known are relu, relu6, gelu, gelu_new"):
            read({"vocab_size": 9, "hidden_act": name})


PUBLISHED = to_tensorflow1(MobileBertConfig())


@pytest.mark.parametrize("key", SILENT_KEYS)
def test_a_key_that_changes_nothing(key: str) -> None:
    values = SILENT_KEYS[key] or (3, "first", None, True)
    for value in values:
        assert from_tensorflow1({**PUBLISHED, key: value}) == MobileBertConfig()


@pytest.mark.parametrize(("key", "value"), [("directionality", "unidi"), ("pooler_type", "mean"),
                                            ("position_embedding_type", "relative_key"), ("is_decoder", True)])
def test_a_value_that_would_change_something(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"bert_config: {key} is {value!r}; a MobileBERT is only"):
        from_tensorflow1({**PUBLISHED, key: value})


def test_keys_that_describe_the_network_are_read() -> None:
    raw = {**PUBLISHED, "model_type": "mobilebert", "layer_norm_eps": 1e-5, "pad_token_id": 2,
           "id2label": {"0": "no", "1": "yes"}, "problem_type": "single_label_classification",
           "architectures": ["MobileBertForSequenceClassification"]}
    config = with_task(from_tensorflow1(raw), raw)
    assert (config.layer_norm_eps, config.pad_token_id, config.labels) == (1e-5, 2, ("no", "yes"))
    assert (config.problem_type, config.task) == ("single_label_classification", "classification")
    with pytest.raises(ConfigError, match="model_type is 'bert'"):
        from_tensorflow1({**PUBLISHED, "model_type": "bert"})
    with pytest.raises(ConfigError, match=r"unknown keys num_blocks$"):
        from_tensorflow1({**PUBLISHED, "num_blocks": 2, "directionality": "bidi"})
