"""Every head in a file: names and shapes, one partition, answers; on tiny checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXHAUSTIVE
from heads import HEADS, LENGTH, TAGS, weights_of

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.form import MULTI_LABEL, REGRESSION, SINGLE_LABEL, Form
from mobilebert_lite.architecture.weights import Source, random_weights
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.errors import ConversionError, DataError, ModelFileError, RequestError
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.inspection.report import inspect
from mobilebert_lite.running.model import Model
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tasks.choose import choose_form, choose_task
from mobilebert_lite.text.examples import ChoiceExample, TextExample
from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite.flatbuffer import read_model

TEXT = "the battery should last four hundred [MASK] in a day, and [MASK] more"
CHOICES = ("it is cold", "a salt room", "twenty people")

FileOf = Callable[[str, str], Path]


def shapes(name: str) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Inputs and outputs that docs/architecture.md gives, for the checkpoint ``name`` of HEADS and 270 words."""
    sequence = [1, 4, LENGTH] if name == "multiple-choice" else [1, LENGTH]
    inputs = dict.fromkeys(("ids", "mask", "segment_ids"), sequence)
    if name == "fill-mask at positions":
        inputs["positions"] = [1, 3]
    return inputs, {
        "token-classification": {"logits": [1, LENGTH, 5]},
        "multiple-choice": {"probability": [1, 4]},
        "next-sentence": {"probability": [1, 2]},
        "fill-mask": {"logits": [1, LENGTH, 270]},
        "fill-mask at positions": {"logits": [1, 3, 270]},
        "pretraining": {"prediction_logits": [1, LENGTH, 270], "seq_relationship_logits": [1, 2]},
        "multi-label": {"probability": [1, 3]},
        "regression": {"logits": [1, 1]},
        "raw logits": {"logits": [1, 4]},
        "features": {"sequence_output": [1, LENGTH, 64], "pooled_output": [1, 64]},
        "embedding": {"embedding": [1, 24]},
    }[name]


def ask(model: Model, name: str) -> Any:
    """What a user would ask a model of its kind."""
    match model.task.name:
        case "token-classification":
            return model.tag(TEXT)
        case "multiple-choice":
            return model.choose("how was the day", CHOICES)
        case "next-sentence":
            return model.follows("the first day", "and the second")
        case "features":
            return model.embed(TEXT)["sequence_output"].tolist()
        case "embedding":
            return model.embed(TEXT).tolist()
        case "fill-mask" | "pretraining":
            return model.fill_mask(TEXT)
    return model.predict(TEXT) if name == "regression" else model.classify(TEXT)


@pytest.mark.parametrize(("name", "mode"), [
    (name, mode) for i, name in enumerate(HEADS) for j, mode in enumerate(["none", "dynamic", "int8"])
    if EXHAUSTIVE or i % 3 == j])
def test_contract(file_of: FileOf, name: str, mode: str) -> None:
    """Names, order, shapes, formats; XNNPACK takes all but look-ups and casts of the inputs; it answers."""
    found = inspect(file_of(name, mode))
    inputs, outputs = shapes(name)
    signature = found.signatures[0]
    assert signature.name == f"{HEADS[name].task}_{LENGTH}"
    assert [(one.name, list(one.shape), one.dtype) for one in signature.inputs] == [
        (key, shape, "int32") for key, shape in inputs.items()]
    assert [(one.name, list(one.shape), one.dtype) for one in signature.outputs] == [
        (key, shape, "float32") for key, shape in outputs.items()]
    assert signature.delegation is not None
    assert signature.delegation.partitions == 1
    assert {operator for _, operator in signature.delegation.outside} <= {
        "RESHAPE", "GATHER", "CAST", "DEQUANTIZE", "ONE_HOT"}
    assert ask(Model(file_of(name, mode)), name)


@pytest.mark.parametrize("mode", ["none", "dynamic", "int8"])
def test_the_word_table_is_stored_once(file_of: FileOf, mode: str) -> None:
    """Embedding and masked LM head read the same bytes."""
    model = read_model(file_of("fill-mask", mode).read_bytes())
    tables = [tensor for tensor in model.subgraphs[0].tensors if tensor.shape is not None
              and list(tensor.shape) == [270, 16] and model.buffers[tensor.buffer].data is not None]
    assert len(tables) == (1 if mode == "none" else 2)
    assert len({tensor.buffer for tensor in tables}) == 1


def test_positions_give_what_all_tokens_give(file_of: FileOf) -> None:
    everywhere, there = (Model(file_of(name, "none")).fill_mask(TEXT)
                         for name in ("fill-mask", "fill-mask at positions"))
    assert [[word.token for word in words] for words in there] == [[word.token for word in words]
                                                                   for words in everywhere]
    assert [[word.probability for word in words] for words in there] == [
        [pytest.approx(word.probability, rel=1e-4) for word in words] for words in everywhere]


