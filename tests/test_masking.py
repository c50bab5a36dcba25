"""How padding is masked: what can be asked for, what the graph does with it, what a file says about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.masking import Masking, default_masking, parse_masking
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.converters.tensorflow import tensorflow1
from mobilebert_lite.errors import RequestError
from mobilebert_lite.graph.masking import apply_mask, make_mask
from mobilebert_lite.tflite import container as metadata


@pytest.mark.parametrize(("text", "expected"), [
    ("additive", Masking("additive", -10000.0)),
    ("additive:-120", Masking("additive", -120.0)),
    ("multiplicative", Masking("multiplicative", -6.0)),
    ("multiplicative:-8.5", Masking("multiplicative", -8.5)),
    ("minimum", Masking("additive", -16384.0)),
])
def test_what_can_be_asked_for(text: str, expected: Masking) -> None:
    assert parse_masking(text) == expected


@pytest.mark.parametrize(("text", "message"), [
    ("none", "unknown masking 'none'; known are additive, multiplicative, minimum"),
    ("", "unknown masking ''"),
    ("minimum:-5", "unknown masking 'minimum:-5'"),
    ("additive:", "masking 'additive:': the constant must be a number below 0"),
    ("additive:low", "the constant must be a number below 0"),
    ("additive:0", "the constant must be a number below 0"),
    ("multiplicative:6", "the constant must be a number below 0"),
    ("additive:-inf", "the constant must be a number below 0"),
    ("additive:nan", "the constant must be a number below 0"),
])
def test_what_cannot(text: str, message: str) -> None:
    with pytest.raises(RequestError) as error:
        parse_masking(text)
    assert message in str(error.value)


@pytest.mark.parametrize(("source", "constant"), [
    ("tf1", -10000.0), ("tf1_hub", -10000.0), ("memory", -10000.0),
    ("huggingface", -16384.0), ("model_garden", -16384.0), ("saved_model", -16384.0)])
def test_default_of_each_source(source: str, constant: float) -> None:
    assert default_masking(source) == Masking("additive", constant)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float16])
@pytest.mark.parametrize("form", ["additive", "minimum", "multiplicative"])
def test_scores(form: str, dtype: tf.DType) -> None:
    """In half precision, too: there a lower constant would give NaN."""
    masking = parse_masking(form)
    mask = np.array([[1, 1, 0], [1, 0, 0]], np.int32)
    scores = np.array([[2.0, -3, 5], [1, 0.5, -4]], np.float32).reshape(2, 1, 1, 3)
    actual = apply_mask(tf.constant(scores, dtype), make_mask(tf.constant(mask), masking, dtype)).numpy()
    assert actual.shape == (2, 1, 1, 3)
    kept = mask.reshape(scores.shape) == 1
    np.testing.assert_array_equal(actual[kept], scores[kept])
    if form == "multiplicative":
        np.testing.assert_array_equal(actual[~kept], -6.0)
    else:
        assert (actual[~kept] <= -9990).all()
        weights = tf.nn.softmax(tf.constant(actual)).numpy()
        assert (weights[~kept] == 0).all()
        assert np.isfinite(weights).all()


@pytest.fixture
def checkpoint(tiny_config: MobileBertConfig, tiny_vocabulary: tuple[str, ...], tmp_path: Path) -> Path:
    """A TF1 checkpoint of a classifier."""
    weights = random_weights(replace(tiny_config, classifier_activation=False, labels=("yes", "no")), {"classifier": 2})
    tensorflow1.save(weights, tmp_path / "tf1", tiny_vocabulary)
    return tmp_path / "tf1"


@pytest.mark.parametrize(("asked", "recorded", "key_bias_dropped"), [
    (None, {"form": "additive", "constant": -10000.0}, True),
    ("multiplicative", {"form": "multiplicative", "constant": -6.0}, False)])
def test_a_file_says_how_it_masks(checkpoint: Path, tmp_path: Path, asked: str | None, recorded: dict[str, object],
                                  key_bias_dropped: bool) -> None:
    """From a TF1 folder to a verified file. A key's bias matters where the mask multiplies."""
    output = tmp_path / "model.tflite"
    report = convert(ConvertRequest(output, str(checkpoint), lengths=(16,), quantize="none", mask=asked))
    found = metadata.read_provenance(output.read_bytes())
    assert found["mask"] == recorded
    assert (found["source"]["format"], found["source"]["name"]) == ("tf1", "model.ckpt")
    assert metadata.read_files(output.read_bytes())["labels.txt"] == b"yes\nno\n"
    assert {note["rule"]: note["applied"] for note in found["fusion"]}["drop-key-bias"] is key_bias_dropped
    assert report.verification[0].error < 1e-5
