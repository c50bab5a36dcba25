"""What a checkpoint says of its tokenizer, besides the words: how texts are normalised, and which tokens stand apart.

The fields are those of ``BertNormalizer``, ``WordPiece`` and ``AddedToken`` of Hugging Face ``tokenizers``. A file made
by `mbl convert` carries them in its provenance under ``tokenizer``, in the form of ``to_json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from mobilebert_lite.errors import DataError


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
    # Looked for in the normalised text (and itself normalised), instead of in the text as it is.
    normalized: bool = False
    # A control token such as [SEP], which is no part of what a reader would read.
    special: bool = False


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
    # Besides the five above, in the order of their ids.
    added_tokens: tuple[AddedToken, ...] = ()

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


def _typed(kind: type, value: Mapping[str, Any]) -> dict[str, Any]:
    """``value`` as arguments of ``kind``. Raises DataError."""
    types = {field.name: field.type for field in fields(kind)}
    for name, item in value.items():
        if name not in types:
            raise DataError(f"tokenizer: unknown setting {name!r}; known are {', '.join(types)}")
        if type(item).__name__ != types[name]:
            raise DataError(f"tokenizer: {name} is {item!r}; it must be {types[name]}")
    return dict(value)
