"""The files that say something of a tokenizer: where they are, and what each says in its own form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mobilebert_lite.common.fields import parse_json
from mobilebert_lite.common.files import read_text, refuse_pointer
from mobilebert_lite.converters.tokenizers import tokenizer_json
from mobilebert_lite.converters.tokenizers.tokenizer_json import TokenizerJson
from mobilebert_lite.errors import DataError
from mobilebert_lite.text.tokenization import MOST_WORDS, read_vocabulary

VOCAB_TXT, VOCAB_JSON, TOKENIZER_JSON = "vocab.txt", "vocab.json", "tokenizer.json"
CONFIG, SPECIAL_TOKENS, ADDED_TOKENS = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"
# Each holds the words; the first that is there counts.
VOCABULARIES = (TOKENIZER_JSON, VOCAB_TXT, VOCAB_JSON)
# All that a checkpoint's tokenizer may consist of.
NAMES = (*VOCABULARIES, CONFIG, SPECIAL_TOKENS, ADDED_TOKENS)
# Where a SavedModel keeps them.
_ASSETS = "assets"


@dataclass(frozen=True)
class FoundTokenizer:
    """The files of one tokenizer, by the names in NAMES; each may have another name and stand anywhere."""

    paths: Mapping[str, Path]

    @property
    def vocabulary(self) -> str | None:
        """Which of VOCABULARIES counts."""
        return next((name for name in VOCABULARIES if name in self.paths), None)


def find(folder: Path, given: Path | None = None, beside: Sequence[Path] = ()) -> FoundTokenizer:
    """The files beside the weights in ``folder``, or what is ``given`` in their place: a folder, or a file of words.

    Where ``folder`` has no words, those of the folders ``beside`` are taken, in this order.

    A given file stands in place of all other files of words. What else the tokenizer needs is looked for beside it, and
    where nothing is there beside the weights. Raises DataError where ``given`` is not there.
    """
    if given is None:
        places = [FoundTokenizer(_files(place)) for place in (folder, *beside)]
        return next((place for place in places if place.vocabulary), places[0])
    if given.is_dir():
        return FoundTokenizer(_files(given))
    if not given.is_file():
        raise DataError(f"no vocabulary at {given}; give a vocab.txt, vocab.json or tokenizer.json, or a folder")
    settings = _without_words(_files(given.parent)) or _without_words(_files(folder))
    return FoundTokenizer({**settings, _kind(given): given})


def _files(folder: Path) -> dict[str, Path]:
    places = (folder / _ASSETS, folder)
    return {name: place / name for place in places for name in NAMES if (place / name).is_file()}


def _without_words(paths: Mapping[str, Path]) -> dict[str, Path]:
    return {name: path for name, path in paths.items() if name not in VOCABULARIES}


def _kind(path: Path) -> str:
    """Which of VOCABULARIES a file of any name is: told from what it holds."""
    text = read_text(path)
    if not text.lstrip().startswith("{"):
        return VOCAB_TXT
    try:
        value = parse_json(text)
    except ValueError as error:
        if path.suffix == ".json":
            raise DataError(f"{path} is not readable JSON: {error}") from None
        return VOCAB_TXT  # whose first word is a brace
    return TOKENIZER_JSON if isinstance(value.get("model"), dict) else VOCAB_JSON


@dataclass
class Said:
    """What the files say, and what is to be said about them."""

    # tokenizer_config.json; None where there is none.
    config: dict[str, Any] | None
    special: dict[str, Any]
    added: dict[str, Any]
    # tokenizer.json; None where there is none, or where it is not the one that counts.
    whole: TokenizerJson | None
    # Word -> id; of a word that stands twice the last.
    words: dict[str, int]
    # All places of words in a vocab.txt; empty for other files.
    lines: Sequence[str]
    # The file that the words are from.
    origin: Path
    notes: list[str] = field(default_factory=list)


def read_all(found: FoundTokenizer) -> Said:
    """Read the files. Raises DataError where one is unreadable, or where none has words; CheckpointError for a Git LFS
    pointer."""
    name = found.vocabulary
    if name is None:
        raise DataError("no vocabulary; give a vocab.txt, vocab.json or tokenizer.json with --vocab")
    for path in found.paths.values():
        refuse_pointer(path)
    config, special, added = (_object(found.paths[one]) if one in found.paths else None
                              for one in (CONFIG, SPECIAL_TOKENS, ADDED_TOKENS))
    path = found.paths[name]
    whole = tokenizer_json.read(path) if name == TOKENIZER_JSON else None
    lines = read_vocabulary(path) if name == VOCAB_TXT else ()
    said = Said(config, special or {}, added or {}, whole, _words(name, path), lines, path)
    for other in VOCABULARIES:
        if other != name and other in found.paths:
            _compare(said, found.paths[other], _words(other, found.paths[other]))
    return said


def _compare(said: Said, path: Path, words: Mapping[str, int]) -> None:
    different = [word for word in {**said.words, **words} if said.words.get(word) != words.get(word)]
    if different:
        said.notes.append(f"{path.name} and {said.origin.name} disagree about {len(different)} words (such as "
                          f"{different[0]!r}): {said.origin.name} counts, as in transformers")


def _words(name: str, path: Path) -> dict[str, int]:
    if name == VOCAB_TXT:
        return {word: i for i, word in enumerate(read_vocabulary(path))}
    words = dict(tokenizer_json.read(path).words) if name == TOKENIZER_JSON else _object(path)
    for word, i in words.items():
        if type(i) is not int or not 0 <= i < MOST_WORDS:
            raise DataError(f"{path} must give each word an id from 0 to {MOST_WORDS:,}; {word!r} has {i!r}")
    return words


def _object(path: Path) -> dict[str, Any]:
    try:
        value = parse_json(read_text(path))
    except ValueError as error:
        raise DataError(f"{path} is not readable JSON: {error}") from None
    if not isinstance(value, dict):
        raise DataError(f"{path} holds a JSON {type(value).__name__}, not an object")
    return value
