"""The files that the comparison times, all of one seeded network for question answering: ours, and what people make.

"stock" is TensorFlow's converter on the unfused graph; "aeq" is ai-edge-quantizer's own recipe on the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf

from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.conversion.building import Design, build
from mobilebert_lite.conversion.lowering import convert_network, rewrite
from mobilebert_lite.graph.names import signature_name
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.quantization.recipe import Recipe, Rule, apply_recipe, load_recipe
from mobilebert_lite.tasks import find_task
from mobilebert_lite.text.features import Features
from mobilebert_lite.tflite.edits import set_metadata

Inputs = dict[str, np.ndarray]


def texts(length: int, words: int, count: int = 4) -> list[Features]:
    """Sequences without padding: the time does not depend on what the ids are."""
    rng = np.random.default_rng(0)
    return [Features(ids=rng.integers(0, words, length, np.int32), mask=np.ones(length, np.int32),
                     segment_ids=(np.arange(length) >= 16).astype(np.int32), offsets=np.zeros((length, 2), np.int32),
                     words=np.zeros((length, 2), np.int32), max_context=np.ones(length, bool)) for _ in range(count)]


def ours(weights: Weights, length: int, mode: str, path: Path | None = None) -> bytes:
    """What `mbl convert --quantize MODE` makes, before it is verified and packed; or by the recipe at ``path``."""
    recipe, task = load_recipe(mode, path), find_task("qa")
    calibration = {signature_name(task.name, length): texts(length, weights.config.vocab_size)}
    return build(weights, Design(task, [length], recipe, recipe.masking(Masking())), calibration).content


def stock(weights: Weights, length: int, kind: str, calibration: list[Inputs] | None = None,
          masking: Masking | None = None) -> bytes:
    """TensorFlow's converter on the unfused graph: float, dynamic or static int8, calibrated with random texts or with
    ``calibration``."""
    network = Network(weights.config, weights.tensors, find_task("qa"), masking)
    name = signature_name("qa", length)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(network, folder, signatures={name: network.signature(length)})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[name])
        if kind != "float":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "static":
            given = calibration or [one.inputs() for one in texts(length, weights.config.vocab_size)]

            def representative() -> Iterator[tuple[str, Inputs]]:
                yield from ((name, one) for one in given)
            converter.representative_dataset = representative
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        content: bytes = converter.convert()
        return content


def aeq_dynamic(weights: Weights, length: int) -> bytes:
    """ai-edge-quantizer's dynamic_wi8_afp32 on the unfused graph."""
    content = convert_network(Network(weights.config, weights.tensors, find_task("qa")), [length])
    return apply_recipe(content, Recipe("aeq", "", rules=(Rule("*", "int8", "dynamic"),)), {})


def with_half_precision(content: bytes) -> bytes:
    """The file with the entry by which XNNPACK computes its float parts in float16 where the processor can."""
    return rewrite(content, lambda model: set_metadata(model, "reduced_precision_support", b"fp16accfp16"))


FILES: dict[str, Callable[[Weights, int], bytes]] = {
    "stock float": partial(stock, kind="float"),
    "stock dynamic": partial(stock, kind="dynamic"),
    "stock static int8": partial(stock, kind="static"),
    "aeq dynamic": aeq_dynamic,
    "mbl none": partial(ours, mode="none"),
    "mbl dynamic": partial(ours, mode="dynamic"),
    "mbl int8": partial(ours, mode="int8"),
}
