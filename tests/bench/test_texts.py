"""Inputs of a measurement: valid ids of real texts, and files of other toolkits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import LENGTHS

from mobilebert_lite.benchmarks.measuring.texts import MIXED, inputs_of, read_texts
from mobilebert_lite.benchmarks.subject import read_subject, roles
from mobilebert_lite.errors import DataError, ModelFileError
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.tflite.flatbuffer import read_model, write_model

Converted = Callable[[str, str], Path]


def test_a_file_of_ours_says_everything(converted: Converted) -> None:
    path = converted("classification", "int8")
    subject = read_subject(path)
    assert subject.lengths == LENGTHS
    assert (subject.file.name, subject.file.task, subject.file.recipe) == (path.name, "classification", "int8")
    assert subject.file.bytes == path.stat().st_size
    assert subject.warnings == ()


def test_inputs_are_the_texts(converted: Converted) -> None:
    """Each input is what the task makes of an example: no random ids, nothing outside the vocabulary."""
    subject = read_subject(converted("classification", "int8"))
    examples = read_texts(None, subject.task)
    inputs = inputs_of(subject.task, subject.tokenizer, examples, subject.entries, LENGTHS[1])
    expected = {tuple(features.ids.tolist()) for example in examples
                for features in subject.task.features(subject.tokenizer, example, LENGTHS[1])}
    assert len(inputs) == len(examples)
    assert {tuple(one.arrays["ids"][0].tolist()) for one in inputs} == expected
    assert all(one.tokens == one.arrays["mask"].sum() for one in inputs)
    assert len({one.tokens for one in inputs}) > 5
    assert all(one.arrays["ids"].max() < len(subject.tokenizer.vocabulary) for one in inputs)
    again = inputs_of(subject.task, subject.tokenizer, examples, subject.entries, LENGTHS[1])
    assert all(np.array_equal(a.arrays["ids"], b.arrays["ids"]) for a, b in zip(inputs, again, strict=True))


def test_mixed_takes_the_shortest_signature(converted: Converted) -> None:
    subject = read_subject(converted("classification", "int8"))
    inputs = inputs_of(subject.task, subject.tokenizer, read_texts(None, subject.task), subject.entries, MIXED)
    assert {one.arrays["ids"].shape[1] for one in inputs} == set(LENGTHS)
    for one in inputs:
        length = one.arrays["ids"].shape[1]
        assert one.signature == f"classification_{length}"
        assert length == min(known for known in LENGTHS if known >= one.tokens)


def test_texts_of_ones_own(converted: Converted, tmp_path: Path) -> None:
    subject = read_subject(converted("classification", "int8"))
    data = tmp_path / "texts.tsv"
    data.write_text("text\tlabel\nthe water was cold\tmusic\n")
    [one] = inputs_of(subject.task, subject.tokenizer, read_texts(data, subject.task), subject.entries, LENGTHS[0])
    assert subject.tokenizer.words(one.arrays["ids"][0, 1:4].tolist()) == ["the", "water", "was"]
    with pytest.raises(ModelFileError, match="no signature of 64 tokens; the file has 32, 48"):
        inputs_of(subject.task, subject.tokenizer, read_texts(data, subject.task), subject.entries, 64)
    with pytest.raises(DataError, match="no data file at"):
        read_texts(tmp_path / "absent.tsv", subject.task)


@pytest.mark.parametrize(("names", "expected"), [
    (["input_ids", "attention_mask", "token_type_ids"], "ids mask segment_ids"),
    (["serving_default_token_type_ids:0", "serving_default_input_ids:0", "serving_default_attention_mask:0"],
     "segment_ids ids mask"),
    (["input_word_ids", "input_mask", "input_type_ids"], "ids mask segment_ids"),
    (["args_0", "args_1", "args_2"], "ids mask segment_ids"),
    (["segment_ids", "mask", "ids"], "segment_ids mask ids"),
    (["input_ids"], "ids"),
])
def test_roles_of_inputs(names: list[str], expected: str) -> None:
    assert {name: role for role, name in roles(names).items()} == dict(zip(names, expected.split(), strict=True))


def test_too_many_inputs_are_none_of_a_text() -> None:
    assert roles(["a", "b", "c", "d"]) == {}


@pytest.fixture
def foreign(converted: Converted, tmp_path: Path) -> Path:
    """The tiny file as another toolkit would leave it: no vocabulary, no description, no signatures."""
    model = read_model(converted("qa", "int8").read_bytes())
    model.subgraphs, model.signatureDefs, model.metadata = model.subgraphs[:1], [], []
    path = tmp_path / "foreign.tflite"
    path.write_bytes(write_model(model))
    return path


def test_files_of_other_toolkits(foreign: Path, tiny_vocabulary: tuple[str, ...]) -> None:
    subject = read_subject(foreign)
    assert subject.lengths == (max(LENGTHS),)
    assert subject.word_rows == len(tiny_vocabulary)
    assert "carries no vocabulary" in subject.warnings[0]
    inputs = inputs_of(subject.task, subject.tokenizer, read_texts(None, subject.task), subject.entries, max(LENGTHS),
                       word_rows=subject.word_rows)
    assert max(int(next(iter(one.arrays.values())).max()) for one in inputs) < len(tiny_vocabulary)
    given = read_subject(foreign, Tokenizer(tiny_vocabulary))
    assert given.warnings == ()
    assert given.tokenizer.vocabulary == tiny_vocabulary


def test_a_file_without_texts(tmp_path: Path, foreign: Path) -> None:
    model = read_model(foreign.read_bytes())
    model.subgraphs[0].inputs = model.subgraphs[0].inputs[:0]
    (tmp_path / "none.tflite").write_bytes(write_model(model))
    with pytest.raises(ModelFileError):
        read_subject(tmp_path / "none.tflite")
