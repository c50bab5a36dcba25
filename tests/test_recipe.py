"""Recipes: what is accepted, and what the quantizer makes of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilebert_lite.conversion.lowering import convert_network, rewrite
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.errors import RecipeError, RequestError
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.quantization.calibrate import measure_ranges
from mobilebert_lite.quantization.embedding import LOW, SCALE, TABLE, dequantize_rows, quantize_rows
from mobilebert_lite.quantization.recipe import MODES, Recipe, Rule, apply_recipe, load_recipe, parse_recipe
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tflite.flatbuffer import read_model
from mobilebert_lite.tflite.op_versions import operator_name, stamp_versions, type_name

DENSE = {"operation": "FULLY_CONNECTED", "weights": "int8", "activations": "dynamic"}


@pytest.fixture(scope="module")
def content(tiny_qa: Path) -> bytes:
    """The tiny question-answering model in float, as it comes from the converter."""
    weights = huggingface.load(tiny_qa)
    return convert_network(Network(weights.config, weights.tensors, find_task("qa")), [32])


def dense_layers(content: bytes) -> Counter[tuple[str, str, str]]:
    """(input, weights, output) formats of the dense layers -> count."""
    [subgraph] = (model := read_model(content)).subgraphs
    return Counter(
        tuple(type_name(subgraph.tensors[index]) for index in (*operator.inputs[:2], operator.outputs[0]))
        for operator in subgraph.operators
        if operator_name(model.operatorCodes[operator.opcodeIndex]) == "FULLY_CONNECTED")


# What is accepted

@pytest.mark.parametrize("mode", MODES)
def test_built_in_recipes(mode: str) -> None:
    recipe = load_recipe(mode)
    assert recipe.name == mode
    assert recipe.description.endswith(".")
    assert recipe.needs_calibration == (mode in ("int8", "int8-full", "int16x8"))
    assert recipe.integer == (mode in ("int8-full", "int16x8"))
    # Integer recipes quantize the table with everything else.
    assert recipe.word_table == {"fp16": "int16", "dynamic": "int8", "int8": "int8", "int4": "int8"}.get(
        mode, "float32")


@pytest.mark.parametrize(("recipe", "message"), [
    ("{", "recipe mine is not readable JSON"),
    ("[]", "must be an object, such as"),
    ({"rules": {}}, r"mine\.rules: dict, not a list"),
    ({"bits": 8}, r"recipe mine: unknown field bits; it has .*word_table"),
    ({"rules": [DENSE, {**DENSE, "regex": "x", "algorithm": "y"}]}, r"rules\[1\]: unknown field algorithm, regex"),
    ({"rules": [3]}, r"mine\.rules\[0\]: a JSON int, not an object"),
    ({"rules": [{"operation": "ADD"}]}, r"rules\[0\]: no weights, activations"),
    ({"rules": [{**DENSE, "operation": 3}]}, r"rules\[0\]\.operation is 3; it must be a text"),
    ({"mask_constant": 0}, "mask_constant is 0; it must be a number below 0"),
    ({"equalize": "no"}, "equalize is 'no'; it must be true or false"),
    ({"without": "equalize"}, "without: str, not a list"),
    ({"runtime": 2.14}, "runtime is 2.14; it must be a text"),
    ({"runtime": "latest"}, "'latest' is not a runtime version"),
    ({"rules": [{**DENSE, "weights": "int3"}]}, "weights is 'int3'; known are "),
    ({"rules": [{**DENSE, "activations": "static"}]}, "activations is 'static'; known are float, dynamic"),
    ({"rules": [{**DENSE, "outputs": "("}]}, r"outputs '\(' is no regular expression"),
    ({"word_table": "int4"}, "word_table is 'int4'; known are float32, int16, int8"),
])
def test_refused_recipes(recipe: Any, message: str) -> None:
    text = recipe if isinstance(recipe, str) else json.dumps({"description": "Mine.", **recipe}
                                                             if isinstance(recipe, dict) else recipe)
    with pytest.raises(RecipeError, match=message):
        parse_recipe("mine", text)


def test_where_recipes_are_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"description": "Mine.", "rules": [DENSE]}))
    assert load_recipe("ignored", path) == Recipe("mine", "Mine.", rules=(Rule(**DENSE),))
    with pytest.raises(RecipeError, match=r"cannot read the recipe .*absent\.json: .*No such file"):
        load_recipe("int8", tmp_path / "absent.json")
    with pytest.raises(RequestError, match=r"unknown quantization 'int3'; known are none, .*int8, int8-full, "):
        load_recipe("int3")


@pytest.mark.parametrize(("activations", "needed"), [("float", False), ("dynamic", False), ("int8", True),
                                                     ("int16", True)])
def test_what_needs_calibration(activations: str, needed: bool) -> None:
    rules = (Rule("ADD", "int8", "dynamic"), Rule("FULLY_CONNECTED", "int8", activations))
    assert Recipe("mine", "", rules=rules).needs_calibration == needed


# What the quantizer makes of them

def test_no_rules_no_change(content: bytes) -> None:
    assert apply_recipe(content, load_recipe("none"), {}) is content
    assert set(dense_layers(content)) == {("FLOAT32", "FLOAT32", "FLOAT32")}


def test_a_later_rule_overrides_an_earlier_one(content: bytes) -> None:
    """Broad rule first, exception after; the other way round the exception never applies."""
    broad, exception = Rule("FULLY_CONNECTED", "int8", "dynamic"), Rule("FULLY_CONNECTED", "float16", "float",
                                                                        r"layers\.1\.ffn\.0\.intermediate")
    total = dense_layers(content).total()
    dynamic = ("FLOAT32", "INT8", "FLOAT32")
    assert dense_layers(apply_recipe(content, Recipe("mine", "", rules=(broad, exception)), {})) == {
        dynamic: total - 1, ("FLOAT32", "FLOAT32", "FLOAT32"): 1}  # float16 weights are widened first
    assert dense_layers(apply_recipe(content, Recipe("mine", "", rules=(exception, broad)), {})) == {dynamic: total}


def test_the_quantizer_prints_nothing(content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    apply_recipe(content, load_recipe("dynamic"), {})
    assert capfd.readouterr() == ("", "")


def test_ranges_are_the_extremes(content: bytes) -> None:
    """Of every input; zero is always within."""
    rng = np.random.default_rng(1)
    rows = [{"ids": rng.integers(5, 200, (1, 32), np.int32), "mask": np.ones((1, 32), np.int32),
             "segment_ids": np.zeros((1, 32), np.int32)} for _ in range(3)]
    each = [measure_ranges(content, {"qa_32": [row]}) for row in rows]
    together = measure_ranges(content, {"qa_32": rows})
    assert together.keys() == each[0].keys()
    assert len(together) > 50
    for name, (low, high) in together.items():
        assert low == min(ranges[name][0] for ranges in each) <= 0
        assert high == max(ranges[name][1] for ranges in each) >= 0


# The word table

ROWS = np.array([[1.0, -0.5, 0.0], [1e-3, 5e-4, -1e-3], [0.0, 0.0, 0.0]], np.float32)


def test_every_row_has_its_own_scale() -> None:
    quantized = quantize_rows({TABLE: ROWS, "other": ROWS}, "int8")
    assert quantized["other"] is ROWS
    assert quantized[TABLE].dtype == np.int8
    assert quantized[TABLE].tolist() == [[127, -64, 0], [127, 64, -127], [0, 0, 0]]
    # Half a step of each row: 1/254 of its largest value.
    error = np.abs(quantized[TABLE] * quantized[SCALE] - ROWS)
    assert (error <= np.abs(ROWS).max(1, keepdims=True) / 254 * 1.001).all()
    assert LOW not in quantized


def test_sixteen_bits_in_two_tables() -> None:
    """Half a step is 1/65,024 of the row's largest value, also where the low byte carries into the high one."""
    table = np.concatenate([ROWS, np.linspace(-1, 1, 3 * 4096, dtype=np.float32).reshape(-1, 3)])
    quantized = quantize_rows({TABLE: table}, "int16")
    assert quantized[TABLE].dtype == quantized[LOW].dtype == np.int8
    assert {int(quantized[LOW].min()), int(quantized[LOW].max())} == {-128, 127}
    wide = (quantized[TABLE].astype(np.float64) * 256 + quantized[LOW]) * quantized[SCALE] / 256
    assert (np.abs(wide - table) <= np.abs(table).max(1, keepdims=True) / 65024 * 1.01).all()


