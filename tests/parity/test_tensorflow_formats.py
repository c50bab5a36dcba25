"""Against the outputs of the code that wrote the checkpoints: google-research/mobilebert and the Model Garden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from test_huggingface import LENGTH, QA, Arrays, assert_close, rows_of, softmax

from mobilebert_lite.converters import formats
from mobilebert_lite.converters.tflite import convert_network
from mobilebert_lite.fusion.pipeline import fuse
from mobilebert_lite.graph.encoder import encode
from mobilebert_lite.graph.heads import classification_logits
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.masking import Masking, default_masking, parse_masking
from mobilebert_lite.runtime import Session
from mobilebert_lite.weights import Weights

FEATURES = {"sequence_output": "out_sequence_output", "pooled_output": "out_pooled_output"}
CLASSES = {"probability": "out_logits"}
# Folder -> what it is, the task that is asked of it, its outputs.
FOLDERS: dict[str, tuple[str, str, dict[str, str]]] = {
    "tf1/question_answering": ("tf1", "qa", QA),
    "tf1/question_answering_train": ("tf1", "qa", QA),
    "tf1/classification": ("tf1", "classification", CLASSES),
    "tf1/classification_pooler": ("tf1", "classification", CLASSES),
    "tf1/pretraining": ("tf1", "features", FEATURES),
    "model_garden/pretrainer": ("model_garden", "features", FEATURES),
    "model_garden/pretrainer_pooler": ("model_garden", "features", FEATURES),
    "model_garden/span_labeler": ("model_garden", "qa", QA),
    "model_garden/span_labeler_model_only": ("model_garden", "qa", QA),
    "model_garden/classifier": ("model_garden", "classification", CLASSES),
    "model_garden/classifier_pooler": ("model_garden", "classification", CLASSES),
    "model_garden/token_classifier": ("model_garden", "features", FEATURES),
    "model_garden/saved_model": ("saved_model", "features", FEATURES),
    "tf1_hub/module": ("tf1_hub", "features", FEATURES),
}
# (folder, masking form, name of the expected outputs); None is the source's own form.
CASES = [*((folder, None, "expected.npz") for folder in FOLDERS),
         *((folder, "multiplicative", "expected_mask6.npz") for folder in FOLDERS if folder.startswith("tf1/"))]
IDS = [f"{folder}-{masking or 'own'}" for folder, masking, _ in CASES]


def load(path: Path, masking: str | None, file: str) -> tuple[Weights, Masking, Arrays]:
    """The weights in the folder, how padding is masked, and the writer's inputs and outputs."""
    weights = formats.find(path).load()
    with np.load(next(place / file for place in (path, path.parent) if (place / file).exists())) as stored:
        expected = dict(stored)
    assert (expected["attention_mask"] == 0).any()  # or the mask would go untested
    return weights, parse_masking(masking) if masking else default_masking(weights.source.format), expected


@pytest.mark.parametrize(("folder", "masking", "file"), CASES, ids=IDS)
def test_graph_and_file_agree_with_the_writer(shared: Callable[..., Path], folder: str, masking: str | None,
                                              file: str) -> None:
    """The graph as it is, and the float file after every fusion rule."""
    kind, task, outputs = FOLDERS[folder]
    weights, masks, expected = load(shared("checkpoints", *folder.split("/")), masking, file)
    assert weights.source.format == kind
    network = Network(weights.config, weights.tensors, task, masks)
    fused = fuse(weights, task, masking=masks)
    converted = Session(convert_network(Network(weights.config, fused.tensors, task, masks, fused.plan), [LENGTH]))

    rows = rows_of(expected)
    answers = network.run(rows), [converted.run(f"{task}_{LENGTH}", row) for row in rows]
    for ours, theirs in outputs.items():
        wanted = softmax(expected[theirs]) if ours == "probability" else expected[theirs]
        for answer in answers:
            assert_close(np.concatenate([row[ours] for row in answer]), wanted, expected["attention_mask"])


CLASSIFIERS = [case for case in CASES if FOLDERS[case[0]][1] == "classification"]


@pytest.mark.parametrize(("folder", "masking", "file"), CLASSIFIERS)
def test_class_logits_agree_before_the_softmax(shared: Callable[..., Path], folder: str, masking: str | None,
                                               file: str) -> None:
    """A softmax hides an offset common to all logits, and most of the rest where it is nearly 0 or 1."""
    weights, masks, expected = load(shared("checkpoints", *folder.split("/")), masking, file)
    hidden = encode(weights.tensors, weights.config, *(
        tf.constant(expected[name]) for name in ("input_ids", "attention_mask", "token_type_ids")), masks)
    logits = classification_logits(weights.tensors, hidden).numpy()
    assert_close(logits, expected["out_logits"], expected["attention_mask"])
