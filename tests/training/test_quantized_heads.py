"""Quantization-aware training of every head in every mode: what it scored is what the converted file scores.

And layers whose kernels are equal, which nothing but their place tells apart.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXHAUSTIVE

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.form import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from mobilebert_lite.architecture.weights import Weights, random_weights
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.evaluation.evaluate import EvalRequest, evaluate
from mobilebert_lite.training.options import TrainOptions
from mobilebert_lite.training.run import train

MODES = ("int8", "int8-full", "int16x8")
LENGTH = 24
# What decides stands first: the trigram of [CLS] reads it, so that a few steps learn it.
THINGS = ("sun", "salt", "phone", "race")


# Tasks whose head is not "classifier" with names for its classes.
_OWN_HEADS = {"qa": "qa", "next-sentence": "nsp", "multiple-choice": "classifier"}


@dataclass(frozen=True)
class Head:
    """A head, and lines of JSON that it learns from."""

    task: str
    outputs: int
    lines: tuple[dict[str, Any], ...]
    problem: str = SINGLE_LABEL
    pooler: bool = True
    # Too high a one leaves the narrow range of untrained scores, where all are clipped and none has a gradient.
    learning_rate: float = 1e-2

    def weights(self, config: MobileBertConfig) -> Weights:
        config = replace(config, classifier_activation=self.pooler)
        if self.task in _OWN_HEADS:
            head = _OWN_HEADS[self.task]
            return random_weights(config, {head: self.outputs}, pooler=head != "qa" and self.pooler, seed=3)
        names = [f"class {i}" for i in range(self.outputs)]
        return random_weights(config.with_labels(names), {"classifier": self.outputs}, pooler=self.pooler, seed=3)


def texts(label: Any) -> tuple[dict[str, Any], ...]:
    return tuple({"text": f"{thing} is on {place}", "label": label(number)}
                 for number, thing in enumerate(THINGS) for place in ("a battery", "the right", "my light", "iron"))


HEADS = {
    "classes": Head("classification", 4, texts(lambda i: f"class {i}")),
    "classes without a pooler": Head("classification", 4, texts(lambda i: f"class {i}"), pooler=False),
    "several classes": Head("classification", 4, texts(lambda i: f"class {i},class {(i + 1) % 4}"), MULTI_LABEL),
    "a number": Head("classification", 1, texts(lambda i: str(i / 2)), REGRESSION),
    "tokens": Head("token-classification", 4, tuple(
        {"tokens": ["the", thing, "is"], "labels": ["class 0", f"class {number}", "class 0"]}
        for number, thing in enumerate(THINGS) for _ in range(4))),
    "answers": Head("qa", 2, tuple(
        {"question": "what is on?", "context": f"the {thing} is on race {i}.",
         "answers": {"text": [thing], "answer_start": [4]}} for thing in THINGS for i in range(4))),
    "next sentences": Head("next-sentence", 2, tuple(
        {"text": f"{thing} is on", "pair": f"{other} is on {place}", "label": int(thing != other)}
        for thing, other in (("sun", "sun"), ("sun", "salt")) for place in ("a battery", "the right", "my light"))),
    # One choice is longer than the other, and padding stands within the question.
    "choices": Head("multiple-choice", 1, tuple(
        {"prompt": f"{place} is on", "label": 1 - swapped,
         "choices": [f"{thing} is my light", "the right"][::1 - 2 * swapped]}
        for thing in THINGS[:2] for place in ("a battery", "iron", "race") for swapped in (0, 1)),
        learning_rate=2e-3),
}
# Every head and every mode; all pairs of them where there is time. A head of each form is among the fast tests.
FAST = ("classes", "tokens", "answers")
PAIRS = [pytest.param(head, mode, marks=() if head in FAST else pytest.mark.slow)
         for i, head in enumerate(HEADS) for j, mode in enumerate(MODES)
         if EXHAUSTIVE or (i % 3 == j and head != "next sentences")]  # which are a classification


def trained(weights: Weights, head: Head, mode: str, vocabulary: tuple[str, ...], folder: Path) -> dict[str, float]:
    """Train ``weights`` for ``mode`` into ``folder``/trained; the scores that training gives them."""
    huggingface.save(weights, folder / "begun", vocabulary=vocabulary)
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(line) + "\n" for line in head.lines), encoding="utf-8")
    train(TrainOptions(head.task, data, folder / "trained", data, str(folder / "begun"), problem=head.problem,
                       seq_len=LENGTH, epochs=12, batch_size=8, learning_rate=head.learning_rate, eval_every=1000,
                       quantize=mode))
    metrics: dict[str, float] = json.loads((folder / "trained" / "metrics.json").read_text())["metrics"]
    return metrics


def scored(folder: Path, mode: str) -> dict[str, float]:
    """The scores of the file that the trained checkpoint becomes."""
    convert(ConvertRequest(folder / "model.tflite", str(folder / "trained"), lengths=(LENGTH,), quantize=mode,
                           calibration=folder / "data.jsonl"))
    result = evaluate(EvalRequest(folder / "model.tflite", folder / "data.jsonl"))
    return dict(result.report["metrics"])


@pytest.mark.parametrize(("name", "mode"), PAIRS)
def test_the_file_scores_what_training_scored(name: str, mode: str, tiny_config: MobileBertConfig,
                                              tiny_vocabulary: tuple[str, ...], tmp_path: Path) -> None:
    head = HEADS[name]
    told = trained(head.weights(replace(tiny_config, num_hidden_layers=1)), head, mode, tiny_vocabulary, tmp_path)
    found = scored(tmp_path, mode)
    assert {key: value for key, value in found.items() if key in told} == pytest.approx(told, abs=0.3)


@pytest.mark.slow
def test_equal_kernels_are_trained_apart(tiny_config: MobileBertConfig, tiny_vocabulary: tuple[str, ...],
                                         tmp_path: Path) -> None:
    """Copied blocks, a silent one, and queries that begin as the keys: each learns by itself, and stays itself."""
    head = HEADS["tokens"]
    tensors = dict(head.weights(tiny_config).tensors)
    names = [name for name in tensors if name.startswith("layers.1.") and name.endswith(".kernel")]
    tensors |= {name: tensors[name.replace("layers.1.", "layers.0.")] for name in names}
    tensors |= {name: tensors[name.replace("query", "key")] for name in names if "query" in name}
    tensors |= {f"layers.{i}.output.kernel": np.zeros_like(tensors["layers.0.output.kernel"]) for i in (0, 1)}
    told = trained(head.weights(tiny_config).with_tensors(tensors), head, "int8-full", tiny_vocabulary, tmp_path)
    after = huggingface.load(tmp_path / "trained").tensors
    for name in (*names, "layers.0.output.kernel"):
        others = {name.replace("layers.1.", "layers.0."), name.replace("query", "key")} - {name}
        assert after[name].any()
        assert not any(np.allclose(after[name], after[other], rtol=1e-3) for other in others)
    found = scored(tmp_path, "int8-full")
    assert {key: value for key, value in found.items() if key in told} == pytest.approx(told, abs=0.3)
