"""WordPiece tokenization as BERT does it, with the place of every token in the original text.

Two behaviors. ``reference`` is the fast BERT tokenizer of transformers, token by token, made of the same components of
Hugging Face ``tokenizers``: what checkpoints are trained with. ``phone`` is ``BertTokenizer`` of the TFLite Task
Library and of MediaPipe, C++ that lower-cases ASCII only, strips no accents and removes no control characters: what
such a client computes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import cast

from tokenizers import AddedToken as _AddedToken
from tokenizers import Encoding as _Encoded
from tokenizers import Regex
from tokenizers import Tokenizer as _Backend
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, Split
from tokenizers.pre_tokenizers import Sequence as _Both

from mobilebert_lite.common.files import decode_text, refuse_pointer, without_blank_end
from mobilebert_lite.errors import DataError, shorten
from mobilebert_lite.text.pieces import Cutter, cutter
from mobilebert_lite.text.tokenizer_settings import AddedToken, TokenizerSettings

BEHAVIorS = ("reference", "phone")
# A longer word becomes one [UNK] in phone clients, which count bytes of UTF-8 (kDefaultMaxBytesPerToken).
_LONGEST_WORD = 100
# The largest vocabulary of a published BERT has half a million.
MOST_WORDS = 2_000_000
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
    # One number per token: which word of the text it is part of, from 0 on. Words are what the text was cut into before
    # they were cut into pieces: at spaces, and around each punctuation mark and Chinese character. Encodings from
    # elsewhere may do without.
    words: list[int] = field(default_factory=list, compare=False)


class Tokenizer:
    """Texts into ids of a WordPiece vocabulary.

    ``lower_case=True`` lower-cases and strips accents (the uncased models), ``False`` does neither; ``settings`` say
    all that can be said, and stand above it.

    As in the reference, a special or added token that stands literally in a text ("[SEP]") becomes that token's id,
    whatever its surroundings. ``behavior="phone"`` knows no such tokens in texts, and lower-cases ASCII whatever the
    settings.
    """

    def __init__(self, vocabulary: Sequence[str], lower_case: bool = True, behavior: str = "reference",
                 settings: TokenizerSettings | None = None) -> None:
        """Raises DataError when a special token (all but the mask) or an added one is not among the words."""
        if behavior not in BEHAVIorS:
            raise DataError(f"unknown tokenizer {behavior!r}; known are {', '.join(BEHAVIorS)}")
        self.vocabulary = tuple(vocabulary)
        self.settings, self.behavior = settings or TokenizerSettings.of(lower_case), behavior
        # Where a word stands twice its last place counts, as in load_vocab of google-research/bert.
        index = {word: i for i, word in enumerate(self.vocabulary)}
        required = self.settings.special_tokens[:-1]
        _check_there(index, required, f"a BERT vocabulary has all of {', '.join(required)}")
        _check_there(index, [token.content for token in self.settings.added_tokens], "added tokens need a line there")
        self.pad_id, self.unk_id, self.cls_id, self.sep_id = (index[word] for word in required)
        self.mask_id: int | None = index.get(self.settings.mask_token)
        # Those of the special tokens.
        self.special_ids = tuple(index[word] for word in self.settings.special_tokens if word in index)
        # Ids of the backend that are others in the vocabulary.
        self._moved: dict[int, int] = {}
        if behavior == "phone":
            self._backend = _phone(index, self.settings.unk_token)
        else:
            self._backend = _reference(self.vocabulary, index, self.settings)
            self._moved = _moved(self._backend, index, self.settings)
        self._cutter = _cutter(self)

    @classmethod
    def from_file(cls, path: str | Path, lower_case: bool = True, behavior: str = "reference") -> Tokenizer:
        """Read ``vocab.txt``: UTF-8, one word a line, in the order of the ids. Raises DataError."""
        words = read_vocabulary(Path(path))
        try:
            return cls(words, lower_case, behavior)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None

    @property
    def backend(self) -> _Backend:
        """What does the work, of Hugging Face ``tokenizers``; without a post-processor."""
        return self._backend

    @property
    def lower_case(self) -> bool:
        """Whether texts are lower-cased."""
        return self.settings.lower_case

    def encode(self, text: str, most: int | None = None) -> Encoding:
        """Ids and code-point offsets of ``text``, or of its first ``most`` tokens, which takes no longer than these.

        Raises DataError for text that is not Unicode.
        """
        return self.encode_batch([text], most)[0]

    def encode_batch(self, texts: Sequence[str], most: int | None = None) -> list[Encoding]:
        """``encode`` for several texts at once, the short ones on all cores."""
        for text in texts:
            _check_unicode(text)
        short = iter(self._encode([text for text in texts if len(text) <= self._cutter.least]))
        found = [next(short) if len(text) <= self._cutter.least else self._in_pieces(text, most) for text in texts]
        return found if most is None else [_first(one, most) for one in found]

    def _in_pieces(self, text: str, most: int | None) -> Encoding:
        """At least ``most`` tokens of a long text, if it has so many."""
        whole, words = Encoding([], []), 0
        if self.behavior == "phone":
            text = text.split("\0", 1)[0]
        for start, end in self._cutter.pieces(text):
            if not text[start:end].strip(" \n\t"):
                continue
            short, missing = self._cutter.shortened(text[start:end], max(self.settings.longest_word, _LONGEST_WORD))
            [piece] = self._encode([short])
            whole.ids.extend(piece.ids)
            for place, count in reversed(missing):
                piece.offsets[:] = [(first + count * (first >= place), last + count * (last >= place))
                                    for first, last in piece.offsets]
            whole.offsets.extend((first + start, last + start) for first, last in piece.offsets)
            whole.words.extend(words + word for word in piece.words)
            words += 1 + max(piece.words, default=-1)
            if most is not None and len(whole.ids) >= most:
                break
        return whole

    def _encode(self, texts: Sequence[str]) -> list[Encoding]:
        if self.behavior == "phone":
            # The clients' splitter (RegexSplit of tensorflow-text) reads a text as a C string: up to the first NUL.
            lower = [text.split("\0", 1)[0].translate(_ASCII_LOWER) for text in texts]
            return [self._without_long_words(text, item)
                    for text, item in zip(lower, self._backend.encode_batch(lower), strict=True)]
        found = self._backend.encode_batch(list(texts), add_special_tokens=False)
        if self._moved:
            return [Encoding([self._moved.get(i, i) for i in item.ids], item.offsets, _word_ids(item))
                    for item in found]
        return [Encoding(item.ids, item.offsets, _word_ids(item)) for item in found]

    def _without_long_words(self, text: str, item: _Encoded) -> Encoding:
        """``item`` with one [UNK] for each word of more than 100 bytes; the backend counts characters."""
        encoding = Encoding(item.ids, item.offsets, _word_ids(item))
        # Only a word of more than 25 characters can have more than 100 bytes.
        if text.isascii() or len(text) <= _LONGEST_WORD // 4:
            return encoding
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        words: list[int] = []
        for word, group in groupby(zip(_word_ids(item), item.ids, item.offsets, strict=True), key=itemgetter(0)):
            pieces = list(group)
            span = pieces[0][2][0], pieces[-1][2][1]
            if len(text[slice(*span)].encode()) > _LONGEST_WORD:
                pieces = [(pieces[0][0], self.unk_id, span)]
            ids += [piece[1] for piece in pieces]
            offsets += [piece[2] for piece in pieces]
            words += [word] * len(pieces)
        return Encoding(ids, offsets, words)

    def words(self, ids: Sequence[int]) -> list[str]:
        """The vocabulary's words for ``ids``. Raises DataError for an id outside the vocabulary."""
        for i in ids:
            if not 0 <= i < len(self.vocabulary):
                raise DataError(f"id {i} is outside the vocabulary of {len(self.vocabulary)} words")
        return [self.vocabulary[i] for i in ids]


