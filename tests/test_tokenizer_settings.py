"""Settings of a tokenizer on their way from a checkpoint through a file to answers, and back into a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizer_folders import FIVE, LOWER, whole, write

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.common.files import read_lines
from mobilebert_lite.converters.checkpoints import load_checkpoint
from mobilebert_lite.converters.export import ExportRequest, export
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.errors import CheckpointError, ConversionError, DataError
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.text.tokenizer_settings import AddedToken, TokenizerSettings


@pytest.fixture
def checkpoint(tiny_config: MobileBertConfig, tmp_path: Path) -> Callable[..., Path]:
    """A classifier of as many rows as are asked for, with the tokenizer of ``files`` and nothing else."""
    def make(rows: int, head: str = "classifier", **files: Any) -> Path:
        folder = tmp_path / "checkpoint"
        config = replace(tiny_config, vocab_size=rows).with_labels(("a", "b"))
        huggingface.save(random_weights(config, {head: 2 if head == "classifier" else 0}, pooler=True, seed=0), folder)
        return write(folder, **files)

    return make


@pytest.fixture
def many(tiny_vocabulary: tuple[str, ...]) -> tuple[str, ...]:
    return (*tiny_vocabulary, "café", "zürich", "cafe", "zurich", "[E1]", "[E2]")


def test_tokenizer_json_only(checkpoint: Callable[..., Path], many: tuple[str, ...]) -> None:
    """What transformers 5 saves: as the same words in a vocab.txt."""
    found = load_checkpoint(str(checkpoint(len(many), whole=whole(many), config=LOWER)))
    assert found.tokenizer.vocabulary == many
    assert found.tokenizer.settings == TokenizerSettings()


def test_added_tokens_have_rows(checkpoint: Callable[..., Path], many: tuple[str, ...]) -> None:
    words = many[:-2]
    folder = checkpoint(len(many), vocab=words, added={"[E1]": len(words), "[E2]": len(words) + 1},
                        special={"additional_special_tokens": ["[E1]", "[E2]"]})
    tokenizer = load_checkpoint(str(folder)).tokenizer
    assert tokenizer.vocabulary == many
    assert tokenizer.words(tokenizer.encode("the [E1] cafe[E2] in").ids) == ["the", "[E1]", "cafe", "[E2]", "in"]


def test_a_checkpoint_without_vocabulary_says_what_to_give(checkpoint: Callable[..., Path]) -> None:
    with pytest.raises(CheckpointError, match=r"no vocabulary in .*vocab\.txt, vocab\.json or tokenizer\.json with"):
        load_checkpoint(str(checkpoint(300)))


def test_settings_travel_into_the_file_and_back(checkpoint: Callable[..., Path], many: tuple[str, ...],
                                                tmp_path: Path) -> None:
    """Accents kept, additional special tokens among the words, an added token and padded rows."""
    from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
    from mobilebert_lite.running.model import Model

    config = {**LOWER, "strip_accents": False, "additional_special_tokens": ["[E1]", "[E2]"]}
    rows = len(many) + 20
    folder = checkpoint(rows, vocab=many, config=config, added={"newtoken": len(many)})
    said: list[str] = []
    convert(ConvertRequest(tmp_path / "a.tflite", str(folder), lengths=(32,), quantize="none"), said.append)
    [line] = [line for line in said if line.startswith("Task Library and MediaPipe")]
    assert "capital letters with accents" in line
    assert "added tokens into pieces ([E1], [E2], newtoken)" in line
    assert any(f"{len(many)} words and 1 added token, the checkpoint's table {rows} rows" in one for one in said)

    model = Model(tmp_path / "a.tflite")
    text = "The [E1] CAFÉ[E2] in Zürich newtoken"
    expected = ["the", "[E1]", "café", "[E2]", "in", "zürich", "newtoken"]
    assert model.tokenizer.words(model.tokenizer.encode(text).ids) == expected
    assert model.provenance["lower_case"] is True
    assert model.provenance["tokenizer"]["strip_accents"] is False
    assert model.tokenizer.settings == load_checkpoint(str(folder)).tokenizer.settings
    assert sum(label.probability for label in model.classify(text)) == pytest.approx(1, abs=1e-4)

    export(ExportRequest(str(folder), "huggingface", tmp_path / "back"))
    again = load_checkpoint(str(tmp_path / "back")).tokenizer
    assert (again.vocabulary, again.settings) == (model.tokenizer.vocabulary, model.tokenizer.settings)
    assert read_lines(tmp_path / "back" / "vocab.txt") == many  # transformers numbers the rest itself


def test_text_signatures_refuse_what_they_cannot_do(checkpoint: Callable[..., Path], many: tuple[str, ...],
                                                    tmp_path: Path) -> None:
    from mobilebert_lite.conversion.pipeline import ConvertRequest, convert

    folder = checkpoint(len(many), vocab=many, config={**LOWER, "tokenize_chinese_chars": False,
                                                      "additional_special_tokens": ["[E1]"]})
    with pytest.raises(ConversionError, match=r"tokenize_chinese_chars false; added tokens \[E1\]"):
        convert(ConvertRequest(tmp_path / "a.tflite", str(folder), lengths=(16,), quantize="none", text_input=True))


def test_what_tf1_cannot_keep_is_said(checkpoint: Callable[..., Path], many: tuple[str, ...], tmp_path: Path) -> None:
    folder = checkpoint(len(many), vocab=many, config={**LOWER, "strip_accents": False,
                                                      "additional_special_tokens": ["[E1]"]})
    said: list[str] = []
    export(ExportRequest(str(folder), "tf1", tmp_path / "tf1"), said.append)
    assert "left out, for vocab.txt has no place for it: strip_accents False, added token [E1]" in said


# Provenance

def test_files_of_before_say_lower_case_alone() -> None:
    for lower in (True, False):
        assert TokenizerSettings.from_provenance({"lower_case": lower}) == TokenizerSettings.of(lower)
    assert TokenizerSettings.from_provenance({}) == TokenizerSettings()


@pytest.mark.parametrize("value", [5, {"lower_case": 1}, {"longest_word": 0}, {"longest_word": 1 << 40},
                                   {"added_tokens": {}}, {"added_tokens": ["a"]}, {"added_tokens": [{"content": ""}]},
                                   {"added_tokens": [{"content": "\ud800"}]}, {"unknown": True}, {"pad_token": ""},
                                   {"cls_token": "a\nb"}])
def test_settings_of_strangers_are_checked(value: Any) -> None:
    with pytest.raises(DataError, match="tokenizer"):
        TokenizerSettings.from_provenance({"tokenizer": value})


def test_added_tokens_must_be_in_the_vocabulary() -> None:
    with pytest.raises(DataError, match="<ent> missing among 5 words"):
        Tokenizer(FIVE, settings=TokenizerSettings(added_tokens=(AddedToken("<ent>"),)))


def test_ids_of_added_tokens_are_the_vocabularys(tmp_path: Path) -> None:
    """Wherever they stand: in the middle, and in another order than they are listed in."""
    words = (*FIVE, "<b>", "a", "<a>", "b", "<c>")
    tokens = tuple(AddedToken(word, special=True) for word in ("<c>", "<a>", "<b>"))
    tokenizer = Tokenizer(words, settings=TokenizerSettings(added_tokens=tokens))
    assert tokenizer.encode("a<a>b<b><c>a").ids == [6, 7, 8, 5, 9, 6]


def test_an_added_token_comes_out_of_no_longer_word() -> None:
    """Its line in the vocabulary is there for its id; one that is a word too does come out."""
    words = (*FIVE, "a", "##b", "ab", "##c")
    token = AddedToken("ab", single_word=True)
    apart, both = (Tokenizer(words, settings=TokenizerSettings(added_tokens=(replace(token, word=word),)))
                   for word in (False, True))
    assert apart.words(apart.encode("ab abc").ids) == ["ab", "a", "##b", "##c"]
    assert both.words(both.encode("ab abc").ids) == ["ab", "ab", "##c"]


# Masked words

def test_rows_without_a_word_are_never_given(tiny_vocabulary: tuple[str, ...]) -> None:
    """And a mask of another name is the one to be written."""
    from mobilebert_lite.tasks import find_task, masked_lm
    from mobilebert_lite.text.examples import TextExample

    settings = TokenizerSettings(mask_token="<mask>")
    tokenizer = Tokenizer([*tiny_vocabulary, "<mask>"], settings=settings)
    text = "the <mask> is"
    [features] = find_task("fill-mask").features(tokenizer, TextExample(text), 8)
    assert features.masked is not None
    assert features.masked.tolist() == [2]
    rows = len(tokenizer.vocabulary) + 3
    logits = np.zeros((1, 8, rows), np.float32)
    logits[..., -1], logits[..., 200], logits[..., 40] = 9, 5, 4
    [[first, second]] = masked_lm.decode(features, {"logits": logits}, tokenizer, [text], top=2)
    assert [first.token, second.token] == [tokenizer.vocabulary[200], tokenizer.vocabulary[40]]
    assert first.text == f"the {tokenizer.vocabulary[200]} is"
    assert first.probability == pytest.approx(np.exp(5) / (np.exp(9) + np.exp(5) + np.exp(4) + rows - 3), rel=1e-5)
