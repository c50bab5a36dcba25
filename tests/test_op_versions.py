"""Operator versions, against those that TensorFlow's own converter stamps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tflite.first_runtimes import OTHERS
from mobilebert_lite.tflite.flatbuffer import read_model, schema
from mobilebert_lite.tflite.op_versions import (
    FIRST_RUNTIME,
    RULES,
    Signature,
    as_tuple,
    first_runtime,
    needed_version,
    oldest_runtime,
    operator_name,
    stamp_versions,
)


def from_tensorflow(config: MobileBertConfig, mode: str) -> Any:
    """A tiny model as TensorFlow converts and quantizes it, untouched by us."""
    weights = random_weights(config, {"classifier": 3}, pooler=True)
    network = Network(config, weights.tensors, find_task("classification"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([network.signature(16)], network)
    if mode != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if mode == "int8":
        converter.representative_dataset = lambda: iter([[np.ones((1, 16), np.int32)] * 3])
    return read_model(converter.convert())


def operators(model: Any) -> Iterator[tuple[Any, Any]]:
    """Every operator with its subgraph."""
    for subgraph in model.subgraphs:
        for operator in subgraph.operators:
            yield subgraph, operator


@pytest.mark.parametrize(("mode", "change"), [
    ("float", {}), ("float", {"normalization_type": "layer_norm", "hidden_act": "gelu"}),
    ("float16", {}), ("dynamic", {}), ("int8", {}), ("int8", {"hidden_act": "gelu"}),
])
def test_rules_agree_with_tensorflow(tiny_config: MobileBertConfig, mode: str, change: dict[str, str]) -> None:
    """TensorFlow gives all operators of a kind the version that the most demanding of them needs."""
    model = from_tensorflow(replace(tiny_config, num_hidden_layers=1, **change), mode)
    ours: dict[str, int] = {}
    for subgraph, operator in operators(model):
        name = operator_name(model.operatorCodes[operator.opcodeIndex])
        ours[name] = max(ours.get(name, 0), needed_version(model, subgraph, operator))
    assert ours == {operator_name(code): code.version for code in model.operatorCodes}
    # An operator without a rule would keep what TensorFlow stamped: there the comparison were with itself.
    assert set(ours) <= set(RULES)


FLOAT, HYBRID, INT8, INT16 = (("FLOAT32",) * 3, ("FLOAT32", "INT8", "FLOAT32"), ("INT8",) * 3,
                              ("INT16", "INT8", "INT16"))


@pytest.mark.parametrize(("mode", "oldest"), [("int8-full", "2.10.0"), ("none", "2.3.0")])
def test_runtimes_that_compute_wrongly_do_not_count(converted: Callable[[str, str], Path], mode: str, oldest: str
                                                    ) -> None:
    """tflite-runtime 2.9.1 loads int8-full files and gives every text the same answer; 2.10 is right."""
    assert oldest_runtime(read_model(converted("classification", mode).read_bytes())) == oldest


@pytest.mark.parametrize(("kinds", "per_channel", "options", "version"), [
    (FLOAT, False, {}, 1),
    (FLOAT, False, {"keepNumDims": True}, 5),
    (HYBRID, False, {}, 3),
    (HYBRID, False, {"asymmetricQuantizeInputs": True}, 9),
    (HYBRID, False, {"keepNumDims": True}, 5),
    (HYBRID, True, {}, 12),
    (HYBRID, True, {"keepNumDims": True}, 12),
    (INT8, True, {}, 4),
    (INT8, True, {"keepNumDims": True}, 5),
    (INT16, False, {}, 7),
    (INT16, False, {"quantizedBiasType": 9}, 11),
    (INT16, True, {}, 12),
    (("FLOAT32", "INT4", "FLOAT32"), False, {}, 10),
    (("FLOAT32", "INT4", "FLOAT32"), True, {}, 12),
    (("INT16", "INT4", "INT16"), False, {}, 13),
    (("INT8", "INT2", "INT8"), False, {}, 14),
])
def test_versions_of_dense_layers(kinds: tuple[str, str, str], per_channel: bool, options: dict[str, Any],
                                  version: int) -> None:
    """One by one, which TensorFlow's files cannot show: they carry the greatest version of a kind."""
    chosen = schema().FullyConnectedOptionsT()
    for name, value in options.items():
        setattr(chosen, name, value)
    data, weights, out = kinds
    with_bias = Signature((data, weights, "INT32"), (out,), 2, per_channel, chosen)
    assert RULES["FULLY_CONNECTED"](with_bias) == version
    assert RULES["FULLY_CONNECTED"](replace(with_bias, blockwise=True)) == 14
    if version < 6:
        assert RULES["FULLY_CONNECTED"](replace(with_bias, inputs=(data, weights))) == 6


