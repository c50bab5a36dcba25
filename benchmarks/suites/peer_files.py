"""The files that the comparison times, all of one seeded network for question answering: ours, and what people make.

"stock" is TensorFlow's converter on the unfused graph; "aeq" is ai-edge-quantizer's own recipe on the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import tensorflow as tf

from mobilebert_lite.converters.tflite import convert_network, rewrite
from mobilebert_lite.fusion import equalise
from mobilebert_lite.fusion.pipeline import fuse, fuse_last
from mobilebert_lite.graph.attention import MASK_CONSTANT
from mobilebert_lite.graph.names import signature_name
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.quantization.calibrate import measure_ranges
from mobilebert_lite.quantization.embedding import dequantise_rows, quantise_rows
from mobilebert_lite.quantization.recipe import Recipe, Rule, apply_recipe, load_recipe
from mobilebert_lite.weights import Weights

Inputs = dict[str, np.ndarray]


def texts(length: int, words: int, count: int = 4) -> list[Inputs]:
    """Sequences without padding: the time does not depend on what the ids are."""
    rng = np.random.default_rng(0)
    return [{"ids": rng.integers(0, words, (1, length), np.int32), "mask": np.ones((1, length), np.int32),
             "segment_ids": (np.arange(length) >= 16).astype(np.int32)[None]} for _ in range(count)]


def ours(weights: Weights, length: int, mode: str) -> bytes:
    """What `mbl convert --quantize MODE` makes."""
    recipe, inputs = load_recipe(mode), texts(length, weights.config.vocab_size)
    fused = fuse(weights, "qa", recipe.without)
    if recipe.equalise:
        fused = equalise.apply(fused, Network(weights.config, fused.tensors, "qa", plan=fused.plan)
                               .channel_ranges(inputs))
    fused = fuse_last(fused, recipe.without)
    narrow = recipe.word_table != "float32"
    tensors = quantise_rows(fused.tensors, recipe.word_table) if narrow else fused.tensors
    content = convert_network(Network(weights.config, tensors, "qa", plan=fused.plan), [length])
    ranges = measure_ranges(content, {signature_name("qa", length): inputs}) if recipe.needs_calibration else {}
    content = apply_recipe(content, recipe, ranges)
    return rewrite(content, dequantise_rows) if narrow else content


def stock(weights: Weights, length: int, kind: str, calibration: list[Inputs] | None = None,
          mask_constant: float = MASK_CONSTANT) -> bytes:
    """TensorFlow's converter on the unfused graph: float, dynamic or static int8, calibrated with random texts or with
    ``calibration``."""
    network = Network(weights.config, weights.tensors, "qa", mask_constant)
    name = signature_name("qa", length)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(network, folder, signatures={name: network.signature(length)})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[name])
        if kind != "float":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "static":
            def representative() -> Iterator[tuple[str, Inputs]]:
                yield from ((name, one) for one in calibration or texts(length, weights.config.vocab_size))
            converter.representative_dataset = representative
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        content: bytes = converter.convert()
        return content


def aeq_dynamic(weights: Weights, length: int) -> bytes:
    """ai-edge-quantizer's dynamic_wi8_afp32 on the unfused graph."""
    content = convert_network(Network(weights.config, weights.tensors, "qa"), [length])
    return apply_recipe(content, Recipe("aeq", "", rules=(Rule("*", "int8", "dynamic"),)), {})


FILES: dict[str, Callable[[Weights, int], bytes]] = {
    "stock float": partial(stock, kind="float"),
    "stock dynamic": partial(stock, kind="dynamic"),
    "stock static int8": partial(stock, kind="static"),
    "aeq dynamic": aeq_dynamic,
    "mbl none": partial(ours, mode="none"),
    "mbl dynamic": partial(ours, mode="dynamic"),
    "mbl int8": partial(ours, mode="int8"),
}
