"""Texts into a file that tokenizes them itself, against the tokenizer and the ordinary signatures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, examples
from hypothesis import given
from hypothesis import strategies as st

from mobilebert_lite.conversion.text_input import differences, normalizer, trie
from mobilebert_lite.errors import ModelFileError, VerificationError
from mobilebert_lite.inspection.report import inspect
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tasks import find_task
from mobilebert_lite.text.examples import QuestionExample, TextExample
from mobilebert_lite.text.tokenization import Encoding, Tokenizer
from mobilebert_lite.tflite import container as metadata

# The table

def look_up(units: np.ndarray, key: bytes) -> int | None:
    """What Darts-clone's exactMatchSearch does."""
    def offset(unit: int) -> int:
        return (unit >> 10) << ((unit & 0x200) >> 6)

    place = 0
    unit = int(units[0])
    for byte in key:
        place ^= offset(unit) ^ byte
        unit = int(units[place])
        if unit & 0x800000FF != byte:
            return None
    if not unit >> 8 & 1:
        return None
    return int(units[place ^ offset(unit)]) & 0x7FFFFFFF


KEYS = st.binary(min_size=1, max_size=5).filter(lambda key: 0 not in key)


@examples(60)
@given(table=st.dictionaries(KEYS, st.integers(0, 2**31 - 1), min_size=1, max_size=60),
       others=st.lists(KEYS, max_size=20))
def test_a_trie_holds_its_table_and_no_more(table: dict[bytes, int], others: list[bytes]) -> None:
    units = trie.build(table)
    assert {key: look_up(units, key) for key in table} == table
    for key in [*others, *(key[:-1] for key in table if len(key) > 1), *(key + b"x" for key in table)]:
        assert look_up(units, key) == table.get(key)


def test_equal_subtrees_are_stored_once() -> None:
    """A hundred thousand characters that all vanish take a few kilobytes."""
    table = {chr(code).encode(): 7 for code in range(0x20000, 0x38000)}
    units = trie.build(table)
    assert len(units) <= 2048
    assert look_up(units, chr(0x2ABCD).encode()) == 7
    assert look_up(units, chr(0x38000).encode()) is None


@pytest.mark.parametrize(("strip_accents", "lower_case"), [
    (None, False), (False, True),
    *(pytest.param(*both, marks=pytest.mark.slow)
      for both in ((None, True), (True, True), (True, False), (False, False)))])
def test_the_table_is_tensorflow_texts_format(lower_case: bool, strip_accents: bool | None) -> None:
    """tensorflow-text reads it, and does to whole texts what the reference does."""
    from tensorflow_text import FastBertNormalizer
    from tokenizers.normalizers import BertNormalizer

    reference = BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=strip_accents,
                               lowercase=lower_case)
    texts = ["½² ﬁ … ™ ＡＢＣ １２３", "Éé e\u0301 Åß ẞ İı Ǆ Ω", "\ue000a\u00adb\u200b\ufeff\x00\x01\t\r\n\u2028\u3000",
             "한국어 हिन्दी עברית", "plain text", "", "𝒜 😀 \U000e0001"]
    found = FastBertNormalizer(model_buffer=normalizer.model(lower_case, strip_accents)).normalize(texts).numpy()
    assert [text.decode() for text in found] == [reference.normalize_str(text) for text in texts]


# The file

