"""Every tensor of a file: place, size, quantization."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobilebert_lite.inspection.parts import Place, place_of_name
from mobilebert_lite.inspection.report import inspect
from mobilebert_lite.running.runtime import load_runtime
from mobilebert_lite.tflite import container as metadata

Converted = Callable[[str, str], Path]


@pytest.mark.parametrize(("name", "place"), [
    ("layers.3.bottleneck.attention-attention.value-bottleneck.input/MatMul", Place("bottlenecks and values", 3)),
    ("layers.11.attention.query-attention.key/add", Place("attention", 11)),
    ("Relu;layers.0.ffn.2.intermediate/add", Place("feed-forward", 0)),
    ("layers.0.output/MatMul", Place("bottlenecks and values", 0)),
    ("embeddings.projection/MatMul1", Place("embedding")),
    ("head/add_1", Place("head")),
    ("start_logits", Place("head")),
    ("Softmax_3", None),
    # Hugging Face's TensorFlow classes, Google's graph, transformers' tensors.
    ("tf_mobile_bert/mobilebert/encoder/layer_._7/attention/self/query/MatMul", Place("attention", 7)),
    ("tf_mobile_bert/mobilebert/encoder/layer_._7/ffn.1/intermediate/dense/MatMul", Place("feed-forward", 7)),
    ("tf_mobile_bert/mobilebert/encoder/layer_._7/bottleneck/input/dense/MatMul",
     Place("bottlenecks and values", 7)),
    ("bert/encoder/layer_12/ffn_layer_2/output/dense/kernel", Place("feed-forward", 12)),
    ("bert/encoder/layer_0/output/dense/kernel", Place("feed-forward", 0)),
    ("bert/embeddings/word_embeddings", Place("word table")),
    ("mobilebert.embeddings.position_embeddings.weight", Place("positions")),
    ("cls/predictions/transform/dense/kernel", Place("head")),
])
def test_places_by_name(name: str, place: Place | None) -> None:
    assert place_of_name(name) == place


@pytest.mark.parametrize(("task", "mode"), [("qa", "int8"), ("classification", "fp16")])
def test_sizes_make_up_the_file(converted: Converted, task: str, mode: str) -> None:
    path = converted(task, mode)
    found = inspect(path)
    assert sum(part.bytes for part in found.parts) == path.stat().st_size
    sizes = {part.part: part for part in found.parts}
    assert all(part.bytes > 0 and sum(part.bytes_by_type.values()) in (0, part.bytes) for part in found.parts)
    for name, content in metadata.read_files(path.read_bytes()).items():
        assert sizes[f"file {name}"].bytes == len(content)
    vocabulary, width, bytes_each = 270, 16, {"int8": 1, "fp16": 2}[mode]
    # One float scale a row, and nothing else.
    assert sizes["word table"].bytes == vocabulary * (width * bytes_each + 4)
    # Two blocks of two networks of 16 × 64 and back.
    assert sizes["feed-forward"].bytes_by_type[{"int8": "INT8", "fp16": "FLOAT16"}[mode]] == 8 * 16 * 64 * bytes_each
    assert sizes["positions"].bytes >= 48 * 64 * bytes_each
    assert {"attention", "bottlenecks and values", "embedding", "head"} <= sizes.keys()


def test_constants_are_counted_once(converted: Converted) -> None:
    """The second signature shares them all."""
    tensors = inspect(converted("qa", "int8")).tensors
    second = [tensor for tensor in tensors if tensor.subgraph == 1]
    assert len(second) > 100
    assert {tensor.dtype for tensor in second if tensor.bytes} == {"INT32"}
    assert sum(tensor.bytes for tensor in second) < 200
    # Names are left out there; places are not.
    assert {tensor.part for tensor in second if tensor.layer == 1} == {"attention", "feed-forward",
                                                                       "bottlenecks and values"}


def test_quantization_is_what_the_runtime_reads(converted: Converted) -> None:
    path = converted("qa", "int8")
    details = {one["index"]: one for one in _details(path)}
    ours = {tensor.index: tensor for tensor in inspect(path).tensors if tensor.subgraph == 0}
    seen = set()
    for index, tensor in ours.items():
        theirs = details[index]["quantization_parameters"]
        if tensor.quantization is None:
            assert not len(theirs["scales"])
            continue
        q = tensor.quantization
        assert (q.scales, q.scale_min, q.scale_max) == (
            len(theirs["scales"]), theirs["scales"].min(), theirs["scales"].max())
        assert (q.zero_point_min, q.zero_point_max) == (theirs["zero_points"].min(), theirs["zero_points"].max())
        assert q.axis == (theirs["quantized_dimension"] if q.scales > 1 else None)
        if tensor.dtype == "INT8":
            ends = [theirs["scales"] * (integer - theirs["zero_points"]) for integer in (-128, 127)]
            assert (q.real_min, q.real_max) == pytest.approx((ends[0].min(), ends[1].max()))
        else:
            assert (tensor.dtype, q.real_min) == ("INT32", None)
        seen.add((tensor.role, q.scales > 1))
    assert seen == {("constant", True), ("constant", False), ("activation", False)}


def _details(path: Path) -> list[dict[str, Any]]:
    interpreter = load_runtime()[1].Interpreter(str(path))
    found: list[dict[str, Any]] = interpreter.get_tensor_details()
    return found


def test_order_is_that_of_execution(converted: Converted) -> None:
    tensors = [tensor for tensor in inspect(converted("qa", "int8")).tensors if tensor.subgraph == 0]
    producers = [int(tensor.producer.split()[1]) for tensor in tensors if tensor.producer]
    assert producers == sorted(producers)
    assert {tensor.role for tensor in tensors if not tensor.producer} == {"constant", "input"}
    assert sorted(tensor.index for tensor in tensors) == sorted({tensor.index for tensor in tensors})
