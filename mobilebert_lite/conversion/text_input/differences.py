"""Where text input inside the file still differs from the reference tokenizer, each difference under a named rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from mobilebert_lite.conversion.text_input import normalizer
from mobilebert_lite.text.tokenization import Encoding, Tokenizer

# Offsets are code points here. Ids differ by the first two only, the others move ends of tokens.
RULES = {
    "special token": "[CLS], [SEP], [MASK], [PAD] or [UNK] spelled out in a text is split; the reference takes its id",
    "long word": "a word of more than 100 bytes is unknown; the reference counts 100 characters",
    "removed character": "the token before a removed accent or control character ends after it; the reference's before",
    "decomposed character": "of several tokens from one character only the last has a width; the reference gives each "
                            "the whole character",
}
UNEXPLAINED = "unexplained"
_LONGEST = 100


def count(tokenizer: Tokenizer, encode: Callable[[str], Encoding], texts: Iterable[str]) -> Counter[str]:
    """How many of ``texts`` the two treat otherwise, by rule; ``encode`` is the one inside the file."""
    return Counter(rule for text in texts if (rule := explain(tokenizer, encode, text)) is not None)


def explain(tokenizer: Tokenizer, encode: Callable[[str], Encoding], text: str) -> str | None:
    """The rule by which the encodings of ``text`` differ; None where they are equal.

    A rule about ids holds when the difference goes away with what it names.
    """
    reference, ours = tokenizer.encode(text), encode(text)
    if reference == ours:
        return None
    if reference.ids == ours.ids:
        return _ends(text, reference, ours, normalizer.table(tokenizer.settings.lower_case,
                                                             tokenizer.settings.strip_accents))
    plain = text
    for word in tokenizer.settings.special_tokens:
        plain = plain.replace(word, " ")
    if plain != text and _same_ids(tokenizer, encode, plain):
        return "special token"
    short = " ".join(word for word in plain.split() if len(word.encode()) <= _LONGEST or len(word) > _LONGEST)
    return "long word" if short != plain and _same_ids(tokenizer, encode, short) else UNEXPLAINED


def _same_ids(tokenizer: Tokenizer, encode: Callable[[str], Encoding], text: str) -> bool:
    return tokenizer.encode(text).ids == encode(text).ids


def _ends(text: str, reference: Encoding, ours: Encoding, table: dict[str, str]) -> str:
    """The rule for equal ids at different places."""
    rule = UNEXPLAINED
    for i, ((start, end), (our_start, our_end)) in enumerate(zip(reference.offsets, ours.offsets, strict=True)):
        if (start, end) == (our_start, our_end):
            continue
        decomposed = i + 1 < len(reference.offsets) and reference.offsets[i + 1][0] < end
        if start == our_start and our_end > end and all(table.get(c) == "" for c in text[end:our_end]):
            rule = "removed character"
        elif start == our_start and our_end < end and decomposed:
            rule = "decomposed character"
        else:
            return UNEXPLAINED
    return rule
