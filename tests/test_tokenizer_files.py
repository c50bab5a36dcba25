"""What the files beside a checkpoint say of its tokenizer, against Hugging Face tokenizers and transformers' rules."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from tokenizer_folders import BERT, CASED, FIVE, LOWER, NAMES, RENAMED, WORDS, whole, write
from tokenizers import AddedToken as HubToken
from tokenizers import Tokenizer as Backend
from tokenizers.models import BPE

from mobilebert_lite.architecture.config import read_json
from mobilebert_lite.common.files import read_lines
from mobilebert_lite.converters.checkpoints import load_checkpoint
from mobilebert_lite.converters.tokenizers import reading as tokenizer_files
from mobilebert_lite.converters.tokenizers import writing as tokenizer_writing
from mobilebert_lite.converters.tokenizers.reading import ReadTokenizer
from mobilebert_lite.errors import DataError
from mobilebert_lite.text.tokenization import Tokenizer, parse_vocabulary
from mobilebert_lite.text.tokenizer_settings import TokenizerSettings

TEXTS = (
    "The café Café CAFÉ cafe\u0301 É e\u0301", "日本 日本語the日", "the [E1] rain[E2]in [e1]",
    "[CLS] [SEP][MASK] <mask>x </s>",
    "newtoken newtokens NEWTOKEN  xnewtoken", " <ent>  rain<ENT> a<ent>", "rain Rain rainy, RAIN.",
    "a\x00b\x01c\u200bd\u00ade\ufeff",
    "tab\tnew\nline\u2028end\u3000x", "", " ", "½ ﬁ ²", "ß ẞ Σς İ ı Ǆ",
    "x" * 101, "한국 हिन्दी", "😀the😀", "caf\u00e9\u0301x", "1.5 <s>a</s>")


def read(folder: Path, rows: int | None = None) -> ReadTokenizer:
    return tokenizer_files.read(tokenizer_files.find(folder), rows)


def words_of(text: str, found: ReadTokenizer) -> list[str]:
    tokenizer = found.tokenizer()
    return tokenizer.words(tokenizer.encode(text).ids)


def carried(found: ReadTokenizer) -> Tokenizer:
    """The tokenizer after the way through a file: a vocabulary of lines, settings as JSON."""
    lines = "".join(f"{word}\n" for word in found.words).encode()
    provenance = json.loads(json.dumps(found.settings.provenance()))
    return Tokenizer(parse_vocabulary(lines), settings=TokenizerSettings.from_provenance(provenance))


def assert_equal(tokenizer: Tokenizer, backend: Backend, texts: tuple[str, ...] = TEXTS) -> None:
    expected = backend.encode_batch(list(texts), add_special_tokens=False)
    found = tokenizer.encode_batch(texts)
    wrong = [(text, tokenizer.words(ours.ids), theirs.tokens) for text, ours, theirs
             in zip(texts, found, expected, strict=True)
             if (ours.ids, ours.offsets) != (theirs.ids, theirs.offsets)]
    assert wrong == []


# Against tokenizers

TOKENS = (
    (), (HubToken("newtoken"), HubToken("<ent>", special=True)),
    (HubToken("newtoken", single_word=True, normalized=False), HubToken("rain", single_word=True), HubToken("CAFÉ")),
    (HubToken("<ent>", lstrip=True, rstrip=True), HubToken("[E1]", special=True), HubToken("[E2]", special=True)),
)
FLAGS = tuple({"lowercase": lower, "strip_accents": accents, "handle_chinese_chars": chinese, "clean_text": clean}
              for lower, accents, chinese, clean in product((True, False), (None, True, False), *[(True, False)] * 2))


@pytest.mark.parametrize("tokens", TOKENS, ids=("none", "added", "flags", "special"))
@pytest.mark.parametrize("five", [FIVE, RENAMED], ids=("bert", "renamed"))
def test_tokenizer_json_alone_is_obeyed(tmp_path: Path, tokens: tuple[HubToken, ...], five: tuple[str, ...]) -> None:
    """Every setting of the normalizer: ids and offsets are those of tokenizers, after the way through a file too."""
    for i, flags in enumerate(FLAGS):
        value = whole(five=five, tokens=tokens, **flags)
        found = read(write(tmp_path / str(i), whole=value, config={"tokenizer_class": "PreTrainedTokenizerFast",
                                                                    **dict(zip(NAMES, five, strict=True))}))
        assert found.settings.special_tokens == five
        assert_equal(carried(found), Backend.from_str(json.dumps(value)))
        # As written by us and read again, by tokenizers too where that is the file that counts.
        back = tmp_path / f"back{i}"
        back.mkdir()
        for name, content in tokenizer_writing.files(found.words, found.settings).items():
            (back / name).write_bytes(content)
        again = read(back)
        assert (again.words, again.settings, again.notes) == (found.words, found.settings, ())
        assert (back / "tokenizer.json").exists() is (not flags["clean_text"])
        if not flags["clean_text"]:
            assert_equal(carried(found), Backend.from_file(str(back / "tokenizer.json")))


def test_the_recorded_texts_with_other_settings(shared: Callable[..., Path], tmp_path: Path) -> None:
    cases = json.loads(shared("data", "tokenization", "wordpiece_cases.json").read_text(encoding="utf-8"))["cases"]
    texts = tuple(case["text"] for case in cases["multilingual_cased"])
    words = read_lines(shared("data", "vocab", "uncased.txt"))
    value = whole(words, tokens=TOKENS[2], strip_accents=False, handle_chinese_chars=False)
    found = read(write(tmp_path, whole=value, config={"strip_accents": False, "tokenize_chinese_chars": False}),
                 len(words) + 2)
    assert_equal(carried(found), Backend.from_str(json.dumps(value)), texts)


# Which file counts: what AutoTokenizer of transformers 5.24 gave for the same files

NEW = {"content": "NEW", "lstrip": False, "rstrip": False, "single_word": False, "normalized": True, "special": False}


@pytest.mark.parametrize(("files", "text", "words", "note"), [
    ({"whole": whole(lowercase=True), "config": CASED}, "The", ["The"], "do_lower_case false"),
    ({"whole": whole(lowercase=False), "config": BERT}, "The", ["the"], "do_lower_case true, strip_accents true"),
    ({"whole": whole(lowercase=False), "config": {**BERT, "tokenizer_class": "PreTrainedTokenizerFast",
                                                 "do_lower_case": True}}, "The", ["The"], None),
    ({"whole": whole(lowercase=False)}, "The", ["The"], "transformers wants it in tokenizer_config.json"),
    ({"whole": whole(strip_accents=False), "config": LOWER}, "Café", ["cafe"], "strip_accents"),
    ({"whole": whole(), "config": {**LOWER, "strip_accents": False}}, "Café", ["café"],
     "strip_accents false"),
    ({"vocab": WORDS, "config": {**CASED, "strip_accents": True}}, "Café", ["Cafe"], None),
    ({"vocab": WORDS, "config": {**LOWER, "tokenize_chinese_chars": False}}, "日本", ["日本"], None),
    ({"vocab": WORDS}, "The", ["The"], "there is no tokenizer_config.json"),
    ({"vocab": WORDS, "config": BERT}, "The", ["the"], "does not say do_lower_case false"),
    ({"vocab": (*FIVE, "b", "a"), "whole": whole((*FIVE, "a", "b"))}, "a b", ["a", "b"], "disagree about 2 words"),
    ({"vocab": WORDS, "config": {**LOWER, "never_split": ["[E1]"]}}, "[E1]", ["[", "e", "##1", "]"],
     "never_split"),
    ({"vocab": WORDS, "config": {**LOWER, "do_basic_tokenize": False}}, "The", ["the"],
     "do_basic_tokenize"),
    ({"vocab": WORDS, "config": {**LOWER, "cls_token": "<s>", "sep_token": "</s>"},
      "special": {"cls_token": "[CLS]"}}, "<s></s>", ["<", "s", ">", "</s>"], "disagree about cls_token"),
    ({"vocab": WORDS, "config": {**LOWER, "cls_token": "<s>", "added_tokens_decoder": {}},
      "special": {"cls_token": "[CLS]"}}, "<s>[SEP]", ["<s>", "[SEP]"], None),
    ({"vocab": WORDS, "config": {**LOWER, "mask_token": {
        "__type": "AddedToken", "content": "<mask>", "lstrip": True}}}, "a <mask>", ["a", "<mask>"], None),
    ({"vocab": WORDS, "config": {**LOWER, "additional_special_tokens": ["[E1]", "[new]"]}},
     "[E1][new][E2]", ["[E1]", "[new]", "[", "e", "##2", "]"], None),
    ({"vocab": WORDS, "config": {**LOWER, "extra_special_tokens": {"ent_token": "[E1]"},
                                 "pos_token": "[E2]"}}, "[E1][E2]", ["[E1]", "[E2]"], None),
    ({"vocab": WORDS, "added": {"NEW": len(WORDS)}, "config": {"do_lower_case": True}}, "xnew NEW",
     ["x", "NEW", "NEW"], None),
    ({"vocab": WORDS, "added": {"[new]": len(WORDS)}, "special": {"additional_special_tokens": ["[new]"]},
      "config": {"do_lower_case": True}}, "[new] [NEW]", ["[new]", "[", "n", "##e", "##w", "]"], None),
    ({"vocab": WORDS, "config": {**LOWER, "added_tokens_decoder": {str(len(WORDS) + 7): NEW}}},
     "NEW new", ["NEW", "NEW"], f"NEW {len(WORDS) + 7} \\(now {len(WORDS)}\\)"),
    ({"whole": whole(tokens=(HubToken("NEW"),)), "config": {**LOWER, "added_tokens_decoder": {}}},
     "new", ["n", "##e", "##w"], "does not list \\(NEW\\)"),
    ({"whole": whole(), "config": {**LOWER, "added_tokens_decoder": {"9": {**NEW, "content": "rain"}}}},
     "xrain", ["x", "rain"], "other ids"),
])
def test_which_file_counts(tmp_path: Path, files: dict[str, Any], text: str, words: list[str],
                           note: str | None) -> None:
    found = read(write(tmp_path, **files))
    assert words_of(text, found)[:len(words)] == words
    if note is None:
        assert found.notes == ()
    else:
        assert any(re.search(note, one) for one in found.notes), found.notes


def test_a_named_special_token_that_is_no_word_has_a_row_where_there_is_one(tmp_path: Path) -> None:
    """transformers appends it; a network that was never given a row for it has no mask."""
    folder = write(tmp_path, vocab=(*FIVE[:4], "a", "b"), config={"mask_token": "[MASK]"})
    assert words_of("a [MASK]", read(folder, 7)) == ["a", "[MASK]"]
    without = read(folder, 6)
    assert without.tokenizer().mask_id is None
    assert "no mask" in without.notes[0]
    assert read(write(tmp_path / "mask", vocab=FIVE[:4])).words == FIVE[:4]
    with pytest.raises(DataError, match=r"\[CLS\] missing"):
        read(write(tmp_path / "cls", vocab=(*FIVE[:2], *FIVE[3:]))).tokenizer()


# What is refused

def broken(**changes: Any) -> dict[str, Any]:
    return {**whole(), **changes}


NFD = {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"}]}
BERT_NORMALIzER = {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": False, "strip_accents": False,
                   "lowercase": False}


@pytest.mark.parametrize(("files", "message"), [
    ({"whole": whole(model=BPE({"a": 0}, []))}, "BPE, not WordPiece"),
    ({"whole": broken(normalizer=NFD)}, "the normalizer is Sequence of NFD, Lowercase, StripAccents; .* NFD is not"),
    ({"whole": broken(normalizer={"type": "Sequence", "normalizers": [{"type": "Lowercase"}, {
        **BERT_NORMALIzER, "clean_text": True}]})}, "Sequence of Lowercase, BertNormalizer, whose steps"),
    ({"whole": broken(pre_tokenizer={"type": "Whitespace"})}, "the pre-tokenizer is Whitespace"),
    ({"whole": broken(pre_tokenizer=None)}, "the pre-tokenizer is missing"),
    ({"whole": broken(post_processor={"type": "RobertaProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2],
                                      "trim_offsets": True, "add_prefix_space": True})},
     "RobertaProcessing of another form"),
    ({"whole": {"model": {"type": "WordPiece"}}}, "no tokenizer.json that"),
    ({"vocab": WORDS, "config": {"tokenizer_class": "RobertaTokenizerFast"}}, "tokenizer_class RobertaTokenizerFast"),
    ({"vocab": WORDS, "config": {"tokenizer_class": "BertJapaneseTokenizer"}}, "tokenizer_class BertJapaneseTokenizer"),
    ({"vocab": WORDS, "config": {"tokenizer_class": "PreTrainedTokenizerFast"}}, "there is none"),
    ({"vocab": WORDS, "config": {"do_lower_case": "yes"}}, "do_lower_case is 'yes'"),
    ({"vocab": WORDS, "config": {"cls_token": 5}}, "cls_token is 5"),
    ({"vocab": WORDS, "config": {"added_tokens_decoder": ["a"]}}, "added_tokens_decoder is"),
    ({"vocab": WORDS, "config": {"added_tokens_decoder": {"x": NEW}}}, "id 'x'"),
    ({"vocab": WORDS, "config": {"additional_special_tokens": "[E1]"}}, "it must be a list"),
    ({"vocab": WORDS, "config": ["do_lower_case"]}, "holds a JSON list"),
    ({"vocab": WORDS, "added": {"a\nb": 90}}, "one line of text"),
    ({"words": {"[PAD]": 0, "[UNK]": 0}}, "the id 0 to both"),
    ({"words": {"[PAD]": -1}}, "has -1"),
    ({"words": {"[PAD]": 10**12}}, "has 1000000000000"),
    ({"words": {**{word: i for i, word in enumerate(FIVE)}, "a\nb": 5}}, "is no line of a vocabulary"),
    ({}, "no vocabulary"),
])
def test_what_is_refused_by_name(tmp_path: Path, files: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, **files))


@pytest.mark.parametrize(("normalizer", "settings"), [
    (None, set()), ({"type": "Lowercase"}, {"lower_case"}),
    ({"type": "Sequence", "normalizers": [{**BERT_NORMALIzER, "clean_text": True}, {"type": "Lowercase"}]},
     {"clean_text", "lower_case"}),
    ({"type": "Sequence", "normalizers": [{**BERT_NORMALIzER, "strip_accents": None, "lowercase": True}]},
     {"strip_accents", "lower_case"})])
def test_normalizers_that_come_to_the_same(tmp_path: Path, normalizer: dict[str, Any] | None,
                                           settings: set[str]) -> None:
    value = broken(normalizer=normalizer)
    found = read(write(tmp_path, whole=value))
    said = {name for name in ("lower_case", "strip_accents", "clean_text", "chinese_characters")
            if getattr(found.settings, name)}
    assert said == settings
    assert_equal(carried(found), Backend.from_str(json.dumps(value)))


# Rows

def test_rows_and_words(tmp_path: Path) -> None:
    """More rows than words convert, and are said; words without a row are named."""
    folder = write(tmp_path / "a", vocab=WORDS, added={"NEW": len(WORDS)})
    count = len(WORDS) + 1
    assert len(read(folder, count).words) == count
    padded = read(folder, count + 7)
    assert len(padded.words) == count
    assert f"has {len(WORDS)} words and 1 added token, the checkpoint's table {count + 7} rows" in padded.notes[-1]
    with pytest.raises(DataError, match=rf"words and 1 added token, .* is {count - 2}, so that '\[E2\]', 'NEW' have"):
        read(folder, count - 2)
    with pytest.raises(DataError, match=r"vocab_size is 10, so that 'a', 'b', 'c' and \d+ more have no row"):
        read(folder, 10)
    with pytest.raises(DataError, match=f"1 added token, but the checkpoint's vocab_size is {3 * count}"):
        read(folder, 3 * count)


def test_holes_and_doubled_words(tmp_path: Path) -> None:
    """An id without a word has a line that no text gives; a doubled word has its last id, as in transformers."""
    words = {**{word: i for i, word in enumerate(FIVE)}, "a": 7, "[unused5]": 9}
    found = read(write(tmp_path / "holes", words=words))
    assert found.words == (*FIVE, "[[unused5]]", "[unused6]", "a", "[unused8]", "[unused5]")
    assert carried(found).encode("a [[unused5]] [unused6]").ids == [7, *[1] * 8]
    doubled = read(write(tmp_path / "double", vocab=(*FIVE, "a", "b", "a")))
    assert doubled.words[5:] == ("a", "b", "a")
    assert carried(doubled).encode("a b").ids == [7, 6]
    with pytest.raises(DataError, match="the id 7 to both 'a' and 'NEW'"):  # which transformers gives it
        read(write(tmp_path / "double", added={"NEW": 8}))


# Side files

BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize("change", [
    lambda data: BOM + data, lambda data: data.replace(b"\n", b"\r\n"), lambda data: data + b"\n\n",
    lambda data: data.decode().encode("utf-16"), lambda data: BOM + data.replace(b"\n", b"\r\n") + b"\r\n"],
    ids=["mark", "crlf", "blank", "utf-16", "all"])
def test_marks_line_ends_and_blank_ends_are_no_part_of_side_files(
        tiny_classifier: Path, tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    for path in tiny_classifier.iterdir():
        data = path.read_bytes()
        (tmp_path / path.name).write_bytes(data if path.suffix == ".safetensors" else change(data))
    (tmp_path / "added_tokens.json").write_bytes(change(b"{}\n"))
    (tmp_path / "labels.txt").write_bytes(change("music\nweather\nalärm\nnone\n".encode()))
    found = load_checkpoint(str(tmp_path), labels=tmp_path / "labels.txt")
    expected = load_checkpoint(str(tiny_classifier))
    assert found.tokenizer.vocabulary == expected.tokenizer.vocabulary
    assert found.tokenizer.settings == expected.tokenizer.settings
    assert found.weights.config == expected.weights.config
    assert found.labels == ("music", "weather", "alärm", "none")
    (tmp_path / "tokenizer.json").write_bytes(change(json.dumps(whole(found.tokenizer.vocabulary), indent=1).encode()))
    assert load_checkpoint(str(tmp_path)).tokenizer.vocabulary == expected.tokenizer.vocabulary
    assert read_json(tmp_path / "config.json")["model_type"] == "mobilebert"


@pytest.mark.parametrize("name", ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
                                  "tokenizer.json", "vocab.txt"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    write(tmp_path, vocab=WORDS)
    (tmp_path / name).write_bytes(b"{\xff")
    with pytest.raises(DataError, match=name):
        read(tmp_path)


# --vocab

def test_a_vocabulary_of_any_kind_can_be_given(tmp_path: Path) -> None:
    weights = write(tmp_path / "weights", config=CASED, vocab=FIVE)
    words = {word: i for i, word in enumerate(WORDS)}
    given = write(tmp_path / "given", vocab=WORDS, words=words, whole=whole(clean_text=False, lowercase=False))
    for name in ("vocab.txt", "vocab.json", "tokenizer.json"):
        other = tmp_path / f"{name}.other"
        other.write_bytes((given / name).read_bytes())
        for path in (given / name, other):
            found = tokenizer_files.read(tokenizer_files.find(weights, path))
            assert found.words == WORDS
            # The settings are those beside the weights, where none are beside the vocabulary.
            assert not found.settings.lower_case
            assert found.settings.clean_text is (name != "tokenizer.json")
    folder = write(tmp_path / "folder", vocab=WORDS, config=LOWER)
    for path in (folder, folder / "vocab.txt"):
        assert tokenizer_files.read(tokenizer_files.find(weights, path)).settings.lower_case
    with pytest.raises(DataError, match=r"no vocabulary at .*nowhere"):
        tokenizer_files.find(weights, tmp_path / "nowhere")
