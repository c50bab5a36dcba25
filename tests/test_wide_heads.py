"""The form of the graph for NPUs: what operators it has, and that ranges are measured as in the ordinary form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.form import Form
from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.conversion.building import Design, build
from mobilebert_lite.datasets.samples import Most, samples
from mobilebert_lite.fusion import wide_heads
from mobilebert_lite.fusion.pipeline import fuse, fuse_last
from mobilebert_lite.inspection.parts import ATTENTION, Place, places
from mobilebert_lite.quantization.calibrate import activations, observe, reads_scores
from mobilebert_lite.quantization.recipe import load_recipe
from mobilebert_lite.quantization.score_ranges import score_tensors
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tasks import find_task
from mobilebert_lite.text.examples import TextExample
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.tflite.graph import Graphs

LENGTH, SIGNATURE = 16, "classification_16"


@pytest.fixture(scope="module")
def built(tiny_config: MobileBertConfig, tiny_vocabulary: Sequence[str]) -> dict[tuple[str, bool], bytes]:
    """(mode, whether for NPUs) -> file, and the texts that calibrated it."""
    weights = random_weights(tiny_config.with_labels(["a", "b", "c"]), {"classifier": 3}, pooler=False, seed=1)
    task = find_task("classification")
    files = {}
    for mode in ("none", "int8-full"):
        recipe = load_recipe(mode)
        design = Design(task, [LENGTH], recipe, recipe.masking(Masking()), threads=1)
        for for_npu in (False, True):
            files[mode, for_npu] = build(weights, replace(design, for_npu=for_npu), texts(tiny_vocabulary)).content
    return files


def texts(vocabulary: Sequence[str]) -> Any:
    examples: list[Any] = [TextExample("the salt " * (1 + i)) for i in range(6)]
    return samples(Tokenizer(vocabulary), find_task("classification"), examples, [LENGTH], Most(256, 64))


def inputs(vocabulary: Sequence[str]) -> dict[str, list[dict[str, np.ndarray]]]:
    return {name: [one.inputs() for one in features] for name, features in texts(vocabulary).items()}


def test_answers_are_those_of_the_ordinary_form(built: dict[tuple[str, bool], bytes],
                                                tiny_vocabulary: Sequence[str]) -> None:
    [rows] = inputs(tiny_vocabulary).values()
    for mode, tolerance in (("none", 1e-5), ("int8-full", 0.1)):
        ours, ordinary = (Session(built[mode, for_npu], 1) for for_npu in (True, False))
        for one in rows:
            np.testing.assert_allclose(ours.run(SIGNATURE, one)["probability"],
                                       ordinary.run(SIGNATURE, one)["probability"], atol=tolerance)


@pytest.mark.parametrize("mode", ["none", "int8-full"])
def test_it_has_no_transposition_and_two_products_a_block(built: dict[tuple[str, bool], bytes], mode: str) -> None:
    operators = [one.name for one in Graphs.read(built[mode, True]).subgraphs[0].operators]
    ordinary = [one.name for one in Graphs.read(built[mode, False]).subgraphs[0].operators]
    assert "TRANSPOSE" not in operators
    assert operators.count("BATCH_MATMUL") == 4
    graphs = Graphs.read(built[mode, True])
    assert [places(graphs)[0][one.output.index] for one in graphs.subgraphs[0].operators if one.name == "SOFTMAX"][:2] \
        == [Place(ATTENTION, 0), Place(ATTENTION, 1)]
    assert len(operators) < len(ordinary)


def test_padding_is_left_out_of_ranges(built: dict[tuple[str, bool], bytes], tiny_vocabulary: Sequence[str]) -> None:
    """Every activation has rows for tokens alone: heads for each of them, where it is the attention's."""
    content, heads = built["none", True], 4
    given = inputs(tiny_vocabulary)
    one = next(row for row in given[SIGNATURE] if 2 < row["mask"].sum() < LENGTH)
    used = int(one["mask"].sum())
    seen = dict(activations(content, {SIGNATURE: [one]}, 1))
    subgraph = Graphs.read(content).subgraphs[0]
    counts = {len(value.reshape(-1, value.shape[-1])) for name, value in seen.items()
              if "ffn" in name or "bottleneck" in name}
    # The last block computes one row behind the keys.
    assert counts <= {used, 1}
    assert used in counts
    scores = [tensors[0] for tensors in score_tensors(subgraph)]
    assert len(scores) == sum(reads_scores(operator) for operator in subgraph.operators) == 2
    for _, values in observe(content, Graphs.read(content), {SIGNATURE: [one]}, 1):
        found = [value for _, value in values({tensor.index: 0 for tensor in scores})]
    assert [value.shape for value in found] == [(heads * used, LENGTH), (1, heads, LENGTH)]


def test_choices_keep_the_ordinary_form(tiny_config: MobileBertConfig) -> None:
    weights = random_weights(tiny_config, {"classifier": 1}, pooler=True, seed=1)
    task = find_task("multiple-choice").with_form(Form(choices=2))
    fused = fuse_last(fuse(weights, task), for_npu=True)
    note = next(one for one in fused.notes if one.rule == wide_heads.NAME)
    assert not note.applied
    assert not fused.plan.rows
