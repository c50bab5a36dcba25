"""Runtimes older than the newest: which files they load, and that they compute the same from those."""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import EXHAUSTIVE, LENGTHS, need_old_runtime
from graphs import dense_layers

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.errors import ConversionError
from mobilebert_lite.inspection.report import inspect
from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite.flatbuffer import read_model
from mobilebert_lite.tflite.op_versions import as_tuple

Converted = Callable[[str, str], Path]
Inputs = dict[int, list[dict[str, np.ndarray]]]

LOGITS = ("end_logits", "start_logits")


def run_apart(path: Path, runtime: str, inputs: Inputs, folder: Path) -> list[dict[str, np.ndarray]]:
    """Outputs of ``path`` for every input in a process of its own: tflite-runtime's library does not live in one
    process with TensorFlow's."""
    code = ("import pickle, sys\n"
            "from mobilebert_lite.running.runtime import Session\n"
            "path, runtime, task, inputs, outputs = sys.argv[1:]\n"
            "session = Session(open(path, 'rb').read(), runtime=runtime)\n"
            "rows = pickle.load(open(inputs, 'rb'))\n"
            "done = [session.run(f'{task}_{length}', row) for length in rows for row in rows[length]]\n"
            "pickle.dump(done, open(outputs, 'wb'))")
    (folder / "inputs").write_bytes(pickle.dumps(inputs))
    subprocess.run([sys.executable, "-c", code, path, runtime, path.name.split("-")[0], folder / "inputs",
                    folder / "outputs"], check=True, timeout=300, stderr=subprocess.DEVNULL)
    result: list[dict[str, np.ndarray]] = pickle.loads((folder / "outputs").read_bytes())
    return result


def logit_step(path: Path) -> float:
    """What one int8 step of the last dense layers is worth in logits."""
    model = read_model(path.read_bytes())
    steps = []
    for subgraph in model.subgraphs:
        made_by = {int(operator.outputs[0]): operator for operator in subgraph.operators}
        for index in subgraph.outputs:
            while (quantization := subgraph.tensors[index].quantization) is None or quantization.scale is None:
                index = made_by[int(index)].inputs[0]
            steps.append(float(quantization.scale[0]))
    return max(steps)


@pytest.fixture(scope="module")
def static(tiny_qa: Path, tiny_questions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every dense layer in static int8, by a recipe of one's own."""
    folder = tmp_path_factory.mktemp("static")
    (folder / "static.json").write_text(json.dumps({
        "description": "All static.", "word_table": "int8",
        "rules": [{"operation": "FULLY_CONNECTED", "weights": "int8", "activations": "int8"}]}))
    convert(ConvertRequest(folder / "qa-static.tflite", str(tiny_qa), lengths=LENGTHS, recipe=folder / "static.json",
                    calibration=tiny_questions))
    return folder / "qa-static.tflite"


@pytest.mark.parametrize("mode", ["none", "fp16", "static"])
def test_the_old_runtime_computes_the_same(request: pytest.FixtureRequest, converted: Converted, tiny_inputs: Inputs,
                                           mode: str, tmp_path: Path) -> None:
    """tflite-runtime 2.14 against ai-edge-litert.

    Float: 1e-5, some ten float32 steps at 1. int8: each runtime rounds every dense layer in its own way, one step
    apart at most, and an early step moves later ones: three steps on a logit are allowed, two are seen, and less
    than one on average.
    """
    need_old_runtime()
    path = request.getfixturevalue("static") if mode == "static" else converted("qa", mode)
    new, old = (run_apart(path, runtime, tiny_inputs, tmp_path) for runtime in ("ai-edge-litert", "tflite-runtime"))
    step = logit_step(path) if mode == "static" else 0.0
    masks = [row["mask"].astype(bool) for rows in tiny_inputs.values() for row in rows]
    for mask, expected, actual in zip(masks, new, old, strict=True):
        for name in LOGITS:
            error = np.abs(actual[name] - expected[name])[mask]
            assert error.max() <= 1e-5 + 3 * step
            assert error.mean() <= 1e-5 + step


@pytest.mark.parametrize(("mode", "task"), [
    (mode, task) for i, mode in enumerate(["none", "fp16", "dynamic", "int8", "int8-full", "int16x8"])
    for j, task in enumerate(["qa", "classification"]) if EXHAUSTIVE or i % 2 == j])
def test_old_runtimes_refuse_what_they_would_compute_wrongly(converted: Converted, task: str, mode: str) -> None:
    """A file loads in 2.14 exactly if it says so. Stamped as an older version, a dynamic one would return NaN."""
    need_old_runtime()
    path = converted(task, mode)
    code = ("import sys\nfrom mobilebert_lite.errors import ModelFileError\n"
            "from mobilebert_lite.running.runtime import Session\n"
            "try: Session(open(sys.argv[1], 'rb').read(), runtime='tflite-runtime')\n"
            "except ModelFileError as error: print(error)")
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=300, check=True)
    needed = metadata.read_provenance(path.read_bytes())["min_runtime_version"]
    if as_tuple(needed) <= (2, 14, 0):
        assert done.stdout == ""
    else:
        assert "tflite-runtime refuses the model: Didn't find op for builtin opcode 'FULLY_CONNECTED'" in done.stdout
    assert (needed == "2.17.0") or mode not in ("dynamic", "int16x8")


