"""A WordPiece vocabulary from texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tokenizers import Tokenizer as _Backend
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.trainers import WordPieceTrainer

from mobilebert_lite.errors import DataError

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_PRINTABLE = [chr(code) for code in range(33, 127)]


def build_vocabulary(texts: Iterable[str], size: int, lower_case: bool = True) -> list[str]:
    """At most ``size`` words and pieces, the special tokens first, the others in the order of their code points.

    The same texts give the same list. Every printable ASCII character is there alone and as a continuation, so plain
    English has no [UNK]. Raises DataError where ``size`` has no room for the characters.
    """
    alphabet = [one for one in _PRINTABLE if not (lower_case and one.isupper())]
    characters = [*alphabet, *(f"##{one}" for one in alphabet)]
    if size < len(SPECIALS) + len(characters):
        raise DataError(f"vocab_size is {size}; special tokens and ASCII characters alone are "
                        f"{len(SPECIALS) + len(characters)}")
    backend = _Backend(WordPiece(unk_token="[UNK]"))
    backend.normalizer = BertNormalizer(lowercase=lower_case, strip_accents=lower_case)
    backend.pre_tokenizer = BertPreTokenizer()
    # The trainer makes the continuations that it needs; all the others come on top.
    trainer = WordPieceTrainer(vocab_size=size - len(alphabet), special_tokens=list(SPECIALS), min_frequency=2, show_progress=False,
                               initial_alphabet=alphabet, continuing_subword_prefix="##")
    backend.train_from_iterator(texts, trainer)
    # Its numbers are random where words are equally frequent; which words it chooses is not.
    return [*SPECIALS, *sorted({*characters, *backend.get_vocab()} - set(SPECIALS))]


def texts_of(examples: Sequence[Any]) -> Iterable[str]:
    """All texts in ``examples``, each context once."""
    seen: set[str] = set()
    for example in examples:
        for name in ("text", "pair", "question", "context"):
            text = getattr(example, name, None)
            if text and text not in seen:
                seen.add(text)
                yield text