@pytest.fixture(scope="module")
def classifier(tiny_classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mobilebert_lite.conversion.pipeline import ConvertRequest, convert

    path = tmp_path_factory.mktemp("text") / "classifier.tflite"
    convert(ConvertRequest(path, str(tiny_classifier), lengths=(16, 24), quantize="none", text_input=True))
    return path


@pytest.fixture(scope="module")
def session(classifier: Path) -> Session:
    from tensorflow_text.core.pybinds import tflite_registrar

    return Session(classifier.read_bytes(), custom_operators=tflite_registrar.SELECT_TFTEXT_OPS)


@pytest.mark.parametrize(("text", "pair"), [
    ("Wake me up", ""),
    ("wáke Mé úp ät ½ past 7…", ""),
    ("one two three four five six seven eight nine ten eleven twelve thirteen", ""),
    ("wake me", "up now"),
    ("one two three four five six seven eight nine ten eleven twelve thirteen", "a b c"),
    ("a b c", "one two three four five six seven eight nine ten eleven twelve thirteen"),
    ("one two three four five six seven eight nine", "one two three four five six seven eight nine ten"),
])
@pytest.mark.parametrize("length", [16, 24])
def test_texts_give_what_ids_give(session: Session, tiny_vocabulary: tuple[str, ...], text: str, pair: str,
                                  length: int) -> None:
    example = TextExample(text, pair or None)
    [features] = find_task("classification").features(Tokenizer(tiny_vocabulary), example, length)
    expected = session.run(f"classification_{length}", features.inputs())
    found = session.run(f"classification_text_{length}", {"text": np.array([text.encode()]),
                                                          "pair": np.array([pair.encode()])})
    assert np.abs(found["probability"] - expected["probability"]).max() < 1e-6
    raw = (pair or text).encode()
    in_characters = [[len(raw[:place].decode()) if place >= 0 else -1 for place in span]
                     for span in found["offsets"][0].tolist()]
    assert in_characters == features.offsets.tolist()


def test_the_file_says_what_it_needs(classifier: Path, tiny_vocabulary: tuple[str, ...]) -> None:
    """Its ordinary signatures run without the operators; the others say that they are missing."""
    told = metadata.read_provenance(classifier.read_bytes())["text_input"]
    assert told["signatures"] == ["classification_text_24", "classification_text_16"]
    assert any("Wordpiece" in name for name in told["operators"])
    assert (told["agreement"], told["texts"] > 20) == (1, True)
    plain = Session(classifier.read_bytes())
    [features] = find_task("classification").features(Tokenizer(tiny_vocabulary), TextExample("wake me"), 16)
    assert plain.run("classification_16", features.inputs())["probability"].shape == (1, 4)
    with pytest.raises(ModelFileError, match="unresolved custom op"):
        plain.run("classification_text_16", {"text": np.array([b"a"]), "pair": np.array([b""])})
    signatures = {one.name: one for one in inspect(classifier).signatures}
    assert signatures["classification_24"].delegation is not None
    assert signatures["classification_text_24"].delegation is None
    assert [tensor.name for tensor in signatures["classification_text_24"].inputs] == ["pair", "text"]


@pytest.mark.slow
def test_questions(tiny_qa: Path, tiny_questions: Path, tiny_vocabulary: tuple[str, ...], tmp_path: Path) -> None:
    """Through the command; the context is cut as the first window is."""
    from tensorflow_text.core.pybinds import tflite_registrar

    output = tmp_path / "qa.tflite"
    command = [str(Path(sys.executable).with_name("mbl")), "convert", "--weights", tiny_qa, "--seq-len", "32",
               "--quantize", "dynamic", "--calibration", tiny_questions, "--text-input", "-o", output]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    session = Session(output.read_bytes(), custom_operators=tflite_registrar.SELECT_TFTEXT_OPS)
    question, context = "When does it stop?", "The shop is open from nine until twelve and then again until six."
    features = find_task("qa").features(Tokenizer(tiny_vocabulary), QuestionExample("1", question, context), 32)
    expected = session.run("qa_32", features[0].inputs())
    found = session.run("qa_text_32", {"question": np.array([question.encode()]),
                                       "context": np.array([context.encode()])})
    assert len(features) > 1
    assert found["offsets"][0].tolist() == features[0].offsets.tolist()
    for name, value in expected.items():
        assert np.abs(found[name] - value).max() < 1e-5


def test_a_front_end_that_differs_is_refused(classifier: Path, tiny_vocabulary: tuple[str, ...]) -> None:
    """Here because the tokenizer beside it is another."""
    from mobilebert_lite.conversion.text_input.attach import verify

    other = Tokenizer([*tiny_vocabulary[:5], *reversed(tiny_vocabulary[5:])])
    with pytest.raises(VerificationError, match=r"text input differs from the tokenizer on .* of 2 texts"):
        verify(classifier.read_bytes(), other, find_task("classification"), (16,),
               [TextExample("wake me up"), TextExample("play music")], threads=1)


# Rules

@pytest.mark.parametrize(("text", "offsets", "rule"), [
    ("cat", [(0, 3)], None),
    ("cat", [(0, 2)], differences.UNEXPLAINED),
    ("cat\u0301 a", [(0, 4), (5, 6)], "removed character"),
    ("cat a", [(0, 4), (4, 5)], differences.UNEXPLAINED),
    ("각 a", [(0, 0), (0, 0), (0, 1), (2, 3)], "decomposed character"),
    ("각 a", [(0, 0), (0, 0), (0, 1), (2, 2)], differences.UNEXPLAINED),
])
def test_rules_about_places(text: str, offsets: list[tuple[int, int]], rule: str | None) -> None:
    tokenizer = Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "cat", "a", "\u1100", "##\u1161", "##\u11a8"])
    ours = Encoding(tokenizer.encode(text).ids, offsets)
    assert differences.explain(tokenizer, lambda _: ours, text) == rule


def test_rules_about_ids(small: Tokenizer) -> None:
    def split(text: str) -> Encoding:
        return small.encode(text.replace("[SEP]", "[ sep ]").replace("é" * 60, "\x01☃"))

    assert differences.explain(small, split, "cat [SEP]") == "special token"
    assert differences.explain(small, split, "cat " + "é" * 60) == "long word"
    assert differences.explain(small, lambda text: small.encode(text + "x"), "cat [SEP]") == differences.UNEXPLAINED
    assert differences.explain(small, lambda text: small.encode(text + "x"), "cat") == differences.UNEXPLAINED


@pytest.mark.slow
def test_every_difference_has_a_name(shared: Callable[..., Path]) -> None:
    cases = json.loads(shared("data", "tokenization", "wordpiece_cases.json").read_text(encoding="utf-8"))["cases"]
    assert [len(each) for each in cases.values()] == [1231, 1231]
    done = subprocess.run([sys.executable, ROOT / "benchmarks/suites/text_input.py", "--check"], capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("    0 unexplained") == 2
    assert done.stdout.count("1231 texts") == 2