def read_vocabulary(path: Path) -> tuple[str, ...]:
    """The words in a ``vocab.txt``, as ``parse_vocabulary`` has them.

    Raises DataError with the path when it cannot be read, CheckpointError for a Git LFS pointer.
    """
    refuse_pointer(path)
    try:
        return parse_vocabulary(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"no vocabulary at {path}; a checkpoint folder holds a vocab.txt") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def parse_vocabulary(data: bytes) -> tuple[str, ...]:
    """The words in the bytes of a ``vocab.txt``. Raises DataError when they are not UTF-8.

    Raises DataError also for more words than any model has.

    Lines end with a newline (or CR LF) only: words may hold other characters that Python calls line breaks. A byte
    order mark and blank lines at the end are no words.
    """
    try:
        text = decode_text(data)
    except DataError as error:
        raise DataError(f"vocabulary: {error}") from None
    if text.count("\n") > MOST_WORDS:
        raise DataError(f"vocabulary: {text.count(chr(10)):,} words; the most is {MOST_WORDS:,}")
    return without_blank_end(text.removesuffix("\r").split("\n"))


def _word_ids(item: _Encoded) -> list[int]:
    """None but special tokens would have None, and no special tokens are asked for."""
    return cast(list[int], item.word_ids)


def _first(encoding: Encoding, most: int) -> Encoding:
    """The first ``most`` tokens, and the rest of the last one's word: its end is that of an answer."""
    while 0 < most < len(encoding.ids) and encoding.words[most] == encoding.words[most - 1]:
        most += 1
    return Encoding(encoding.ids[:most], encoding.offsets[:most], encoding.words[:most])


