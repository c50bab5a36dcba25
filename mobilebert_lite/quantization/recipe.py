"""Recipes: which operators get which number formats. The recipes are JSON; this validates and applies them.

The arithmetic is ai-edge-quantizer's. Rules apply in order, a later one overriding an earlier one for the
operators that both match.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.common.fields import parse_json
from mobilebert_lite.common.records import record
from mobilebert_lite.errors import ConversionError, DataError, DependencyError, RecipeError, RequestError
from mobilebert_lite.quantization.calibrate import TensorRanges
from mobilebert_lite.tflite.flatbuffer import write_model
from mobilebert_lite.tflite.graph import Graphs
from mobilebert_lite.tflite.op_versions import as_tuple

# What `--quantize` accepts, each a file in recipes/; others there are variants for older runtimes.
MODES = ("none", "fp16", "dynamic", "int8", "int8-full", "int16x8", "int4")

WORD_TABLES = ("float32", "int16", "int8")
# float32: left alone. int8, int4: a scale per channel. int4-block32: one for every 32 inputs of a channel.
# int8-tensor: one scale, for old runtimes.
WEIGHTS = {"float32": 32, "float16": 16, "int8": 8, "int8-tensor": 8, "int4": 4, "int4-block32": 4}
_GRANULARITY = {"int8": "CHANNELWISE", "int4": "CHANNELWISE", "int4-block32": "BLOCKWISE_32"}
# float: weights are widened before use. dynamic: quantized at run time. int8, int16: ranges from calibration.
ACTIVATIONS = {"float": None, "dynamic": None, "int8": 8, "int16": 16}


# What ai-edge-quantizer appends to the name of an output that it widens.
_WIDENED = b"_dequant"
# What we add to the name of the integers behind an output; the quantizer's own "_quantized" stays another one.
NARROW = "_integer"

# What computes outputs that rules choose: dense layers, and the last step of vectors of length 1.
_OF_OUTPUTS = ("FULLY_CONNECTED", "MUL")


@dataclass(frozen=True)
class Rule:
    """Number formats for the operators that match."""

    # Operator as the schema names it, or * for all that the quantizer knows.
    operation: str
    # Number format of constant operands; one of WEIGHTS.
    weights: str
    # One of ACTIVATIONS.
    activations: str
    # Regular expression searched in the names of the operator's outputs.
    outputs: str = ".*"

    def __post_init__(self) -> None:
        _check("weights", self.weights, WEIGHTS)
        _check("activations", self.activations, ACTIVATIONS)
        try:
            re.compile(self.outputs)
        except re.error as error:
            raise RecipeError(f"recipe: outputs {self.outputs!r} is no regular expression: {error}") from None

    def for_quantizer(self) -> dict[str, Any]:
        """The rule in ai-edge-quantizer's form."""
        if self.weights == "float32":
            return {"regex": self.outputs, "operation": self.operation, "algorithm_key": "no_quantize", "op_config": {}}
        half = self.weights == "float16"
        weights = {"num_bits": WEIGHTS[self.weights], "symmetric": True, "dtype": "FLOAT" if half else "INT",
                   "granularity": _GRANULARITY.get(self.weights, "TENSORWISE")}
        algorithm = "float_casting" if half else "min_max_uniform_quantize"
        widened = self.activations == "float"
        config: dict[str, Any] = {"weight_tensor_config": weights, "explicit_dequantize": widened,
                                  "compute_precision": "FLOAT" if widened else "INTEGER",
                                  "skip_checks": False, "min_weight_elements": 0}
        if bits := ACTIVATIONS[self.activations]:
            # int16 activations have no zero point in the kernels (TFLite quantization specification).
            config["activation_tensor_config"] = {"num_bits": bits, "symmetric": bits == 16, "dtype": "INT",
                                                  "granularity": "TENSORWISE"}
        return {"regex": self.outputs, "operation": self.operation, "algorithm_key": algorithm, "op_config": config}


@dataclass(frozen=True)
class Recipe:
    """A validated recipe."""

    name: str
    description: str
    # Format of the word table, which no library quantizes; one of WORD_TABLES.
    word_table: str = "float32"
    # Whether channels are balanced on calibration texts first (fusion.equalize).
    equalize: bool = False
    # Whether GPUs compute the file in float16, so that activations must stay within it (fusion.center_keys; without
    # equalize, which leaves channels of order one whatever their units were, fusion.center).
    float16: bool = False
    # Whether nothing may compute in float: mask and segments are looked up then, the scores of the attention get
    # ranges of their own, and what is left in float is reported.
    integer: bool = False
    # What is added to the scores of padding positions, in place of the checkpoint's own constant; None: that one.
    mask_constant: float | None = None
    # Fusion rules that do not pay in this mode.
    without: tuple[str, ...] = ()
    # The oldest TFLite that runs the result, and the recipe for those before it, if there is one.
    runtime: str = "2.3.0"
    older: str | None = None
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        _check("word_table", self.word_table, WORD_TABLES)
        as_tuple(self.runtime)
        if self.mask_constant is not None and self.mask_constant >= 0:
            raise RecipeError(f"recipe: mask_constant is {self.mask_constant:g}; it must be a number below 0")

    @property
    def activation_bits(self) -> int:
        """The most that a static activation has; 0 without any."""
        return max((ACTIVATIONS[rule.activations] or 0 for rule in self.rules), default=0)

    def masking(self, own: Masking) -> Masking:
        """The checkpoint's ``own`` masking with the constant that this mode needs."""
        return own if own.multiplies or self.mask_constant is None else replace(own, constant=self.mask_constant)

    @property
    def needs_calibration(self) -> bool:
        """Whether ranges of activations must be measured."""
        return self.activation_bits > 0


