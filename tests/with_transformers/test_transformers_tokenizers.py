"""Tokenizer folders of both versions of transformers: the same ids and offsets as their own AutoTokenizer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from transformers_support import VERSIONS, start
from transformers_texts import PAIRS, RENAMED, TEXTS

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.converters.checkpoints import load_checkpoint
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.text.features import pack
from mobilebert_lite.text.tokenization import Tokenizer

pytestmark = [pytest.mark.transformers, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def texts(shared: Callable[..., Path]) -> list[str]:
    """Those of the shared cases, and those that hold added tokens."""
    cases = json.loads(shared("data", "tokenization", "wordpiece_cases.json").read_text(encoding="utf-8"))["cases"]
    return [*(case["text"] for case in cases["uncased"]), *TEXTS]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, shared: Callable[..., Path], texts: list[str]
            ) -> Callable[[str], Path]:
    """``written(version)``: the folder with one folder for each setting."""
    root = tmp_path_factory.mktemp("tokenizers")
    vocabularies = {"uncased": shared("data", "vocab", "uncased.txt"),
                    "cased": shared("data", "vocab", "multilingual_cased.txt"), "renamed": root / "renamed.txt"}
    words = vocabularies["uncased"].read_text(encoding="utf-8").split("\n")
    vocabularies["renamed"].write_text("\n".join(RENAMED.get(word, word) for word in words), encoding="utf-8")

    @cache
    def write(version: str) -> Path:
        given = {"vocabularies": {name: str(path) for name, path in vocabularies.items()}, "texts": texts,
                 "pairs": PAIRS}
        start(version, "tokenizer_folders.py", [root / version], json.dumps(given))
        return root / version

    return write


def read(folder: Path, rows: int, place: Path) -> Tokenizer:
    """The tokenizer of a checkpoint that has the files of ``folder`` and a word table of ``rows``."""
    config = MobileBertConfig(vocab_size=rows, hidden_size=16, num_hidden_layers=1, intermediate_size=16,
                              embedding_size=4, intra_bottleneck_size=8, max_position_embeddings=64,
                              num_feedforward_networks=1)
    huggingface.save(random_weights(config, {"qa": 2}), place)
    for path in folder.iterdir():
        if path.name != "expected.json":
            shutil.copy(path, place)
    return load_checkpoint(str(place)).tokenizer


def compare(tokenizer: Tokenizer, expected: dict[str, Any], texts: list[str]) -> None:
    """Ids, offsets, special tokens and whole padded pairs."""
    found = tokenizer.encode_batch(texts)
    different = [(text, one.ids, ids, one.offsets, offsets) for text, one, ids, offsets in
                 zip(texts, found, expected["ids"], map(to_tuples, expected["offsets"]), strict=True)
                 if one.ids != ids or [*map(tuple, one.offsets)] != offsets]
    assert different[:3] == []
    assert {name: getattr(tokenizer, f"{name}_id") for name in expected["special"]} == expected["special"]
    for (first, second), theirs in zip(PAIRS, expected["pairs"], strict=True):
        inputs = pack(tokenizer, first, second, 48).inputs()
        assert {name: inputs[name].ravel().tolist() for name in theirs} == theirs


def to_tuples(offsets: list[list[int]]) -> list[tuple[int, ...]]:
    return [tuple(pair) for pair in offsets]


@pytest.mark.parametrize("version", VERSIONS)
def test_ids_and_offsets_are_those_of_the_auto_tokenizer(written: Callable[[str], Path], texts: list[str],
                                                         tmp_path: Path, subtests: pytest.Subtests,
                                                         version: str) -> None:
    """Of every setting that ``tokenizer_folders.py`` names."""
    folders = sorted(written(version).iterdir())
    assert len(folders) >= 18
    for folder in folders:
        with subtests.test(folder.name):
            expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
            compare(read(folder, expected["rows"], tmp_path / folder.name), expected, texts)


# The class that writes makes no difference, and fast tokenizers do not obey never_split.
WITHOUT_EFFECT = {"tf5": {"never split"}, "tf446": {"never split", "never split (slow)", "uncased (slow)"}}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_setting_changes_something(written: Callable[[str], Path], version: str) -> None:
    """Or a setting that nobody obeys would go unseen."""
    answers = {folder.name: json.loads((folder / "expected.json").read_text(encoding="utf-8"))
               for folder in written(version).iterdir()}
    plain = answers.pop("uncased")
    alike = {name for name, found in answers.items()
             if (found["ids"], found["offsets"]) == (plain["ids"], plain["offsets"])}
    assert alike == WITHOUT_EFFECT[version]
