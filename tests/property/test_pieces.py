"""Long texts are tokenized in pieces: token for token and offset for offset as in one go."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilebert_lite.text.features import TextPlaces, pack
from mobilebert_lite.text.tokenization import Encoding, Tokenizer
from mobilebert_lite.text.tokenizer_settings import AddedToken, TokenizerSettings

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "new", "york", "##s", "##e", "a", "b", "##b", "é", "e", ".",
         ",", "中", "文", "##文", "-", "[", "]", "sep", "y", "w", "New York", "a.b", "中文", "<x>", "c d", "ß", "##ß",
         "\u0301"]
# What cuts go wrong over: words that touch, marks that join, tokens that are matched whole and hold such places.
PARTS = ["New York", "new york", "NÉW YORK", "New\u0301 York", "new", "york", "a", "b", "A", "é", "e\u0301", "\u0301",
         "ß", "Σ", "σς", "İ", "중", "中", "文", "中文", " ", "  ", "\n", "\t", "\u00a0", "\u3000", ".", ",", "a.b",
         "A.B", "-", "。", "[SEP]", "[MASK]", "[", "]", "<x>", "c d", "C D", "\u200b", "\x00", "\ufffd", "1", "_", "😀",
         "ﬁ"]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=14).map("".join)
ADDED = (AddedToken("New York", normalized=True), AddedToken("a.b"), AddedToken("中文", single_word=True),
         AddedToken("<x>", lstrip=True, rstrip=True), AddedToken("c d", normalized=True, lstrip=True))
KINDS = {
    "uncased": {}, "cased": {"settings": TokenizerSettings.of(lower_case=False)}, "phone": {"behavior": "phone"},
    "added": {"settings": replace(TokenizerSettings.of(lower_case=True), added_tokens=ADDED)},
    "added, cased": {"settings": replace(TokenizerSettings.of(lower_case=False), added_tokens=ADDED)},
    "as it is": {"settings": replace(TokenizerSettings.of(lower_case=False), clean_text=False,
                                     chinese_characters=False)},
}


def in_pieces(kind: str, least: int) -> Tokenizer:
    tokenizer = Tokenizer(WORDS, **KINDS[kind])
    tokenizer._cutter = replace(tokenizer._cutter, least=least)
    return tokenizer


WHOLE = {kind: in_pieces(kind, 1 << 30) for kind in KINDS}
PIECES = {kind: in_pieces(kind, 1) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@given(text=TEXTS)
def test_pieces_give_what_the_whole_gives(kind: str, text: str) -> None:
    found, expected = PIECES[kind].encode(text), WHOLE[kind].encode(text)
    assert found == expected
    assert spans(found) == spans(expected)


def spans(encoding: Encoding) -> list[list[int]]:
    """Where the word of each token stands."""
    places: list[list[int]] = TextPlaces.of(encoding).words.tolist()
    return places


@given(text=TEXTS, most=st.integers(0, 9))
def test_fewer_tokens_are_the_first_of_all(text: str, most: int) -> None:
    every = WHOLE["uncased"].encode(text)
    found = PIECES["uncased"].encode(text, most)
    count = len(found.ids)
    assert (found.ids, found.offsets) == (every.ids[:count], every.offsets[:count])
    # The last word is whole, and none follows it.
    assert spans(found) == spans(every)[:count]
    assert count <= most or spans(found)[most - 1] == spans(found)[-1]
    assert count >= min(most, len(every.ids))


@pytest.mark.parametrize("kind", ["uncased", "phone"])
def test_texts_are_cut_at_all(kind: str) -> None:
    for text, places in (("ab b.a\nb", 3), ("中文中", 2), ("a" * 9, 0), ("....", 3)):
        assert len(list(PIECES[kind]._cutter.pieces(text))) > places / 2, text


@pytest.mark.parametrize("kind", KINDS)
def test_endless_words_are_one_unknown_word(kind: str) -> None:
    text = "b " + 9000 * "ab" + "。" + 5000 * "b" + "é a"
    assert PIECES[kind].encode(text) == WHOLE[kind].encode(text)
    short, missing = PIECES[kind]._cutter.shortened(text, 100)
    assert len(short) < 300 or kind.startswith("added")
    assert sum(count for _, count in missing) == len(text) - len(short)


def test_a_book_costs_what_is_read_of_it() -> None:
    tokenizer = Tokenizer(WORDS)
    book = "New York, a. " * 400_000
    tracemalloc.start()
    features = pack(tokenizer, book, book, 32)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert features.length_used == 32
    # The text itself is checked as bytes, 5 MB; all of its tokens would be 2 million.
    assert peak < 8e6
