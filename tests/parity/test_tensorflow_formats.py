"""Against the outputs of the code that wrote the checkpoints: google-research/mobilebert and the Model Garden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import EXHAUSTIVE
from test_huggingface import LENGTH, PROBABILITY, QA, Arrays, assert_close, rows_of, softmax

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.architecture.masking import Masking, default_masking, parse_masking
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.conversion.lowering import convert_network
from mobilebert_lite.converters import formats
from mobilebert_lite.fusion.pipeline import fuse, fuse_last
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tasks.choose import choose_task

# Task -> for each of our outputs, theirs.
FEATURES = {"features": {"sequence_output": "out_sequence_output", "pooled_output": "out_pooled_output"}}
SPANS = {"qa": QA}
CLASSES = {"classification": {"probability": "out_logits"}}
WORDS = {"fill-mask": {"logits": "out_mlm_logits"}}
PRETRAINING = {"pretraining": {"prediction_logits": "out_prediction_logits",
                               "seq_relationship_logits": "out_seq_relationship_logits"}}
TAGS = {"token-classification": {"logits": "out_logits"}}
# Folder -> what it is, and what is asked of it; the first task is the one that it is converted for unasked.
FOLDERS: dict[str, tuple[str, dict[str, dict[str, str]]]] = {
    "tf1/question_answering": ("tf1", SPANS),
    "tf1/question_answering_train": ("tf1", SPANS),
    "tf1/classification": ("tf1", CLASSES),
    "tf1/classification_pooler": ("tf1", CLASSES),
    "tf1/pretraining": ("tf1", PRETRAINING),
    "model_garden/pretrainer": ("model_garden", WORDS),
    "model_garden/pretrainer_pooler": ("model_garden", WORDS | FEATURES),
    "model_garden/span_labeler": ("model_garden", SPANS),
    "model_garden/span_labeler_model_only": ("model_garden", SPANS),
    "model_garden/classifier": ("model_garden", CLASSES),
    "model_garden/classifier_pooler": ("model_garden", CLASSES),
    "model_garden/token_classifier": ("model_garden", TAGS),
    "model_garden/saved_model": ("saved_model", WORDS | FEATURES),
    "tf1_hub/module": ("tf1_hub", WORDS | FEATURES),
}
# (folder, task, masking form, name of the expected outputs); None is the source's own form.
Case = tuple[str, str, str | None, str]
CASES: list[Case] = [(folder, task, None, "expected.npz") for folder, (_, tasks) in FOLDERS.items() for task in tasks]
CASES += [(folder, task, "multiplicative", "expected_mask6.npz") for folder, task, _, _ in CASES
          if folder.startswith("tf1/")]
# Those whose converted files are compared too: one of each writer and each masking. That a file of any other head
# agrees with its graph is shown by tests/test_heads.py; `make test-all` compares all files.
FILES = ("tf1/classification", "model_garden/classifier", "model_garden/saved_model", "tf1_hub/module")


def name(case: Case) -> str:
    """For pytest."""
    return f"{case[0]}-{case[1]}-{case[2] or 'own'}"


def load(shared: Callable[..., Path], case: Case) -> tuple[Weights, Masking, Arrays]:
    """The weights, how padding is masked, and the writer's inputs and outputs."""
    folder, _, masking, file = case
    path = shared("checkpoints", *folder.split("/"))
    weights = formats.find(path).load()
    with np.load(next(place / file for place in (path, path.parent) if (place / file).exists())) as stored:
        expected = dict(stored)
    assert (expected["attention_mask"] == 0).any()  # or the mask would go untested
    return weights, parse_masking(masking) if masking else default_masking(weights.source.format), expected


@pytest.mark.parametrize("case", CASES, ids=name)
def test_graph_and_file_agree_with_the_writer(shared: Callable[..., Path], case: Case) -> None:
    """The graph as it is, and the float file after every fusion rule, of FILES."""
    task, (kind, tasks) = case[1], FOLDERS[case[0]]
    weights, masks, expected = load(shared, case)
    assert weights.source.format == kind
    purpose = find_task(task)
    network = Network(weights.config, weights.tensors, purpose, masks)
    rows = rows_of(expected)
    answers = [network.run(rows)]
    if EXHAUSTIVE or (case[0] in FILES and task in ("classification", "features")):
        fused = fuse_last(fuse(weights, purpose, masking=masks))
        file = Session(convert_network(Network(weights.config, fused.tensors, purpose, masks, fused.plan), [LENGTH]))
        answers.append([file.run(f"{task}_{LENGTH}", row) for row in rows])
    for ours, theirs in tasks[task].items():
        wanted, tolerance = (softmax(expected[theirs]), PROBABILITY) if ours == "probability" else (
            expected[theirs], 1e-4)
        for answer in answers:
            assert_close(np.concatenate([row[ours] for row in answer]), wanted, expected["attention_mask"], tolerance)


@pytest.mark.parametrize("case", [case for case in CASES if case[1] == "classification"], ids=name)
def test_class_logits_agree_before_the_softmax(shared: Callable[..., Path], case: Case) -> None:
    """A softmax hides an offset common to all logits, and most of the rest where it is nearly 0 or 1."""
    weights, masks, expected = load(shared, case)
    network = Network(weights.config, weights.tensors, find_task(case[1], Form(logits=True)), masks)
    actual = np.concatenate([row["logits"] for row in network.run(rows_of(expected))])
    assert_close(actual, expected["out_logits"], expected["attention_mask"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_task_follows_from_the_checkpoint(shared: Callable[..., Path], folder: str) -> None:
    weights = formats.find(shared("checkpoints", *folder.split("/"))).load()
    assert choose_task(weights, None).name == next(iter(FOLDERS[folder][1]))