@pytest.mark.parametrize("word_table", ["int8", "int16"])
def test_rows_are_widened_without_a_cast_of_int8(tiny_qa: Path, word_table: str) -> None:
    """And the numbers are the same as with it."""
    weights = huggingface.load(tiny_qa)
    tensors = quantize_rows(weights.tensors, word_table)
    before = convert_network(Network(weights.config, tensors, find_task("qa")), [32])
    after = rewrite(before, lambda model: (dequantize_rows(model), stamp_versions(model)))
    assert casts(before).count("INT8") == casts(after).count("INT8") + len(tensors) - len(weights.tensors)
    assert set(casts(after)) == {"INT32"}
    inputs = {"ids": np.arange(32, dtype=np.int32)[None], "mask": np.ones((1, 32), np.int32),
              "segment_ids": np.zeros((1, 32), np.int32)}
    expected, actual = (Session(content).run("qa_32", inputs) for content in (before, after))
    for name, value in expected.items():
        assert np.array_equal(actual[name], value)


def casts(content: bytes) -> list[str]:
    """What each CAST reads."""
    [subgraph] = (model := read_model(content)).subgraphs
    return [type_name(subgraph.tensors[operator.inputs[0]]) for operator in subgraph.operators
            if operator_name(model.operatorCodes[operator.opcodeIndex]) == "CAST"]