def test_words_for_gaps_are_those_of_the_graph(file_of: FileOf, tiny_config: MobileBertConfig) -> None:
    model = Model(file_of("fill-mask", "none"))
    weights = weights_of("fill-mask", tiny_config)
    tokens = [model.tokenizer.cls_id, *model.tokenizer.encode(TEXT).ids, model.tokenizer.sep_id]
    ids = np.array([tokens + [model.tokenizer.pad_id] * (LENGTH - len(tokens))], np.int32)
    row = {"ids": ids, "mask": (np.arange(LENGTH) < len(tokens)).astype(np.int32)[None],
           "segment_ids": np.zeros_like(ids)}
    [expected] = Network(weights.config, weights.tensors, find_task("fill-mask")).run([row])
    places = np.flatnonzero(ids[0] == model.tokenizer.mask_id)
    gaps = model.fill_mask(TEXT, top=3)
    assert len(gaps) == len(places) == 2
    for place, words in zip(places, gaps, strict=True):
        logits = expected["logits"][0, place].astype(np.float64)
        probabilities = np.exp(logits) / np.exp(logits).sum()
        best = np.argsort(-logits)[:3]
        assert [word.token for word in words] == [model.tokenizer.vocabulary[i] for i in best]
        assert [word.probability for word in words] == pytest.approx(probabilities[best].tolist(), rel=1e-4)
    assert all(word.text.count("[MASK]") == 1 for words in gaps for word in words)


def test_fewer_choices_than_the_file_takes(file_of: FileOf, tiny_config: MobileBertConfig) -> None:
    """A softmax over those given alone, each read with the prompt."""
    model = Model(file_of("multiple-choice", "none"))
    weights = weights_of("multiple-choice", tiny_config)
    [features] = model.task.with_form(Form(choices=3)).features(
        model.tokenizer, ChoiceExample("how was the day", CHOICES), LENGTH)
    [expected] = Network(weights.config, weights.tensors, find_task("multiple-choice", Form(choices=3))).run(
        [features.inputs()])
    found = sorted(model.choose("how was the day", CHOICES), key=lambda choice: choice.index)
    assert [choice.text for choice in found] == list(CHOICES)
    assert [choice.probability for choice in found] == pytest.approx(expected["probability"][0].tolist(), rel=1e-4)
    with pytest.raises(DataError, match="5 choices: this file takes 2 to 4"):
        model.choose("x", ["a"] * 5)


def test_raw_logits_answer_as_probabilities_do(file_of: FileOf, tiny_config: MobileBertConfig) -> None:
    """--logits changes what is in the file, not what a user is told."""
    path = file_of("raw logits", "none")
    labels = Model(path).classify(TEXT)
    weights = weights_of("raw logits", tiny_config)
    model = Model(path)
    features = model.task.features(model.tokenizer, TextExample(TEXT), LENGTH)[0]
    [expected] = Network(weights.config, weights.tensors, find_task("classification")).run([features.inputs()])
    names = HEADS["raw logits"].labels
    assert {label.name: label.probability for label in labels} == pytest.approx(
        dict(zip(names, expected["probability"][0].tolist(), strict=True)), rel=1e-4)


def test_several_labels_do_not_add_up_to_one(file_of: FileOf) -> None:
    probabilities = [label.probability for label in Model(file_of("multi-label", "none")).classify(TEXT)]
    assert probabilities == sorted(probabilities, reverse=True)
    assert abs(sum(probabilities) - 1) > 0.05


def test_numbers_only_from_a_regression(file_of: FileOf) -> None:
    [number] = Model(file_of("regression", "none")).predict(TEXT)
    assert number.name == "similarity"
    with pytest.raises(ModelFileError, match="multi_label_classification; ask it for labels"):
        Model(file_of("multi-label", "none")).predict(TEXT)
    with pytest.raises(ModelFileError, match="for regression; ask it for numbers"):
        Model(file_of("regression", "none")).classify(TEXT)


@pytest.mark.parametrize("name", HEADS)
def test_files_say_what_they_are(file_of: FileOf, name: str) -> None:
    """Class names where there are classes, and the form in which the outputs come."""
    content = file_of(name, "none").read_bytes()
    expected = {"token-classification": TAGS, "next-sentence": ("is next", "not next")}.get(
        name, HEADS[name].labels)
    assert metadata.read_files(content).get(metadata.LABELS, b"").decode().splitlines() == list(expected)
    form = Form.read(metadata.read_provenance(content)["form"])
    assert form == Form(HEADS[name].problem_type or Form().problem_type, HEADS[name].logits,
                        4 if name == "multiple-choice" else 0, HEADS[name].positions,
                        **({"pooling": "mean", "normalize": True, "dense": "tanh"} if name == "embedding" else {}))