def _check_there(index: Mapping[str, int], words: Sequence[str], hint: str) -> None:
    if missing := [word for word in words if word not in index]:
        raise DataError(f"vocabulary: {shorten(missing)} missing among {len(index)} words; {hint}")


def _reference(vocabulary: Sequence[str], index: dict[str, int], settings: TokenizerSettings) -> _Backend:
    """As transformers builds it: the words, the normalizer, then the tokens that are matched whole."""
    backend = _Backend(WordPiece(_model_words(vocabulary, index, settings), unk_token=settings.unk_token,
                                 continuing_subword_prefix=settings.continuing_prefix,
                                 max_input_chars_per_word=settings.longest_word))
    backend.normalizer = normalizer_of(settings)
    backend.pre_tokenizer = BertPreTokenizer()
    known = {token.content for token in settings.added_tokens}
    plain = [AddedToken(word, special=True) for word in settings.special_tokens if word in index and word not in known]
    backend.add_tokens([as_backend(token) for token in (*plain, *settings.added_tokens)])
    return backend


def normalizer_of(settings: TokenizerSettings) -> BertNormalizer:
    """What makes a text ready to be cut."""
    return BertNormalizer(clean_text=settings.clean_text, handle_chinese_chars=settings.chinese_characters,
                          strip_accents=settings.strip_accents, lowercase=settings.lower_case)


def as_backend(token: AddedToken) -> _AddedToken:
    """``token`` as Hugging Face ``tokenizers`` has it."""
    return _AddedToken(token.content, single_word=token.single_word, lstrip=token.lstrip, rstrip=token.rstrip,
                       normalized=token.normalized, special=token.special)


def _model_words(vocabulary: Sequence[str], index: dict[str, int], settings: TokenizerSettings) -> dict[str, int]:
    """The words that may come out of a text's words, with their ids.

    ``tokenizers`` numbers added tokens after as many words as there are. So ids in the middle that belong to no word
    (a doubled word's first place, a token that stands apart) have placeholders.
    """
    apart = {token.content for token in settings.added_tokens
             if not token.word and token.content != settings.unk_token}
    end = len(vocabulary)
    while end and vocabulary[end - 1] in apart:
        end -= 1
    return {word if word not in apart and index[word] == i else placeholder(i, index): i
            for i, word in enumerate(vocabulary[:end])}


def placeholder(i: int, words: Mapping[str, int]) -> str:
    """``[unused7]``, for an id without a word: brackets are cut off before words are looked up, so no text gives it."""
    name = f"[unused{i}]"
    while name in words:
        name = f"[{name}]"
    return name


def _moved(backend: _Backend, index: dict[str, int], settings: TokenizerSettings) -> dict[int, int]:
    pairs = [(backend.token_to_id(token.content), index[token.content]) for token in settings.added_tokens]
    return {theirs: ours for theirs, ours in pairs if theirs is not None and theirs != ours}


def _cutter(tokenizer: Tokenizer) -> Cutter:
    if tokenizer.behavior == "phone":
        return cutter(None, (), lambda text: text)
    settings = tokenizer.settings
    words = [*settings.special_tokens, *(token.content for token in settings.added_tokens)]
    return cutter(settings, words, normalizer_of(settings).normalize_str)


def _phone(index: dict[str, int], unknown: str) -> _Backend:
    backend = _Backend(WordPiece(index, unk_token=unknown, max_input_chars_per_word=_LONGEST_WORD))
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
