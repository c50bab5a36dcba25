"""What a ``tokenizer.json`` says, read by Hugging Face ``tokenizers`` itself; what is no BERT tokenizer is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend
from tokenizers.models import WordPiece

from mobilebert_lite.common.files import read_text
from mobilebert_lite.common.json_text import check
from mobilebert_lite.errors import DataError
from mobilebert_lite.text.tokenizer_settings import AddedToken

# The steps of BertNormalizer in the order in which it takes them.
CLEAN, CHINESE, ACCENTS, LOWER = "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"
_STEPS = (CLEAN, CHINESE, ACCENTS, LOWER)


@dataclass(frozen=True)
class TokenizerJson:
    """One ``tokenizer.json``, with every default spelt out."""

    # Word -> id of the WordPiece model alone.
    words: Mapping[str, int]
    # Steps of BertNormalizer that are taken.
    steps: frozenset[str]
    unk_token: str
    continuing_prefix: str
    longest_word: int
    # What the post-processor and the padding name; None where there is none.
    cls_token: str | None
    sep_token: str | None
    pad_token: str | None
    # Id -> token that is matched whole, the special ones among them.
    added: Mapping[int, AddedToken]


def read(path: Path) -> TokenizerJson:
    """Read the ``tokenizer.json`` at ``path``.

    Raises DataError where it is unreadable, no WordPiece, or has a part that this toolkit does not have.
    """
    text = read_text(path)
    check(text, str(path))
    try:
        backend = Backend.from_str(text)
    except Exception as error:  # tokenizers raises plain Exception
        raise DataError(f"{path} is no tokenizer.json that Hugging Face tokenizers can read: {error}") from None
    try:
        return _parts(backend)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _parts(backend: Backend) -> TokenizerJson:
    model = backend.model
    if not isinstance(model, WordPiece):
        raise DataError(f"the tokenizer is {type(model).__name__}, not WordPiece; MobileBERT reads WordPiece")
    pre_tokenizer = _state(backend.pre_tokenizer)
    if [one["type"] for one in _flat(pre_tokenizer, "pretokenizers")] != ["BertPreTokenizer"]:
        raise DataError(f"the pre-tokenizer is {_name(pre_tokenizer)}; only BertPreTokenizer can be had here")
    words = backend.get_vocab(with_added_tokens=False)
    cls_token, sep_token = _ends(_state(backend.post_processor))
    padding = backend.padding
    return TokenizerJson(words, normalizer_steps(_state(backend.normalizer)), model.unk_token,
                         model.continuing_subword_prefix, model.max_input_chars_per_word, cls_token, sep_token,
                         padding["pad_token"] if padding else None,
                         {i: AddedToken(one.content, one.single_word, one.lstrip, one.rstrip, one.normalized,
                                        one.special)
                          for i, one in backend.get_added_tokens_decoder().items()})


def _state(part: Any) -> dict[str, Any]:
    """A component as JSON has it; empty where there is none."""
    state: dict[str, Any] = json.loads(part.__getstate__()) if part is not None else {}
    return state


def _flat(part: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """The components of a Sequence, of Sequences inside it too."""
    if part.get("type") == "Sequence":
        for one in part[name]:
            yield from _flat(one, name)
    elif part:
        yield part


def _name(part: Mapping[str, Any]) -> str:
    """``Sequence of NFD, Lowercase``."""
    if not part:
        return "missing"
    inner = next((part[name] for name in ("normalizers", "pretokenizers", "processors") if name in part), None)
    return f"Sequence of {', '.join(map(_name, inner))}" if inner is not None else str(part["type"])


def normalizer_steps(normalizer: Mapping[str, Any]) -> frozenset[str]:
    """The steps that a normalizer takes, where they are BertNormalizer's in its order. Raises DataError otherwise."""
    steps: list[str] = []
    for one in _flat(normalizer, "normalizers"):
        if one["type"] == "BertNormalizer":
            accents = one[LOWER] if one[ACCENTS] is None else one[ACCENTS]
            steps += [step for step in _STEPS if (accents if step == ACCENTS else one[step])]
        elif one["type"] == "Lowercase":
            steps.append(LOWER)
        else:
            raise DataError(f"the normalizer is {_name(normalizer)}; only what BertNormalizer does can be had here, "
                            f"and {one['type']} is not of it")
    if steps != sorted(set(steps), key=_STEPS.index):
        raise DataError(f"the normalizer is {_name(normalizer)}, whose steps are in another order than "
                        "BertNormalizer's")
    return frozenset(steps)


def _ends(processor: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The tokens before a text and after each. Raises DataError for another form than BERT's."""
    flat = list(_flat(processor, "processors"))
    if not flat:
        return None, None
    [one, *more] = flat
    if not more and one["type"] == "BertProcessing":
        return one["cls"][0], one["sep"][0]
    if not more and one["type"] == "TemplateProcessing":
        single, pair = _template(one["single"]), _template(one["pair"])
        if len(single) == 3 and single[1] == ("A", 0):
            (cls_token, _), _, (sep_token, _) = single
            if (single == [(cls_token, 0), ("A", 0), (sep_token, 0)]
                    and pair == [*single, ("B", 1), (sep_token, 1)]):
                return cls_token, sep_token
    raise DataError(f"the post-processor is {_name(processor)} of another form than BERT's, which is "
                    "[CLS] first [SEP] second [SEP]")


def _template(pieces: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Token or text, and its segment."""
    return [(next(iter(piece.values()))["id"], next(iter(piece.values()))["type_id"]) for piece in pieces]
