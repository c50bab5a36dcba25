"""Layers with equal kernels, which TensorFlow would store once or merge: a file has all of them, each in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from conftest import EXHAUSTIVE

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.form import Form
from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.weights import Weights, random_weights
from mobilebert_lite.conversion.building import Design, draw
from mobilebert_lite.conversion.kernels import KernelPlace, place_of_weight
from mobilebert_lite.datasets.samples import Most, samples
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.quantization.embedding import quantize_rows
from mobilebert_lite.quantization.recipe import load_recipe
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tasks import find_task
from mobilebert_lite.text.examples import QuestionExample, TextExample
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.tflite.graph import Graphs

LENGTHS = (24, 16)
Tensors = dict[str, np.ndarray]


def copied_blocks(tensors: Tensors) -> Tensors:
    """As where a network grew by copies of its blocks."""
    return {name: tensors[name.replace("layers.1.", "layers.0.")] for name in tensors}


def silent_blocks(tensors: Tensors) -> Tensors:
    """As where a network grew by blocks that pass their input on."""
    return {name: value * (not name.endswith("output.kernel")) for name, value in tensors.items()}


def nothing_but_zeros(tensors: Tensors) -> Tensors:
    """In all kernels; layers that read the same are then the same function, and so are kernels of other shapes."""
    return {name: value * (not name.endswith((".kernel", ".bias"))) for name, value in tensors.items()}


def equal_queries_and_keys(tensors: Tensors) -> Tensors:
    return {name: tensors[name.replace("query", "key")] for name in tensors}


def one_layer_for_all_readers(tensors: Tensors) -> Tensors:
    """Of the stream."""
    return {name: tensors[name.replace("attention.value", "bottleneck.input").replace(
        "bottleneck.attention", "bottleneck.input")] for name in tensors}


CHANGES: tuple[Callable[[Tensors], Tensors], ...] = (
    copied_blocks, nothing_but_zeros, silent_blocks, equal_queries_and_keys, one_layer_for_all_readers)
FAST = (nothing_but_zeros, equal_queries_and_keys)
# In int8 queries and keys, and all readers of the stream, are one layer each.
CASES = [pytest.param(change, mode, marks=() if change in FAST else pytest.mark.slow)
         for i, change in enumerate(CHANGES) for mode in ("int8", "int8-full")
         if EXHAUSTIVE or mode == ("int8" if i < 2 else "int8-full")]
TASKS = {"int8": "qa", "int8-full": "classification"}


class Drawn:
    """A network of ``weights`` for a task, in the float form that a recipe starts from."""

    def __init__(self, weights: Weights, task: str, vocabulary: tuple[str, ...], mode: str,
                 without: tuple[str, ...] = ()) -> None:
        self.task, self.recipe = find_task(task, Form(logits=True)), load_recipe(mode)
        examples: list[Any] = [QuestionExample(str(i), "what?", f"at {i}.") for i in range(6)]
        if task != "qa":
            examples = [TextExample(f"at {i}.") for i in range(6)]
        self.texts = samples(Tokenizer(vocabulary), self.task, examples, LENGTHS, Most(256, 64))
        self.masking = self.recipe.masking(Masking())
        # Hidden units that say nothing would go, and layers with them.
        without = (*without, "shrink-hidden")
        self.built = draw(weights, Design(self.task, LENGTHS, self.recipe, self.masking, without=without, threads=1),
                          self.texts, stretches=False)
        self.graphs = Graphs.read(self.built.content)

    def layers(self) -> list[list[KernelPlace | None]]:
        """The kernel of each dense layer of each signature, in the order of execution."""
        return [[place_of_weight(operator.operand(1).name) for operator in subgraph.operators
                 if operator.name == "FULLY_CONNECTED"] for subgraph in self.graphs.subgraphs]

    def kinds(self) -> list[list[str]]:
        return [[operator.name for operator in subgraph.operators] for subgraph in self.graphs.subgraphs]

    def stored(self) -> Mapping[KernelPlace, np.ndarray]:
        """The kernel that the file holds for each layer. *Shape:* [in, out]"""
        found = {}
        for subgraph in self.graphs.subgraphs:
            for tensor in subgraph.tensors:
                if (place := place_of_weight(tensor.name)) and (values := tensor.values()) is not None:
                    found[place] = values.T
        return found

    def computes_what_the_network_does(self) -> None:
        fused = self.built.fused
        tensors = fused.tensors
        if self.recipe.word_table != "float32":
            tensors = quantize_rows(tensors, self.recipe.word_table)
        network = Network(fused.config, tensors, self.task, self.masking, fused.plan)
        session = Session(self.built.content)
        for name, rows in self.texts.items():
            inputs = [one.inputs() for one in rows[:3]]
            for row, expected in zip(inputs, network.run(inputs), strict=True):
                for key, value in session.run(name, row).items():
                    np.testing.assert_allclose(value, expected[key], rtol=1e-4, atol=1e-5)


def weights_of(config: MobileBertConfig, task: str) -> Weights:
    if task == "qa":
        return random_weights(config, {"qa": 2}, seed=1)
    return random_weights(config.with_labels(["a", "b", "c"]), {"classifier": 3}, pooler=True, seed=1)


@pytest.fixture(scope="module")
def plain(tiny_config: MobileBertConfig, tiny_vocabulary: tuple[str, ...]) -> Callable[[str], Drawn]:
    """``plain("int8")``: of random kernels."""
    return cache(lambda mode: Drawn(weights_of(tiny_config, TASKS[mode]), TASKS[mode], tiny_vocabulary, mode))


@pytest.mark.parametrize(("change", "mode"), CASES)
def test_a_file_has_every_layer(change: Callable[[Tensors], Tensors], mode: str, plain: Callable[[str], Drawn],
                                tiny_config: MobileBertConfig, tiny_vocabulary: tuple[str, ...]) -> None:
    """The operators are those of random kernels, and each has its own numbers."""
    weights = weights_of(tiny_config, TASKS[mode])
    equal = Drawn(weights.with_tensors(change(dict(weights.tensors))), TASKS[mode], tiny_vocabulary, mode)
    assert equal.kinds() == plain(mode).kinds()
    assert equal.layers() == plain(mode).layers()
    for layers in equal.layers():
        assert None not in layers
        assert len(set(layers)) == len(layers)
    for place, kernel in equal.stored().items():
        wanted = equal.built.fused.tensors[f"{place.layer}.kernel"]
        np.testing.assert_array_equal(kernel, wanted if place.column is None else wanted[:, [place.column]])
    equal.computes_what_the_network_does()


def test_layers_with_their_normalizations(tiny_config: MobileBertConfig, tiny_vocabulary: tuple[str, ...]) -> None:
    """TensorFlow multiplies a scale into the kernel before it, which then has no name; the file is right all the
    same."""
    weights = weights_of(replace(tiny_config, num_hidden_layers=1), "qa")
    same = weights.with_tensors(one_layer_for_all_readers(dict(weights.tensors)))
    drawn = Drawn(same, "qa", tiny_vocabulary, "none", ("all",))
    assert None in drawn.layers()[0]
    drawn.computes_what_the_network_does()


def test_names_of_weights() -> None:
    assert place_of_weight("layers.1.ffn.0.output.kernel") == KernelPlace("layers.1.ffn.0.output")
    assert place_of_weight("layers.0.attention.query-attention.key.kernel_16") == KernelPlace(
        "layers.0.attention.query-attention.key")
    assert place_of_weight(KernelPlace("qa", 1).name + "_384") == KernelPlace("qa", 1)
    for other in ("arith.constant12", "layers.1.output/MatMul", "", "kernel"):
        assert place_of_weight(other) is None
