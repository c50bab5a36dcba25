"""The tokenizer against the recorded output of the reference, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

from mobilebert_lite.converters.checkpoints import demonstration
from mobilebert_lite.errors import DataError
from mobilebert_lite.text.tokenization import Encoding, Tokenizer, parse_vocabulary

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


@pytest.mark.parametrize(("name", "lower_case", "size"),
                         [("uncased", True, 30522), ("multilingual_cased", False, 119547)])
def test_every_recorded_case(shared: Callable[..., Path], name: str, lower_case: bool, size: int) -> None:
    tokenizer = Tokenizer.from_file(shared("data", "vocab", f"{name}.txt"), lower_case)
    cases = json.loads(shared("data", "tokenization", "wordpiece_cases.json").read_text(encoding="utf-8"))
    cases = cases["cases"][name]
    assert len(cases) == 1231
    assert len(tokenizer.vocabulary) == size
    assert (tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id,
            tokenizer.mask_id) == (0, 100, 101, 102, 103)
    encoded = tokenizer.encode_batch([case["text"] for case in cases])
    wrong = [case["text"] for case, item in zip(cases, encoded, strict=True)
             if item.ids != case["ids"] or item.offsets != [tuple(span) for span in case["offsets"]]]
    assert wrong == []


def test_one_text_is_encoded_as_in_a_batch(small: Tokenizer) -> None:
    texts = ["the cat", "", "on the mat."]
    assert [small.encode(text) for text in texts] == small.encode_batch(texts)
    assert small.encode("").ids == []


def test_offsets_count_code_points_of_the_original(small: Tokenizer) -> None:
    encoding = small.encode("😀 THÉ  cats")
    assert small.words(encoding.ids) == ["[UNK]", "the", "cat", "##s"]
    assert encoding.offsets == [(0, 1), (2, 5), (7, 10), (10, 11)]


def test_cased_keeps_case_and_accents() -> None:
    vocabulary = [*SPECIAL, "The", "the", "é", "e"]
    assert Tokenizer(vocabulary, lower_case=False).encode("The the é e").ids == [4, 5, 6, 7]
    assert Tokenizer(vocabulary, lower_case=True).encode("The the é e").ids == [5, 5, 7, 7]


def test_a_special_token_in_a_text_is_itself_as_in_the_reference(small: Tokenizer) -> None:
    assert small.encode("cat[SEP]").ids == [*small.encode("cat").ids, small.sep_id]
    assert small.sep_id not in small.encode("[sep]").ids


def test_a_word_of_more_than_100_characters_is_unknown(small: Tokenizer) -> None:
    assert len(small.encode("a" * 100).ids) == 100
    assert small.encode("a" * 101).ids == [small.unk_id]


def test_the_mask_may_be_missing() -> None:
    assert Tokenizer(SPECIAL).mask_id is None
    assert Tokenizer([*SPECIAL, "[MASK]"]).mask_id == 4


def test_the_last_of_two_equal_words_counts() -> None:
    tokenizer = Tokenizer([*SPECIAL, "cat", "dog", "cat"])
    assert tokenizer.encode("cat dog").ids == [6, 5]
    assert tokenizer.words([4, 6]) == ["cat", "cat"]


@pytest.mark.parametrize("missing", SPECIAL)
def test_a_vocabulary_without_a_special_token_is_refused(missing: str) -> None:
    with pytest.raises(DataError, match=rf"\[{missing[1:-1]}\] missing among 3 words"):
        Tokenizer([word for word in SPECIAL if word != missing])


def test_words_refuses_ids_outside_the_vocabulary(small: Tokenizer) -> None:
    for bad in (-1, len(small.vocabulary)):
        with pytest.raises(DataError, match=f"id {bad} is outside"):
            small.words([0, bad])


def test_half_a_surrogate_pair_is_refused(small: Tokenizer) -> None:
    with pytest.raises(DataError, match="character 4"):
        small.encode("cat \ud83d")


def test_only_newlines_end_a_word_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes("\n".join([*SPECIAL, "a\u2028b", " c", ""]).encode())
    assert Tokenizer.from_file(path).vocabulary == (*SPECIAL, "a\u2028b", " c")
    assert parse_vocabulary(b"a\nb") == ("a", "b")


@pytest.mark.parametrize("data", [
    b"a\r\n\r\nb\r\n\n", b"\xef\xbb\xbfa\n\nb", "a\r\n\r\nb\r\n".encode("utf-16"), b"a\n\nb\r\n\r\n\r\n", b"a\n\nb\r"])
def test_marks_line_ends_and_blank_ends_are_no_words(data: bytes) -> None:
    """A blank line in the middle is one: it has an id."""
    assert parse_vocabulary(data) == ("a", "", "b")


# What the phone clients do otherwise

@pytest.fixture
def phone() -> Tokenizer:
    words = ["é", "e", "É", "a", "##b", "ab", "[", "]", "sep", "—", "日", "\u00a0"]
    return Tokenizer([*SPECIAL, *words], behavior="phone")


@pytest.mark.parametrize(("text", "words"), [
    ("AB É é E", ["ab", "É", "é", "e"]),           # ASCII is lower-cased, accents stay
    ("e\u0301", ["[UNK]"]),
    ("[SEP]", ["[", "sep", "]"]),                  # no special tokens
    ("a—a日ab", ["a", "—", "a", "日", "ab"]),       # punctuation and CJK stand alone
    ("a\u00a0a a\x01", ["[UNK]", "[UNK]"]),        # neither a space nor removed
    ("a\ta\n a", ["a", "a", "a"]),
    ("a ab\0 a", ["a", "ab"]),                     # a C string ends there
    ("\0a", []),
])
def test_phone_clients(phone: Tokenizer, text: str, words: list[str]) -> None:
    assert phone.words(phone.encode(text).ids) == words


def test_phone_clients_count_bytes(phone: Tokenizer) -> None:
    long = "ab" + "b" * 98
    assert len(phone.encode(long).ids) == 99
    assert phone.encode(long + "b").ids == [phone.unk_id]
    vocabulary = [*SPECIAL, "é", "##é", "a"]
    phone, reference = (Tokenizer(vocabulary, lower_case=False, behavior=name) for name in ("phone", "reference"))
    assert phone.encode("a " + "é" * 50).ids == [6, 4, *[5] * 49]
    assert phone.encode("a " + "é" * 51 + " a") == Encoding([6, 1, 6], [(0, 1), (2, 53), (54, 55)])
    assert len(reference.encode("é" * 51).ids) == 51


def test_phone_clients_lower_case_for_any_vocabulary() -> None:
    vocabulary = [*SPECIAL, "A", "a"]
    assert Tokenizer(vocabulary, lower_case=False, behavior="phone").encode("A a").ids == [5, 5]


def test_other_behaviours_are_refused() -> None:
    with pytest.raises(DataError, match="unknown tokenizer 'ios'; known are reference, phone"):
        Tokenizer(SPECIAL, behavior="ios")


def test_the_case_file_is_reproducible(tmp_path: Path) -> None:
    """What the command writes is what the tokenizers say, twice."""
    paths = [tmp_path / name for name in ("one.json", "two.json")]
    for path in paths:
        subprocess.run([sys.executable, ROOT / "scripts/tokenizer_cases.py", "--count", "700", "--output", path],
                       check=True, capture_output=True)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    written = json.loads(paths[0].read_text(encoding="utf-8"))["cases"]
    assert list(written) == ["reference-lower", "reference-cased", "phone-lower", "phone-cased"]
    vocabulary = demonstration("qa") / "vocab.txt"
    for name, cases in written.items():
        behavior, case = name.split("-")
        tokenizer = Tokenizer.from_file(vocabulary, case == "lower", behavior)
        assert len(cases) == 701
        for one in cases:
            encoding = tokenizer.encode(one["text"])
            assert (encoding.ids, encoding.offsets) == (one["ids"], [tuple(span) for span in one["offsets"]])
    assert written["reference-lower"] != written["phone-lower"] != written["reference-cased"]


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    with pytest.raises(DataError, match=r"no vocabulary at .*vocab\.txt"):
        Tokenizer.from_file(path)
    with pytest.raises(DataError, match="cannot be read"):
        Tokenizer.from_file(tmp_path)
    path.write_bytes(b"[PAD]\n\xff\n")
    with pytest.raises(DataError, match=r"vocab\.txt: .*not UTF-8 at byte 6"):
        Tokenizer.from_file(path)
    path.write_text("[PAD]\n[UNK]\n[CLS]\n")
    with pytest.raises(DataError, match=r"vocab\.txt: .*\[SEP\] missing"):
        Tokenizer.from_file(path)