@pytest.mark.parametrize(("source", "target", "version"), [
    ("INT32", "FLOAT32", 1), ("UINT32", "FLOAT32", 2), ("INT8", "FLOAT32", 3), ("FLOAT32", "INT8", 3),
    ("UINT16", "INT32", 4), ("FLOAT16", "FLOAT32", 5), ("INT8", "FLOAT16", 5), ("INT4", "FLOAT32", 6),
    ("BFLOAT16", "INT8", 7),
])
def test_versions_of_casts(source: str, target: str, version: int) -> None:
    """TensorFlow stamps the casts of all masks with what the one of an int8 table needs."""
    assert RULES["CAST"](Signature((source,), (target,), 2, False, None)) == version


def test_stamping_keeps_the_operators(tiny_config: MobileBertConfig) -> None:
    """Each its own, in one code for each version that is needed."""
    model = from_tensorflow(replace(tiny_config, num_hidden_layers=1), "dynamic")
    needed = [(operator_name(model.operatorCodes[operator.opcodeIndex]), needed_version(model, subgraph, operator))
              for subgraph, operator in operators(model)]
    assert stamp_versions(model) == "2.17.0"
    codes = [model.operatorCodes[operator.opcodeIndex] for _, operator in operators(model)]
    assert [(operator_name(code), code.version) for code in codes] == needed
    assert len(model.operatorCodes) == len(set(needed))
    assert {("FULLY_CONNECTED", 12), ("GATHER", 2), ("GATHER", 1)} <= set(needed)


def test_dynamic_dense_layers_with_channel_scales(converted: Callable[[str, str], Path]) -> None:
    """ai-edge-quantizer leaves them at version 1, which runtime 2.14 loads and computes as NaN."""
    model = read_model(converted("classification", "dynamic").read_bytes())
    versions = {code.version for code in model.operatorCodes if operator_name(code) == "FULLY_CONNECTED"}
    assert versions == {12}
    assert oldest_runtime(model) == "2.17.0"


def one_operator(code: int, version: int) -> Any:
    """A model of one operator on one float tensor."""
    types = schema()
    model, subgraph, operator, tensor = types.ModelT(), types.SubGraphT(), types.OperatorT(), types.TensorT()
    kind = types.OperatorCodeT()
    kind.builtinCode, kind.version = code, version
    tensor.type, tensor.shape = types.TensorType.FLOAT32, [1]
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    subgraph.tensors, subgraph.operators = [tensor, tensor], [operator]
    model.operatorCodes, model.subgraphs = [kind], [subgraph]
    return model


def test_an_unknown_operator_keeps_its_version() -> None:
    model = one_operator(schema().BuiltinOperator.UNIQUE, 5)
    assert "UNIQUE" not in (*RULES, *OTHERS)
    assert stamp_versions(model) == "1.5.0"  # the oldest there is: nothing is known about it
    assert [(operator_name(code), code.version) for code in model.operatorCodes] == [("UNIQUE", 5)]


def test_an_operator_of_other_converters_keeps_its_version() -> None:
    model = one_operator(schema().BuiltinOperator.ABS, 5)
    assert "ABS" not in RULES
    assert stamp_versions(model) == "2.12.0"
    assert [(operator_name(code), code.version) for code in model.operatorCodes] == [("ABS", 5)]


def test_a_known_operator_loses_a_version_that_it_does_not_need() -> None:
    model = one_operator(schema().BuiltinOperator.SOFTMAX, 3)
    assert stamp_versions(model) == "1.5.0"
    assert [code.version for code in model.operatorCodes] == [1]


def test_operators_beyond_the_one_byte_field() -> None:
    """Codes above 127 do not fit the field that old readers know; it holds 127 then."""
    gelu = schema().BuiltinOperator.GELU
    model = one_operator(gelu, 1)
    stamp_versions(model)
    assert (model.operatorCodes[0].builtinCode, model.operatorCodes[0].deprecatedBuiltinCode) == (gelu, 127)


def test_first_runtimes() -> None:
    assert first_runtime("FULLY_CONNECTED", 12) == "2.17.0"
    assert first_runtime("FULLY_CONNECTED", 99) is first_runtime("FULLY_CONNECTED", 0) is None
    assert first_runtime("NO_SUCH_OPERATOR", 1) is None
    assert as_tuple("2.14.0") > as_tuple("2.3.0")  # by number, not by letter
    assert set(RULES) <= set(FIRST_RUNTIME)
