"""Tokenizers of many settings for ``shared_cases.py``, straight from the components of Hugging Face ``tokenizers``.

Nothing here comes from the package's own tokenizer: what it and the Kotlin core make of settings is held against this.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from tokenizer_cases import AWKWARD, numbered
from tokenizers import AddedToken as HfToken
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from mobilebert_lite.text.tokenizer_settings import AddedToken, TokenizerSettings

PLAIN = TokenizerSettings()
CASED = TokenizerSettings.of(lower_case=False)
# Matched in the text as it is: beside letters and spaces, one in another, next to control tokens.
ADDED = (
    AddedToken("<city>"), AddedToken("New York", single_word=True), AddedToken("York", word=True),
    AddedToken("<l>", lstrip=True, special=True), AddedToken("<r>", rstrip=True),
    AddedToken("<b>", lstrip=True, rstrip=True), AddedToken(" x", special=True), AddedToken("covid", single_word=True),
    AddedToken("covid-19"), AddedToken("日本"), AddedToken("😀", single_word=True), AddedToken("é"))
# Matched in the normalized text. No two are the same there: which of them is found, the reference leaves to chance.
NORMALIZED = (
    AddedToken("Straße", normalized=True), AddedToken("Été", normalized=True, single_word=True),
    AddedToken("ÈRE", normalized=True, special=True), AddedToken("İzmir", normalized=True, rstrip=True),
    AddedToken("[DATE]", normalized=True), AddedToken("東京", normalized=True, lstrip=True),
    AddedToken("한국", normalized=True), AddedToken("new  york", normalized=True),
    AddedToken("York", normalized=True, lstrip=True, rstrip=True), AddedToken("a\u0316\u0301", normalized=True),
    AddedToken("ork", normalized=True, word=True), AddedToken("<l>", lstrip=True))
NAMED = TokenizerSettings(pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>", mask_token="<mask>")
COMBINATIONS = {
    "lower-accents": replace(PLAIN, strip_accents=False),
    "cased-stripped": replace(CASED, strip_accents=True),
    "unclean": replace(PLAIN, clean_text=False),
    "unclean-cased": replace(CASED, clean_text=False, chinese_characters=False),
    "chinese-together": replace(PLAIN, chinese_characters=False),
    "renamed": NAMED,
    "renamed-words": replace(CASED, pad_token="pad", unk_token="unknown", cls_token="begin", sep_token="end"),
    "prefix": replace(PLAIN, continuing_prefix="@@", longest_word=4),
    "prefix-of-letters": replace(PLAIN, continuing_prefix="x"),
    "no-prefix": replace(CASED, continuing_prefix="", longest_word=1000),
    "added": replace(PLAIN, added_tokens=ADDED),
    "added-cased": replace(CASED, added_tokens=ADDED, mask_token="<mask>"),
    "normalized": replace(PLAIN, added_tokens=NORMALIZED),
    "normalized-cased": replace(CASED, added_tokens=(*NORMALIZED, *ADDED[8:])),
    "normalized-lower-accents": replace(PLAIN, strip_accents=False, added_tokens=NORMALIZED),
    "normalized-unclean": replace(CASED, strip_accents=True, clean_text=False, chinese_characters=False,
                                  added_tokens=(*NORMALIZED, *ADDED[4:6])),
    "mask-with-its-space": replace(PLAIN, added_tokens=(AddedToken("[MASK]", lstrip=True, special=True, word=True),)),
}
# What can happen to a character besides what the uncased and cased models do to it: lower-cased, stripped of accents,
# cleaned, set apart where it is Chinese.
NORMALIZERS = {f"normalizer-{i}": TokenizerSettings(*flags) for i, flags in enumerate((
    (True, False, True, True), (False, True, True, True), (True, True, False, True), (True, True, True, False),
    (False, False, False, False), (True, False, False, False), (False, True, False, False)))}
_CONTENTS = tuple(dict.fromkeys(token.content for token in (*ADDED, *NORMALIZED)))


def vocabulary() -> list[str]:
    """Words in which every setting shows: characters of the texts in all their forms, as beginnings and as pieces."""
    forms = {form for text in (*AWKWARD, *_CONTENTS, "covid Take off xyz unknown begin end pad")
             for one in (text, text.lower(), text.upper()) for form in (one, unicodedata.normalize("NFD", one))}
    characters = sorted({one for form in forms for one in form if one not in "\n\r"})
    special = [token for one in (PLAIN, NAMED, COMBINATIONS["renamed-words"]) for token in one.special_tokens]
    pieces = [f"{prefix}{one}" for prefix in ("##", "@@", "x") for one in (*characters, "ork", "ew", "off")]
    plain = ["new", "New", "york", "take", "Take", "xyz", "xy", "straße", "Straße", "strasse", "ete", "été", "covid"]
    return list(dict.fromkeys([*special, *characters, *pieces, *plain, *_CONTENTS]))


def texts(count: int) -> list[str]:
    """Added tokens in all kinds of company."""
    rng = random.Random(8)
    beside = ("", "", " ", "  ", "\t", "\u00a0", "\u2028", "\x0b", "\x85", "a", "A", "é", "_", "9", "½", ".", "-",
              "\u0301", "\u0316", "\u200d", "日", "가", "x", "\0")
    special = [token for one in (PLAIN, NAMED, COMBINATIONS["renamed-words"]) for token in one.special_tokens]
    found = []
    for _ in range(count):
        pieces = rng.choices((*_CONTENTS, *special), k=rng.randint(1, 4)) + rng.choices(AWKWARD, k=rng.randint(0, 1))
        changed = [rng.choice((str, str, str.lower, str.upper, _decomposed))(piece) for piece in pieces]
        found.append("".join(rng.choice(beside) + piece + rng.choice(beside) for piece in changed))
    return found


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def cases(words: Sequence[str], settings: TokenizerSettings, chosen: Sequence[str]) -> list[dict[str, Any]]:
    """What ``tokenizers`` makes of each text; ids are places in ``words``."""
    backend = _backend(words, settings)
    place = {backend.token_to_id(word): i for i, word in enumerate(words)}
    found = backend.encode_batch(list(chosen), add_special_tokens=False)
    return [{"text": text, "ids": [place[i] for i in encoding.ids], "offsets": encoding.offsets,
             "words": numbered(encoding.word_ids)}
            for text, encoding in zip(chosen, found, strict=True)]


def _backend(words: Sequence[str], settings: TokenizerSettings) -> Tokenizer:
    """Numbered in its own way: words that are no pieces come last."""
    added = {token.content: token for token in settings.added_tokens}
    pieces = [word for word in words if word not in added or added[word].word or word == settings.unk_token]
    backend = Tokenizer(WordPiece({word: i for i, word in enumerate(pieces)}, unk_token=settings.unk_token,
                                  continuing_subword_prefix=settings.continuing_prefix,
                                  max_input_chars_per_word=settings.longest_word))
    backend.normalizer = BertNormalizer(clean_text=settings.clean_text, strip_accents=settings.strip_accents,
                                        handle_chinese_chars=settings.chinese_characters, lowercase=settings.lower_case)
    backend.pre_tokenizer = BertPreTokenizer()
    plain = [HfToken(word, normalized=False, special=True) for word in settings.special_tokens
             if word in words and word not in added]
    backend.add_tokens([*plain, *(
        HfToken(token.content, single_word=token.single_word, lstrip=token.lstrip, rstrip=token.rstrip,
                normalized=token.normalized, special=token.special) for token in settings.added_tokens)])
    return backend


def said(settings: TokenizerSettings) -> dict[str, Any]:
    """As a file's provenance has them; without what is as it always is."""
    usual = asdict(PLAIN)
    return {name: value for name, value in settings.to_json().items() if value != usual[name]}
