"""A WordPiece vocabulary from texts."""

from __future__ import annotations

from collections import Counter
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
# Characters beyond ASCII.
_MOST_OTHERS = 1000


def build_vocabulary(texts: Iterable[str], size: int, lower_case: bool = True) -> list[str]:
    """At most ``size`` words and pieces: the special tokens, characters, then what was merged, the commonest first.

    The same texts give the same list. Every printable ASCII character is there alone and as a continuation, so plain
    English has no [UNK]. Raises DataError where ``size`` has no room for the characters.
    """
    texts = list(texts)
    backend = _Backend(WordPiece(unk_token="[UNK]"))
    backend.normalizer = BertNormalizer(lowercase=lower_case, strip_accents=lower_case)
    backend.pre_tokenizer = BertPreTokenizer()
    alphabet = _alphabet(backend.normalizer, texts, lower_case)
    # The trainer breaks ties between merges by the numbers of their parts, and would number the characters at random;
    # what is called special has its number beforehand.
    fixed = [*SPECIALS, *alphabet, *(f"##{character}" for character in alphabet)]
    if size < len(fixed):
        raise DataError(f"vocab_size is {size}; special tokens and characters alone are {len(fixed)}")
    trainer = WordPieceTrainer(vocab_size=size, special_tokens=fixed, min_frequency=2, show_progress=False,
                               initial_alphabet=alphabet, limit_alphabet=len(alphabet))
    backend.train_from_iterator(texts, trainer)
    return [word for word, _ in sorted(backend.get_vocab().items(), key=lambda item: item[1])]


def _alphabet(normalizer: BertNormalizer, texts: Sequence[str], lower_case: bool) -> list[str]:
    """Printable ASCII, and the commonest other characters that occur more than once, in the order of code points."""
    counts = Counter("".join(map(normalizer.normalize_str, texts)))
    others = sorted((one for one in counts if counts[one] > 1 and not one.isspace() and one not in _PRINTABLE),
                    key=lambda one: (-counts[one], one))
    ascii_ = [one for one in _PRINTABLE if not (lower_case and one.isupper())]
    return sorted([*ascii_, *others[:_MOST_OTHERS]])


def texts_of(examples: Sequence[Any]) -> Iterable[str]:
    """All texts in ``examples``, each context once."""
    seen: set[str] = set()
    for example in examples:
        for name in ("text", "pair", "question", "context"):
            text = getattr(example, name, None)
            if text and text not in seen:
                seen.add(text)
                yield text