def _check(key: str, value: str, known: Any) -> None:
    if value not in known:
        raise RecipeError(f"recipe: {key} is {value!r}; known are {', '.join(known)}")


def load_recipe(mode: str, path: Path | None = None, runtime: str | None = None) -> Recipe:
    """The recipe of a ``--quantize`` mode that TFLite ``runtime`` (None: the current one) runs, or the one in ``path``.

    Raises RecipeError when it is not valid, RequestError for an unknown mode, ConversionError when there is none for
    that runtime.
    """
    if path is not None:
        try:
            return parse_recipe(path.stem, path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"cannot read the recipe {path}: {error}") from None
    if mode not in MODES:
        raise RequestError(f"unknown quantization {mode!r}; known are {', '.join(MODES)}")
    recipe = _bundled(mode)
    while runtime is not None and as_tuple(recipe.runtime) > as_tuple(runtime):
        if recipe.older is None:
            raise ConversionError(f"--quantize {mode} needs TFLite {recipe.runtime} or later, not {runtime}; "
                                  "choose another mode or a later --min-runtime")
        recipe = _bundled(recipe.older)
    return recipe


def _bundled(name: str) -> Recipe:
    resource = files("mobilebert_lite.quantization").joinpath(f"recipes/{name}.json")
    return parse_recipe(name, resource.read_text(encoding="utf-8"))


def parse_recipe(name: str, text: str) -> Recipe:
    """A recipe from its JSON text; an unknown key and a value of another type are errors (ConversionError)."""
    try:
        raw = parse_json(text)
    except ValueError as error:
        raise RecipeError(f"recipe {name} is not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise RecipeError(f"recipe {name} must be an object, such as {{\"description\": …, \"rules\": […]}}")
    try:
        return record(Recipe, {**raw, "name": name}, f"recipe {name}")
    except (DataError, RequestError) as error:
        raise RecipeError(str(error)) from None


def apply_recipe(content: bytes, recipe: Recipe, ranges: TensorRanges) -> bytes:
    """The float file ``content`` quantized as ``recipe`` says. ``ranges`` may be empty when it needs none."""
    if not recipe.rules:
        return content
    try:
        from ai_edge_quantizer import quantizer
    except ImportError:
        raise DependencyError("quantizing needs ai-edge-quantizer: pip install 'mobilebert-lite[convert]'") from None
    content, renamed = _with_layers_of_outputs(content)
    statistics = {renamed.get(name, name): {"min": np.array([[[low]]], np.float32),
                                            "max": np.array([[[high]]], np.float32)}
                  for name, (low, high) in ranges.items()}
    try:
        with _silent():
            engine = quantizer.Quantizer(bytearray(content), [rule.for_quantizer() for rule in recipe.rules])
            result = engine.quantize(statistics or None)
    except ValueError as error:  # such as a width that blocks of 32 do not divide
        raise ConversionError(f"the quantizer cannot apply recipe {recipe.name}: {error}") from None
    return bytes(result.quantized_model)


def _with_layers_of_outputs(content: bytes) -> tuple[bytes, dict[str, str]]:
    """``content`` with outputs named after what computes them as well, and their old names → the new ones.

    Rules find an operator by the name of what it computes, and ``logits`` would not say of which layer.
    """
    graphs, renamed = Graphs.read(content), {}
    for subgraph in graphs.subgraphs:
        for operator in subgraph.operators:
            if operator.name in _OF_OUTPUTS and operator.output in subgraph.outputs:
                name = operator.output.name
                renamed[name] = f"{operator.operand(1).name};{name}"
                subgraph.raw.tensors[operator.output.index].name = renamed[name].encode()
    return write_model(graphs.raw) if renamed else content, renamed


def keep_output_names(model: Any) -> None:
    """Outputs as the signatures name them: ``apply_recipe`` adds a layer, the quantizer what it does to them."""
    for definition in model.signatureDefs:
        subgraph = model.subgraphs[definition.subgraphIndex]
        for entry in definition.outputs:
            output = subgraph.tensors[entry.tensorIndex]
            whole = output.name.removesuffix(_WIDENED)
            name = whole.split(b";")[-1]
            for other in subgraph.tensors:
                if other is not output and other.name == whole:
                    other.name = name + NARROW.encode()
            output.name = name


@contextlib.contextmanager
def _silent() -> Any:
    """Without the progress bars and summaries that the quantizer prints."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(level)
