"""Folders that sentence-transformers writes give its vectors, module for module."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from transformers_support import TOLERANCE, start

from mobilebert_lite.converters.checkpoints import load_checkpoint
from mobilebert_lite.converters.export import ExportRequest, export
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.tasks.choose import choose_form, choose_task
from mobilebert_lite.text.examples import TextExample

pytestmark = [pytest.mark.transformers, pytest.mark.timeout(600)]

NAMES = ("mean", "cls-normalized", "max", "dense-tanh-normalized", "dense-gelu", "dense-without-bias")
# Of unlike lengths, so that a batch pads them; the last is cut.
TEXTS = ("red", "how many minutes does a full charge take?", "The Light of day, " * 8)


@pytest.fixture(scope="module")
def folders(tiny_classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the library wrote, with its vectors; a pooler and a head of the checkpoint are left to lie."""
    folder = tmp_path_factory.mktemp("sentences")
    start("tf5", "sentence_folders.py", [tiny_classifier, folder], json.dumps(TEXTS))
    return folder


def vectors(folder: Path) -> np.ndarray:
    """Of the float graph."""
    checkpoint = load_checkpoint(str(folder))
    weights = checkpoint.weights
    task = choose_task(weights, None)
    task = task.with_form(choose_form(weights, task, []))
    network = Network(weights.config, weights.tensors, task)
    inputs = [task.features(checkpoint.tokenizer, TextExample(text), task.usual_length(weights))[0].inputs()
              for text in TEXTS]
    assert inputs[0]["ids"].shape == (1, 16)
    return np.concatenate([one["embedding"] for one in network.run(inputs)])


@pytest.mark.parametrize("name", NAMES)
def test_the_graph_computes_what_the_library_does(folders: Path, tmp_path: Path, name: str) -> None:
    """And so does the folder that ``mbl export`` writes of it."""
    wanted = np.load(folders / f"{name}.npy")
    export(ExportRequest(str(folders / name), "huggingface", tmp_path / "exported"))
    for folder in (folders / name, tmp_path / "exported"):
        found = vectors(folder)
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() <= TOLERANCE * np.abs(wanted).max()


def test_the_library_reads_what_is_exported(folders: Path, tmp_path: Path) -> None:
    name = "dense-tanh-normalized"
    export(ExportRequest(str(folders / name), "huggingface", tmp_path / "exported"))
    start("tf5", "sentence_vectors.py", [tmp_path / "exported", tmp_path / "found.npy"], json.dumps(TEXTS))
    wanted = np.load(folders / f"{name}.npy")
    assert np.abs(np.load(tmp_path / "found.npy") - wanted).max() <= TOLERANCE * np.abs(wanted).max()
