"""Files of ``features`` in the libraries' text embedders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import RefusedError, ask

from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.doctor.diagnose import diagnose
from mobilebert_lite.running.model import Model

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]

TEXTS = [("the cat sat on the mat",), ("how many minutes does a full charge take?",)]


@pytest.fixture(scope="module")
def features(tiny_classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The encoder's own vectors, at one length."""
    path = tmp_path_factory.mktemp("features") / "features.tflite"
    convert(ConvertRequest(path, str(tiny_classifier), task="features", lengths=(32,), quantize="none"))
    return path


def test_mediapipe(features: Path) -> None:
    """One vector for each output: all tokens' after each other, and the pooled one."""
    model = Model(features, tokenizer="phone")
    for [text], found in zip(TEXTS, ask("mediapipe", features, "features", TEXTS), strict=True):
        vectors = {name: np.array(vector) for name, vector in found}
        assert list(vectors) == ["sequence_output", "pooled_output"]
        for name, expected in model.embed(text).items():
            given = vectors[name][:expected.size].reshape(expected.shape)
            assert np.abs(given - expected).max() <= 1e-4 * np.abs(expected).max()


def test_task_library(features: Path) -> None:
    """It takes no output with a vector for each token."""
    with pytest.raises(RefusedError, match="got 3D, expected either 2D"):
        ask("task-library", features, "features", TEXTS)


# Normalized vectors by every pooling, and the number format of phones.
EMBEDDINGS = {"mean-none": ("mean", "none"), "max-int8": ("max", "int8")}


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_sentence_embeddings(tiny_classifier: Path, tmp_path: Path, name: str) -> None:
    """TextEmbedder gives the vector of `mbl run --tokenizer phone`, and its cosine is that of `Model.similarity`."""
    pooling, mode = EMBEDDINGS[name]
    path = tmp_path / "embedding.tflite"
    convert(ConvertRequest(path, str(tiny_classifier), task="embedding", lengths=(32,), quantize=mode, pooling=pooling,
                           normalize=True))
    assert diagnose(path, ("mediapipe",)).fits == {"mediapipe": True}
    model = Model(path, tokenizer="phone")
    answers = ask("mediapipe", path, "embedding", TEXTS)
    assert [[head for head, _ in found] for found in answers] == [["embedding"]] * len(TEXTS)
    vectors = np.array([vector for [[_, vector]] in answers])
    expected = model.embed([text for [text] in TEXTS])
    # Both compute with XNNPACK, of different versions; int8 roundings of a near tie differ by a step.
    assert np.abs(vectors - expected).max() <= (1e-5 if mode == "none" else 0.02) * np.abs(expected).max()
    assert vectors[0] @ vectors[1] == pytest.approx(model.similarity(*(text for [text] in TEXTS)), abs=0.01)
