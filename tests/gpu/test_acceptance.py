"""Every float, fp16 and dynamic file runs whole on the GPU accelerator, and computes what it computes on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from accelerator import Inputs, parse, run_on_gpu
from conftest import EXHAUSTIVE

from mobilebert_lite.architecture.config import PRESETS, MobileBertConfig
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tasks import TASKS
from mobilebert_lite.tflite.container import read_provenance
from mobilebert_lite.tflite.flatbuffer import read_model

pytestmark = pytest.mark.gpu

LENGTH = 32
# Mode -> what may separate GPU and CPU, of the largest output. The GPU's float16 has a step of 0.1 %, which adds up
# along the layers; in dynamic files the CPU's int8 activations come on top.
ALLOWED = {"none": 0.02, "fp16": 0.02, "dynamic": 0.03}
# Head -> number of outputs.
WIDTHS = {"qa": 2, "classifier": 3, "nsp": 2, "mlm": 0}
# Tasks that read the pooler where there is one.
POOLED = ("classification", "multiple-choice", "next-sentence", "pretraining", "features")
# What changes the graph: a short MobileBERT of the published widths, TINY, and its teacher's kind.
VARIANTS = {"published": {}, "tiny": vars(PRESETS["tiny"]),
            "layer norm": {"normalization_type": "layer_norm", "hidden_act": "gelu", "num_feedforward_networks": 1}}


def cases() -> list[Any]:
    """Every task of the library with and without a pooler, and every variant for one task, with a mode.

    The graph is the same in all modes but for how weights are stored: each in turn, and all of them in `make test-all`.
    """
    found = [(task.name, pooler, "published") for task in TASKS.values()
             for pooler in ((False, True) if task.name in POOLED else (False,))]
    found += [("qa", False, variant) for variant in VARIANTS if variant != "published"]
    modes = list(ALLOWED)
    return [pytest.param(*case, mode, id=f"{case[0]}{'-pooler' * case[1]}-{case[2]}-{mode}")
            for place, case in enumerate(found)
            for mode in (modes if EXHAUSTIVE else [modes[place % len(modes)]])]


@pytest.fixture(scope="module")
def checkpoint(tiny_vocabulary: Sequence[str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``checkpoint("qa", False, "tiny")``: two layers of random weights as transformers writes them."""
    folder = tmp_path_factory.mktemp("checkpoints")

    def make(task: str, pooler: bool, variant: str) -> Path:
        config = replace(MobileBertConfig(**VARIANTS[variant]), vocab_size=len(tiny_vocabulary), num_hidden_layers=2,
                         max_position_embeddings=64, classifier_activation=pooler)
        heads = {head: 1 if task == "multiple-choice" else WIDTHS[head] for head in TASKS[task].heads}
        path = folder / f"{task}-{pooler}-{variant}"
        if not path.exists():
            huggingface.save(random_weights(config, heads, pooler), path, vocabulary=tiny_vocabulary)
        return path

    return make


@pytest.mark.parametrize(("task", "pooler", "variant", "mode"), cases())
def test_whole_and_right(checkpoint: Callable[..., Path], tmp_path: Path, task: str, pooler: bool, variant: str,
                         mode: str) -> None:
    output = tmp_path / "model.tflite"
    convert(ConvertRequest(output, str(checkpoint(task, pooler, variant)), task=task, lengths=(LENGTH,), quantize=mode))
    check(output, mode)


@pytest.mark.parametrize(("name", "mode"), [(name, mode) for name in ("sst2", "snips_qa") for mode in ALLOWED]
                         if EXHAUSTIVE else [("sst2", "dynamic"), ("snips_qa", "fp16")])
def test_trained_checkpoints(shared: Callable[..., Path], tmp_path: Path, name: str, mode: str) -> None:
    """24 and 12 layers at the published widths."""
    output = tmp_path / "model.tflite"
    convert(ConvertRequest(output, str(shared("checkpoints", "trained", name)), lengths=(LENGTH,), quantize=mode))
    check(output, mode)


