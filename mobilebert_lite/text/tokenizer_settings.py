"""What a checkpoint says of its tokenizer, besides the words: how texts are normalized, and which tokens stand apart.

The fields are those of ``BertNormalizer``, ``WordPiece`` and ``AddedToken`` of Hugging Face ``tokenizers``. A file made
by `mbl convert` carries them in its provenance under ``tokenizer``, in the form of ``to_json``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from mobilebert_lite.errors import DataError, shorten

# Ends of lines, and halves of surrogate pairs, which no file can hold.
_NOT_ON_A_LINE = re.compile("[\n\r\ud800-\udfff]")
# Characters; texts themselves are shorter.
_LONGEST_WORD = 1_000_000


@dataclass(frozen=True)
class AddedToken:
    """A token that is matched whole in a text, before the text is cut into words."""

    # As it stands in the vocabulary.
    content: str
    # Only where no letter or digit stands beside it.
    single_word: bool = False
    # Takes the white space before it along, or after it.
    lstrip: bool = False
    rstrip: bool = False
    # Looked for in the normalized text (and itself normalized), instead of in the text as it is.
    normalized: bool = False
    # A control token such as [SEP], which is no part of what a reader would read.
    special: bool = False
    # Whether it is a word of the WordPiece vocabulary too, as which it may come out of a longer word. Otherwise its
    # line in the vocabulary is there for its id alone.
    word: bool = False

    def __post_init__(self) -> None:
        _check_word("an added token", self.content)


@dataclass(frozen=True)
class TokenizerSettings:
    """How texts become words. Defaults are those of the uncased models."""

    # Lower-case, for all of Unicode.
    lower_case: bool = True
    # Decompose characters and drop their accents.
    strip_accents: bool = True
    # Drop control characters, and make one space of every kind of white space.
    clean_text: bool = True
    # Every Chinese character is a word of its own.
    chinese_characters: bool = True
    pad_token: str = "[PAD]"
    unk_token: str = "[UNK]"
    cls_token: str = "[CLS]"
    sep_token: str = "[SEP]"
    mask_token: str = "[MASK]"
    # What stands before a piece that continues a word.
    continuing_prefix: str = "##"
    # Characters; a longer word becomes one unk_token.
    longest_word: int = 100
    # In the order of their ids. One of the five above stands here only where it is more than a special token of the
    # vocabulary that is matched as it is.
    added_tokens: tuple[AddedToken, ...] = ()

    def __post_init__(self) -> None:
        for token in self.special_tokens:
            _check_word("a special token", token)
        if self.continuing_prefix:
            _check_word("continuing_prefix", self.continuing_prefix)
        if not 0 < self.longest_word <= _LONGEST_WORD:
            raise DataError(f"tokenizer: longest_word is {self.longest_word}; it must be 1 to {_LONGEST_WORD}")

    @classmethod
    def of(cls, lower_case: bool) -> TokenizerSettings:
        """Of the uncased models, or of the cased ones, which keep accents."""
        return cls(lower_case=lower_case, strip_accents=lower_case)

    @classmethod
    def from_provenance(cls, provenance: Mapping[str, Any]) -> TokenizerSettings:
        """Those of a file; files of 0.1.0 say ``lower_case`` alone. Raises DataError."""
        said = provenance.get("tokenizer")
        if said is None:
            return cls.of(bool(provenance.get("lower_case", True)))
        if not isinstance(said, Mapping):
            raise DataError(f"tokenizer is {said!r}; it must be an object")
        return cls.from_json(said)

    def provenance(self) -> dict[str, Any]:
        """What ``from_provenance`` reads, and ``lower_case`` for readers of before."""
        return {"lower_case": self.lower_case, "tokenizer": self.to_json()}

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """The five, the mask last."""
        return self.pad_token, self.unk_token, self.cls_token, self.sep_token, self.mask_token

    @property
    def extra_tokens(self) -> tuple[AddedToken, ...]:
        """The added tokens besides the five."""
        return tuple(token for token in self.added_tokens if token.content not in self.special_tokens)

    def described(self) -> str:
        """In a few words, for readers of a file's description."""
        accents = "without accents" if self.strip_accents else "with accents"
        parts = [f"lower-cased, {accents}" if self.lower_case else
                 "cased, without accents" if self.strip_accents else "cased"]
        if not self.chinese_characters:
            parts.append("Chinese characters not set apart")
        if self.extra_tokens:
            parts.append(f"{len(self.extra_tokens)} added tokens matched whole")
        return ", ".join(parts)

    def phone_differences(self) -> list[str]:
        """What the tokenizers of phone clients (Task Library, MediaPipe) do otherwise than these settings say.

        Those lower-case ASCII whatever the vocabulary, strip no accents, match no tokens whole, set Chinese characters
        apart, and know the special tokens by the names that BERT gave them. That uncased models lose accents there too
        is not among these: for most texts it changes nothing.
        """
        default = TokenizerSettings()
        found = []
        if not self.lower_case:
            found.append("they lower-case, and this vocabulary is cased")
        elif not self.strip_accents:
            found.append("they leave capital letters with accents as they are, where this one makes them small")
        if self.strip_accents and not self.lower_case:
            found.append("they keep accents")
        if self.extra_tokens:
            names = shorten([token.content for token in self.extra_tokens], 3)
            found.append(f"they cut added tokens into pieces ({names})")
        if not self.chinese_characters:
            found.append("they set Chinese characters apart")
        renamed = [ours for ours, theirs in zip(self.special_tokens, default.special_tokens, strict=True)
                   if ours != theirs]
        if renamed:
            found.append(f"they know no {', '.join(renamed)}, only {', '.join(default.special_tokens)}")
        if self.continuing_prefix != default.continuing_prefix:
            found.append(f"they look for {default.continuing_prefix}, not {self.continuing_prefix}, before pieces")
        return found

    def to_json(self) -> dict[str, Any]:
        """As it stands in a file's provenance."""
        return {**asdict(self), "added_tokens": [asdict(token) for token in self.added_tokens]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TokenizerSettings:
        """The inverse of ``to_json``; fields that are not there have their defaults.

        Raises DataError for an unknown field or a value of another type.
        """
        known = _typed(cls, {name: item for name, item in value.items() if name != "added_tokens"})
        tokens = value.get("added_tokens", [])
        if not isinstance(tokens, (list, tuple)) or not all(isinstance(token, Mapping) for token in tokens):
            raise DataError(f"tokenizer: added_tokens is {tokens!r}; it must be a list of objects")
        return cls(**known, added_tokens=tuple(AddedToken(**_typed(AddedToken, token)) for token in tokens))


def on_a_line(word: str) -> bool:
    """Whether ``word`` can stand on a line of a vocabulary."""
    return not _NOT_ON_A_LINE.search(word)


def _check_word(what: str, word: str) -> None:
    if not word or not on_a_line(word):
        raise DataError(f"tokenizer: {what} is {word!r}; it must be one line of text that is not empty")


def _typed(kind: type, value: Mapping[str, Any]) -> dict[str, Any]:
    """``value`` as arguments of ``kind``. Raises DataError."""
    types = {field.name: field.type for field in fields(kind)}
    for name, item in value.items():
        if name not in types:
            raise DataError(f"tokenizer: unknown setting {name!r}; known are {', '.join(types)}")
        if type(item).__name__ != types[name]:
            raise DataError(f"tokenizer: {name} is {item!r}; it must be {types[name]}")
    return dict(value)