@pytest.mark.parametrize("mode", ["dynamic", "int8", "int8-full", "int16x8"] if EXHAUSTIVE else ["dynamic", "int8"])
def test_variants_for_an_old_runtime(mode: str, tiny_qa: Path, tiny_questions: Path, tiny_inputs: Inputs,
                                     tmp_path: Path) -> None:
    """With ``runtime`` the file loads in tflite-runtime 2.14 and computes there what it computes in the current one.

    The old runtime rounds the inputs of dynamic layers and the sums of int8 additions in its own way. Seen are
    mean differences of 1.4 % (dynamic) and 0.7 % (int8) of the largest logit; 3 % is what conversion itself may cost.
    """
    need_old_runtime()
    path = tmp_path / "qa-old.tflite"
    convert(ConvertRequest(path, str(tiny_qa), lengths=LENGTHS, quantize=mode, calibration=tiny_questions,
                           runtime="2.14.0"))
    assert as_tuple(metadata.read_provenance(path.read_bytes())["min_runtime_version"]) <= (2, 14, 0)
    new, old = (run_apart(path, runtime, tiny_inputs, tmp_path) for runtime in ("ai-edge-litert", "tflite-runtime"))
    masks = [row["mask"].astype(bool) for rows in tiny_inputs.values() for row in rows]
    errors = [np.abs(actual[name] - expected[name])[mask].max() / np.abs(expected[name][mask]).max()
              for mask, expected, actual in zip(masks, new, old, strict=True) for name in LOGITS]
    print(f"{mode}: {np.mean(errors):.4f}")
    assert np.mean(errors) <= 0.03


def test_no_variant_for_a_runtime_before_any(tiny_qa: Path, tiny_questions: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"needs TFLite 2\.10\.0 or later, not 1\.14"):
        convert(ConvertRequest(tmp_path / "m.tflite", str(tiny_qa), lengths=LENGTHS, quantize="int8", runtime="1.14",
                        calibration=tiny_questions))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def int4(tiny_config: MobileBertConfig, tiny_vocabulary: Sequence[str], tiny_questions: Path,
         tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``int4("int4")``: a model of widths that blocks of 32 divide, with that format of weights."""
    folder = tmp_path_factory.mktemp("int4")
    config = replace(tiny_config, embedding_size=32, intra_bottleneck_size=32, num_attention_heads=2)
    huggingface.save(random_weights(config, {"qa": 2}, seed=15), folder / "checkpoint", vocabulary=tiny_vocabulary)

    def make(weights: str, runtime: str | None = None) -> Path:
        recipe, path = folder / "mine.json", folder / f"qa-{weights}.tflite"
        recipe.write_text(json.dumps({"description": "Mine.", "rules": [
            {"operation": "FULLY_CONNECTED", "weights": weights, "activations": "dynamic"}]}))
        convert(ConvertRequest(path, str(folder / "checkpoint"), lengths=(32,), quantize="int4", runtime=runtime,
                        recipe=None if weights == "int4-block32" else recipe, calibration=tiny_questions))
        return path

    return make


@pytest.mark.slow
@pytest.mark.parametrize(("weights", "needed"), [("int4", "2.17.0"), ("int4-block32", "2.21.0")])
def test_int4_is_refused_where_it_would_be_wrong(int4: Callable[..., Path], weights: str, needed: str,
                                                 tmp_path: Path) -> None:
    """2.14 loads both when they are stamped as version 10, and reads the first scale for all: 41 % off and more."""
    need_old_runtime()
    path = int4(weights)
    assert ("FLOAT32", "INT4", "FLOAT32") in dense_layers(read_model(path.read_bytes()))
    assert metadata.read_provenance(path.read_bytes())["min_runtime_version"] == needed
    scales = [(tensor.quantization, math.prod(tensor.shape)) for tensor in inspect(path).tensors
              if tensor.dtype == "INT4"]
    assert scales
    for one, elements in scales:
        assert one is not None
        assert one.block == (32 if weights == "int4-block32" else None)
        assert one.block is None or one.scales == elements // one.block
        assert 0 < one.scale_min <= one.scale_max < 1
    with pytest.raises(subprocess.CalledProcessError):
        run_apart(path, "tflite-runtime", {}, tmp_path)
    run_apart(path, "ai-edge-litert", {}, tmp_path)
    with pytest.raises(ConversionError, match=rf"needs TFLite {needed}"):
        int4(weights, "2.14.0")


def test_blocks_must_divide_the_widths(tiny_qa: Path, tiny_questions: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"cannot apply recipe int4: .*not divisible by block size 32"):
        convert(ConvertRequest(tmp_path / "qa.tflite", str(tiny_qa), lengths=(32,), quantize="int4",
                        calibration=tiny_questions))
    assert list(tmp_path.iterdir()) == []