@pytest.mark.parametrize("mode", ALLOWED if EXHAUSTIVE else ["none"])
def test_bundled_checkpoints(tmp_path: Path, mode: str) -> None:
    """The one for questions, whose scores reach half of what float16 holds, at two lengths in one file."""
    output = tmp_path / "model.tflite"
    convert(ConvertRequest(output, lengths=(LENGTH, LENGTH // 2), quantize=mode))
    check(output, mode)


def check(model: Path, mode: str) -> float:
    """Every operator on the GPU, and the outputs those of the CPU; returns the largest error."""
    given = some_inputs(model)
    accepted = run_on_gpu(model, given)
    assert accepted.rejected == ()
    assert accepted.whole, accepted.counts
    content = model.read_bytes()
    session = Session(content)
    errors = [error(one, session.run(signature, one), actual)
              for signature, rows in given.items()
              for one, actual in zip(rows, accepted.outputs[signature], strict=True)]
    print(f"{mode}, {len(content) / 1e6:.1f} MB: largest error {max(errors):.4f}, mean {np.mean(errors):.4f}; "
          f"{read_provenance(content)['float16']}")
    # Of a random network one text may have small logits, and the share of the largest is then a large one.
    assert np.mean(errors) <= ALLOWED[mode]
    assert max(errors) <= 1.5 * ALLOWED[mode]
    return max(errors)


def error(inputs: dict[str, np.ndarray], expected: dict[str, np.ndarray], actual: dict[str, np.ndarray]) -> float:
    """The largest difference over the largest value, padding left out; infinite for NaN and infinity."""
    mask = inputs["mask"].astype(bool)
    worst = 0.0
    for name, value in expected.items():
        kept = mask if value.shape[:mask.ndim] == mask.shape else slice(None)
        difference = np.abs(actual[name][kept] - value[kept]).max()
        worst = max(worst, float(difference / np.abs(value[kept]).max()) if np.isfinite(difference) else float("inf"))
    return worst


def some_inputs(model: Path) -> Inputs:
    """Random words for every signature but the alias: a full sequence, a short one, one without a second segment."""
    content = model.read_bytes()
    flat, rng = read_model(content), np.random.default_rng(0)
    result = {}
    for definition in flat.signatureDefs[:-1]:
        subgraph = flat.subgraphs[definition.subgraphIndex]
        shapes = {entry.name.decode(): [int(size) for size in subgraph.tensors[entry.tensorIndex].shape]
                  for entry in definition.inputs}
        result[definition.signatureKey.decode()] = [
            one_input(shapes, rng, used, second) for used, second in ((1.0, 0.5), (0.4, 0.2), (0.7, 1.0))]
    return result


def one_input(shapes: dict[str, list[int]], rng: np.random.Generator, used: float, second: float) -> dict[str, Any]:
    """Inputs whose last axis is the sequence: the share ``used`` are words, from the share ``second`` on of segment 1.

    Whatever else a task asks for are places in the sequence.
    """
    place = np.broadcast_to(np.arange(shapes["ids"][-1]) / shapes["ids"][-1], shapes["ids"])
    mask = place < used
    known = {"ids": np.where(mask, rng.integers(5, 250, shapes["ids"]), 0), "mask": mask,
             "segment_ids": mask & (place >= second)}
    return {name: np.asarray(known.get(name, rng.integers(0, int(used * shapes["ids"][-1]), shape)), np.int32)
            for name, shape in shapes.items()}


# The judge itself

def test_a_rejected_operator_is_seen(tmp_path: Path) -> None:
    """GATHER_ND is none of the accelerator's; the dense layer behind it runs on the GPU all the same."""
    def graph(ids: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.gather_nd(tf.constant(np.eye(8, dtype=np.float32)), tf.reshape(ids, [-1, 1]))
        return {"y": tf.matmul(tf.reshape(rows, [1, 4, 8]), tf.constant(np.ones((8, 16), np.float32)))}

    module = tf.Module()
    module.graph = tf.function(graph, input_signature=[tf.TensorSpec([1, 4], tf.int32, name="ids")])
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures={"main": module.graph})
    path = tmp_path / "model.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved")).convert())
    accepted = run_on_gpu(path, {"main": [{"ids": np.array([[1, 2, 3, 4]], np.int32)}]})
    assert not accepted.whole
    assert [line.split(":")[0] for line in accepted.rejected] == ["GATHER_ND"]
    [(on_gpu, on_cpu)] = set(accepted.counts)
    assert on_gpu >= 1
    assert on_cpu >= 1
    assert np.array_equal(accepted.outputs["main"][0]["y"], np.ones((1, 4, 16)))


def test_the_log_is_read() -> None:
    log = ("INFO: one\nERROR: Following operations are not supported by GPU delegate:\nDEQUANTIZE: \n"
           "GATHER: Input / output dtype mismatch.\n217 operations will run on the GPU, and the remaining 102 "
           "operations will run on the CPU.\nI0000 Initializing\n") * 2
    assert parse(log) == (("DEQUANTIZE:", "GATHER: Input / output dtype mismatch."), ((217, 102),) * 2)
    assert parse("INFO: one\n") == ((), ())