@pytest.mark.parametrize(("name", "method", "arguments"), [
    ("fill-mask", "classify", ("x",)), ("features", "fill_mask", ("[MASK]",)),
    ("regression", "choose", ("x", ["a", "b"])), ("next-sentence", "classify", ("x",)),
    ("token-classification", "follows", ("x", "y")),
    ("multiple-choice", "entities", ("x",)), ("fill-mask", "embed", ("x",)), ("fill-mask", "answer", ("x", "y")),
])
def test_a_model_for_something_else(file_of: FileOf, name: str, method: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ModelFileError, match=f"this model is for {HEADS[name].task}, not for "):
        getattr(Model(file_of(name, "none")), method)(*arguments)


def test_texts_without_or_with_too_many_gaps(file_of: FileOf) -> None:
    with pytest.raises(DataError, match=r"the text has no \[MASK\]"):
        Model(file_of("fill-mask", "none")).fill_mask("no gap")
    with pytest.raises(DataError, match=r"4 × \[MASK\]: this file gives words for 3 at a time"):
        Model(file_of("fill-mask at positions", "none")).fill_mask("[MASK] " * 4)


# What is asked of a conversion

def test_forms_that_a_task_does_not_have(tiny_config: MobileBertConfig) -> None:
    weights = random_weights(tiny_config, {"classifier": 3, "mlm": 0, "nsp": 2, "qa": 2})

    def form(task: str, **options: Any) -> Form:
        return choose_form(weights, choose_task(weights, task), [], **options)

    for task in ("qa", "fill-mask", "pretraining", "token-classification", "features"):
        with pytest.raises(RequestError, match="--logits is for tasks that give a probability"):
            form(task, logits=True)
    for task in ("qa", "pretraining", "classification"):
        with pytest.raises(RequestError, match=f"--positions is for fill-mask, not for {task}"):
            form(task, positions=2)
    with pytest.raises(RequestError, match="--num-choices is for multiple-choice"):
        form("classification", choices=2)
    with pytest.raises(ConversionError, match="each choice one score, but the classifier has 3 outputs"):
        form("multiple-choice")
    assert form("next-sentence", logits=True) == Form(logits=True)
    assert form("fill-mask", positions=2) == Form(positions=2)


@pytest.mark.parametrize(("heads", "task"), [
    ({"mlm": 0}, "fill-mask"), ({"nsp": 2}, "next-sentence"), ({"mlm": 0, "nsp": 2}, "fill-mask"),
    ({"classifier": 3}, "classification"), ({"qa": 2, "mlm": 0}, "qa"), ({}, "features")])
def test_the_task_follows_from_the_heads(tiny_config: MobileBertConfig, heads: dict[str, int], task: str) -> None:
    assert choose_task(random_weights(tiny_config, heads), None).name == task


def test_what_the_checkpoint_says_counts_before_its_heads(tiny_config: MobileBertConfig, tmp_path: Path) -> None:
    for task in ("token-classification", "multiple-choice", "classification"):
        weights = random_weights(replace(tiny_config, task=task), {"classifier": 1}, pooler=True)
        huggingface.save(weights, tmp_path / task)
        raw = json.loads((tmp_path / task / "config.json").read_text())
        assert task.replace("-", "") in raw["architectures"][0].lower().replace("sequence", "")
        assert choose_task(huggingface.load(tmp_path / task), None).name == task
    # Said, but not there: the heads decide.
    encoder = random_weights(replace(tiny_config, task="qa"), {"nsp": 2})
    assert choose_task(encoder, None).name == "next-sentence"


@pytest.mark.parametrize(("outputs", "said", "source", "problem", "expected"), [
    # As transformers' text-classification pipeline has it.
    (1, "", "huggingface", None, MULTI_LABEL), (1, SINGLE_LABEL, "huggingface", None, MULTI_LABEL),
    (1, MULTI_LABEL, "huggingface", None, MULTI_LABEL), (1, REGRESSION, "huggingface", None, REGRESSION),
    (2, "", "huggingface", None, SINGLE_LABEL), (2, MULTI_LABEL, "huggingface", None, MULTI_LABEL),
    # bert_config.json cannot say it; the Model Garden trains one output as a number.
    (1, "", "model_garden", None, REGRESSION), (1, "", "tf1", None, REGRESSION), (2, "", "tf1", None, SINGLE_LABEL),
    # Asked for.
    (1, "", "huggingface", "regression", REGRESSION), (1, REGRESSION, "huggingface", "single", MULTI_LABEL),
    (1, "", "tf1", "single", MULTI_LABEL), (2, "", "huggingface", "multi", MULTI_LABEL),
])
def test_what_classes_are(tiny_config: MobileBertConfig, outputs: int, said: str, source: str, problem: str | None,
                          expected: str) -> None:
    weights = random_weights(replace(tiny_config, problem_type=said), {"classifier": outputs})
    weights = replace(weights, source=Source(source))
    form = choose_form(weights, choose_task(weights, "classification"), [], problem=problem)
    assert form == Form(expected)


def test_a_problem_is_of_classification(tiny_config: MobileBertConfig) -> None:
    weights = random_weights(tiny_config, {"qa": 2})
    with pytest.raises(RequestError, match="--problem is for classification, not for qa"):
        choose_form(weights, choose_task(weights, None), [], problem="regression")
