"""WordPiece tokenisation as BERT does it, with the place of every token in the original text.

Source: ``BertWordPieceTokenizer`` of Hugging Face ``tokenizers``, which this reproduces token by token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer as _Backend
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from mobilebert_lite.errors import DataError

_REQUIRED = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_MASK = "[MASK]"
# A longer word becomes one [UNK] (max_input_chars_per_word of the reference).
_LONGEST_WORD = 100


@dataclass(frozen=True)
class Encoding:
    """The tokens of one text, without [CLS] and [SEP]."""

    ids: list[int]
    # One (start, end) per token: code points of the original text, end exclusive.
    offsets: list[tuple[int, int]]


class Tokenizer:
    """Texts into ids of a WordPiece vocabulary.

    ``lower_case=True`` lower-cases and strips accents (the uncased models), ``False`` does neither.

    As in the reference, a special token that stands literally in a text ("[SEP]") becomes that token's id,
    whatever its surroundings; only its exact spelling in capitals counts.
    """

    def __init__(self, vocabulary: Sequence[str], lower_case: bool = True) -> None:
        """Raises DataError when one of [PAD], [UNK], [CLS] and [SEP] is not among the words."""
        self.vocabulary = tuple(vocabulary)
        self.lower_case = lower_case
        # Where a word stands twice its last place counts, as in load_vocab of google-research/bert.
        index = {word: i for i, word in enumerate(self.vocabulary)}
        missing = [word for word in _REQUIRED if word not in index]
        if missing:
            raise DataError(f"vocabulary: {', '.join(missing)} missing among {len(self.vocabulary)} words; "
                            "a BERT vocabulary has all of " + ", ".join(_REQUIRED))
        self.pad_id, self.unk_id, self.cls_id, self.sep_id = (index[word] for word in _REQUIRED)
        self.mask_id: int | None = index.get(_MASK)
        self._backend = _backend(index, lower_case)

    @classmethod
    def from_file(cls, path: str | Path, lower_case: bool = True) -> Tokenizer:
        """Read ``vocab.txt``: UTF-8, one word a line, in the order of the ids. Raises DataError."""
        try:
            data = Path(path).read_bytes()
        except FileNotFoundError:
            raise DataError(f"no vocabulary at {path}; a checkpoint folder holds a vocab.txt") from None
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from None
        try:
            return cls(parse_vocabulary(data), lower_case)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None

    def encode(self, text: str) -> Encoding:
        """Ids and code-point offsets of ``text``. Raises DataError for text that is not Unicode."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[Encoding]:
        """``encode`` for several texts at once, on all cores."""
        for text in texts:
            _check_unicode(text)
        return [Encoding(item.ids, item.offsets)
                for item in self._backend.encode_batch(list(texts), add_special_tokens=False)]

    def words(self, ids: Sequence[int]) -> list[str]:
        """The vocabulary's words for ``ids``. Raises DataError for an id outside the vocabulary."""
        for i in ids:
            if not 0 <= i < len(self.vocabulary):
                raise DataError(f"id {i} is outside the vocabulary of {len(self.vocabulary)} words")
        return [self.vocabulary[i] for i in ids]


def parse_vocabulary(data: bytes) -> tuple[str, ...]:
    """The words in the bytes of a ``vocab.txt``. Raises DataError when they are not UTF-8.

    Lines end with a newline (or CR LF) only: words may hold other characters that Python calls line breaks.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"vocabulary: not UTF-8 at byte {error.start}; save it as UTF-8 text") from None
    return tuple(line.removesuffix("\r") for line in text.removesuffix("\n").split("\n"))


def _backend(index: dict[str, int], lower_case: bool) -> _Backend:
    model = WordPiece(index, unk_token="[UNK]", max_input_chars_per_word=_LONGEST_WORD)
    backend = _Backend(model)
    backend.normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=lower_case,
                                        lowercase=lower_case)
    backend.pre_tokenizer = BertPreTokenizer()
    backend.add_special_tokens([word for word in (*_REQUIRED, _MASK) if word in index])
    return backend


def _check_unicode(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"text: half a surrogate pair ({text[error.start]!r}) at character {error.start}; "
                        "it was cut or decoded wrongly") from None
