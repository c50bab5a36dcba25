"""Everything that the files beside a checkpoint say of its tokenizer: words by id, settings, and what is to be said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tokenizers import Tokenizer as Backend
from tokenizers.models import WordPiece

from mobilebert_lite.converters.tokenizers.rules import (
    added_tokens,
    is_generic,
    listed_tokens,
    normalization,
    special_tokens,
)
from mobilebert_lite.converters.tokenizers.sources import CONFIG, NAMES, FoundTokenizer, Said, find, read_all
from mobilebert_lite.errors import DataError, shorten
from mobilebert_lite.text.tokenization import Tokenizer, as_backend, placeholder
from mobilebert_lite.text.tokenizer_settings import AddedToken, TokenizerSettings, on_a_line

__all__ = ["NAMES", "FoundTokenizer", "ReadTokenizer", "find", "read"]

# A table has a row for each word, and some more where it is padded; one of twice the size is another vocabulary's.
_LEAST_NAMED = 0.5


@dataclass(frozen=True)
class ReadTokenizer:
    """A tokenizer as its files describe it."""

    # In the order of their ids, added tokens among them.
    words: tuple[str, ...]
    settings: TokenizerSettings
    # What a user should know: which file counted where two disagreed, and what was left out.
    notes: tuple[str, ...] = ()

    def tokenizer(self) -> Tokenizer:
        """Ready to encode. Raises DataError where a special token is missing."""
        return Tokenizer(self.words, settings=self.settings)


def read(found: FoundTokenizer, rows: int | None = None, lower_case: bool | None = None) -> ReadTokenizer:
    """The tokenizer in ``found``, for a table of ``rows`` words (None: as many as there are).

    ``lower_case`` is taken where no file speaks of it (None: then a vocabulary with capital letters is a cased one).
    Raises DataError where there are no words, a file cannot be read, the tokenizer is of another kind, or words have no
    row in the table.
    """
    said = read_all(found)
    generic = is_generic(said)
    special = special_tokens(said, generic)
    settings = special.into(normalization(said, generic, lower_case))
    if said.whole is not None:
        settings = replace(settings, continuing_prefix=said.whole.continuing_prefix,
                           longest_word=said.whole.longest_word)
    listed = listed_tokens(said, special, generic)
    tokens = added_tokens(said, special, listed)
    ids = _ids(said, tokens)
    if moved := [f"{token.content} {i} (now {ids[token.content]})" for i, token in listed.items()
                 if ids[token.content] != i]:
        said.notes.append(f"added tokens are listed with other ids than transformers gives them, which count: "
                          f"{shorten(moved, 3)}")
    ids = _with_rows(said, settings, tokens, ids, rows)
    kept = sorted((token for token in tokens if token.content in ids), key=lambda token: ids[token.content])
    settings = replace(settings, added_tokens=tuple(_worth_saying(settings, kept)))
    return ReadTokenizer(_lines(said, ids), settings, tuple(said.notes))


def _ids(said: Said, tokens: Sequence[AddedToken]) -> dict[str, int]:
    """Token -> id, as ``tokenizers`` numbers those that are no words."""
    backend = Backend(WordPiece(said.words, unk_token=tokens[0].content))
    backend.add_tokens([as_backend(token) for token in tokens])
    found = {token.content: backend.token_to_id(token.content) for token in tokens}
    return {content: i for content, i in found.items() if i is not None}


def _with_rows(said: Said, settings: TokenizerSettings, tokens: Sequence[AddedToken], ids: dict[str, int],
               rows: int | None) -> dict[str, int]:
    """``ids`` without special tokens that no file puts into the table. Raises DataError for words without a row."""
    end = max(said.words.values(), default=-1) + 1
    absent = [token.content for token in tokens
              if not token.word and token.content in settings.special_tokens
              and ids[token.content] >= (end if rows is None else rows)]
    # transformers appends these; a network without a row for them never saw one. Only the mask can be done without.
    ids = {word: i for word, i in ids.items() if word not in absent}
    if settings.mask_token in absent and said.config and rows is not None:
        said.notes.append(f"{settings.mask_token} is no word of {said.origin.name} and has no row: there is no mask")
    if rows is not None:
        _check_rows(said, {word: i for word, i in ids.items() if word not in settings.special_tokens}, rows)
    return ids


def _check_rows(said: Said, added: Mapping[str, int], rows: int) -> None:
    """Raise DataError for words without a row, or a table of another size; say where it is larger."""
    words = {**said.words, **added}
    count, more = max(words.values(), default=-1) + 1, len(added.keys() - said.words.keys())
    has = f"has {count - more} words" + (f" and {more} added token{'s' if more > 1 else ''}" if more else "")
    without = sorted((word for word, i in words.items() if i >= rows), key=words.__getitem__)
    if without or count < rows * _LEAST_NAMED:
        named = f", so that {shorten([repr(word) for word in without], 3)} have no row" if without else ""
        raise DataError(f"{said.origin} {has}, but the checkpoint's vocab_size is {rows}{named}; give the "
                        "vocabulary it was trained with (--vocab)")
    if count < rows:
        said.notes.append(f"{said.origin.name} {has}, the checkpoint's table {rows} rows: the last {rows - count} "
                          "belong to no word")


def _worth_saying(settings: TokenizerSettings, tokens: Iterable[AddedToken]) -> Iterable[AddedToken]:
    """Without those of the five that are as a special token is by default."""
    for token in tokens:
        if token.content not in settings.special_tokens or token != AddedToken(token.content, special=True, word=True):
            yield token


def _lines(said: Said, ids: Mapping[str, int]) -> tuple[str, ...]:
    """The words in the order of their ids; an id without a word gets one that no text can give."""
    words = {**said.words, **ids}
    lines: dict[int, str] = {}
    for word, i in words.items():
        if i in lines:
            raise DataError(f"{said.origin} and the added tokens ({CONFIG}) give the id {i} to both {lines[i]!r} and "
                            f"{word!r}")
        if not on_a_line(word):
            raise DataError(f"{said.origin} holds the word {word!r}, which is no line of a vocabulary")
        lines[i] = word
    # A word that stands twice in a vocab.txt keeps both its lines.
    lines = {**dict(enumerate(said.lines)), **lines}
    return tuple(lines[i] if i in lines else placeholder(i, words) for i in range(max(lines, default=-1) + 1))
