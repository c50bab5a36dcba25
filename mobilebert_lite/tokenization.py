"""WordPiece tokenisation as BERT does it, with the place of every token in the original text.

Two behaviours. ``reference`` is ``BertWordPieceTokenizer`` of Hugging Face ``tokenizers``, token by token: what
checkpoints are trained with. ``phone`` is ``BertTokenizer`` of the TFLite Task Library and of MediaPipe, C++ that
lower-cases ASCII only, strips no accents and removes no control characters: what such a client computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from tokenizers import Encoding as _Encoded
from tokenizers import Regex
from tokenizers import Tokenizer as _Backend
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, Split
from tokenizers.pre_tokenizers import Sequence as _Both

from mobilebert_lite.errors import DataError
from mobilebert_lite.files import refuse_pointer

_REQUIRED = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_MASK = "[MASK]"
BEHAVIOURS = ("reference", "phone")
# A longer word becomes one [UNK]. The reference counts characters (max_input_chars_per_word), the phone clients bytes
# of UTF-8 (kDefaultMaxBytesPerToken).
_LONGEST_WORD = 100
# The largest vocabulary of a published BERT has half a million.
_MOST_WORDS = 2_000_000
# kDefaultDelimRe of bert_tokenizer.h, in tensorflow/tflite-support and in MediaPipe: \s is ASCII there.
_PHONE_SPACES = r"[\t\n\f\r ]+"
_PHONE_WORDS = (r"[!-/:-@\[-`{-~\p{P}\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2B73F}"
                r"\x{2B740}-\x{2B81F}\x{2B820}-\x{2CEAF}\x{F900}-\x{FAFF}\x{2F800}-\x{2FA1F}]")
# Both clients lower-case whatever the vocabulary (kUseLowerCase).
_ASCII_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


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
    whatever its surroundings; only its exact spelling in capitals counts. ``behaviour="phone"`` knows no special
    tokens in texts, and lower-cases ASCII even where ``lower_case`` is False.
    """

    def __init__(self, vocabulary: Sequence[str], lower_case: bool = True, behaviour: str = "reference") -> None:
        """Raises DataError when one of [PAD], [UNK], [CLS] and [SEP] is not among the words."""
        if behaviour not in BEHAVIOURS:
            raise DataError(f"unknown tokenizer {behaviour!r}; known are {', '.join(BEHAVIOURS)}")
        self.vocabulary = tuple(vocabulary)
        self.lower_case, self.behaviour = lower_case, behaviour
        # Where a word stands twice its last place counts, as in load_vocab of google-research/bert.
        index = {word: i for i, word in enumerate(self.vocabulary)}
        missing = [word for word in _REQUIRED if word not in index]
        if missing:
            raise DataError(f"vocabulary: {', '.join(missing)} missing among {len(self.vocabulary)} words; "
                            "a BERT vocabulary has all of " + ", ".join(_REQUIRED))
        self.pad_id, self.unk_id, self.cls_id, self.sep_id = (index[word] for word in _REQUIRED)
        self.mask_id: int | None = index.get(_MASK)
        self._backend = _reference(index, lower_case) if behaviour == "reference" else _phone(index)

    @classmethod
    def from_file(cls, path: str | Path, lower_case: bool = True, behaviour: str = "reference") -> Tokenizer:
        """Read ``vocab.txt``: UTF-8, one word a line, in the order of the ids. Raises DataError."""
        refuse_pointer(Path(path))
        try:
            data = Path(path).read_bytes()
        except FileNotFoundError:
            raise DataError(f"no vocabulary at {path}; a checkpoint folder holds a vocab.txt") from None
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from None
        try:
            return cls(parse_vocabulary(data), lower_case, behaviour)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None

    def encode(self, text: str) -> Encoding:
        """Ids and code-point offsets of ``text``. Raises DataError for text that is not Unicode."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[Encoding]:
        """``encode`` for several texts at once, on all cores."""
        for text in texts:
            _check_unicode(text)
        if self.behaviour == "phone":
            # The clients' splitter (RegexSplit of tensorflow-text) reads a text as a C string: up to the first NUL.
            lower = [text.split("\0", 1)[0].translate(_ASCII_LOWER) for text in texts]
            return [self._without_long_words(text, item)
                    for text, item in zip(lower, self._backend.encode_batch(lower), strict=True)]
        return [Encoding(item.ids, item.offsets)
                for item in self._backend.encode_batch(list(texts), add_special_tokens=False)]

    def _without_long_words(self, text: str, item: _Encoded) -> Encoding:
        """``item`` with one [UNK] for each word of more than 100 bytes; the backend counts characters."""
        encoding = Encoding(item.ids, item.offsets)
        # Only a word of more than 25 characters can have more than 100 bytes.
        if text.isascii() or len(text) <= _LONGEST_WORD // 4:
            return encoding
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        for _, group in groupby(zip(item.word_ids, item.ids, item.offsets, strict=True), key=itemgetter(0)):
            pieces = list(group)
            span = pieces[0][2][0], pieces[-1][2][1]
            if len(text[slice(*span)].encode()) > _LONGEST_WORD:
                pieces = [(pieces[0][0], self.unk_id, span)]
            ids += [piece[1] for piece in pieces]
            offsets += [piece[2] for piece in pieces]
        return Encoding(ids, offsets)

    def words(self, ids: Sequence[int]) -> list[str]:
        """The vocabulary's words for ``ids``. Raises DataError for an id outside the vocabulary."""
        for i in ids:
            if not 0 <= i < len(self.vocabulary):
                raise DataError(f"id {i} is outside the vocabulary of {len(self.vocabulary)} words")
        return [self.vocabulary[i] for i in ids]


def parse_vocabulary(data: bytes) -> tuple[str, ...]:
    """The words in the bytes of a ``vocab.txt``. Raises DataError when they are not UTF-8.

    Raises DataError also for more words than any model has.

    Lines end with a newline (or CR LF) only: words may hold other characters that Python calls line breaks.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"vocabulary: not UTF-8 at byte {error.start}; save it as UTF-8 text") from None
    if text.count("\n") > _MOST_WORDS:
        raise DataError(f"vocabulary: {text.count(chr(10)):,} words; the most is {_MOST_WORDS:,}")
    return tuple(line.removesuffix("\r") for line in text.removesuffix("\n").split("\n"))


def _wordpiece(index: dict[str, int]) -> _Backend:
    return _Backend(WordPiece(index, unk_token="[UNK]", max_input_chars_per_word=_LONGEST_WORD))


def _reference(index: dict[str, int], lower_case: bool) -> _Backend:
    backend = _wordpiece(index)
    backend.normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=lower_case,
                                        lowercase=lower_case)
    backend.pre_tokenizer = BertPreTokenizer()
    backend.add_special_tokens([word for word in (*_REQUIRED, _MASK) if word in index])
    return backend


def _phone(index: dict[str, int]) -> _Backend:
    backend = _wordpiece(index)
    backend.pre_tokenizer = phone_words()
    return backend


def phone_words() -> _Both:
    """How the phone clients cut a text into words."""
    return _Both([Split(Regex(_PHONE_SPACES), "removed"), Split(Regex(_PHONE_WORDS), "isolated")])


def _check_unicode(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"text: half a surrogate pair ({text[error.start]!r}) at character {error.start}; "
                        "it was cut or decoded wrongly") from None
