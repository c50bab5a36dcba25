"""The integer arrays that a MobileBERT reads, and where their tokens came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mobilebert_lite.errors import DataError
from mobilebert_lite.text.tokenization import Encoding, Tokenizer


@dataclass(frozen=True, eq=False)
class TextPlaces:
    """Where n tokens stand in their text, in code points, ends exclusive."""

    # int32 [n, 2]: (start, end) of each token.
    tokens: np.ndarray
    # int32 [n, 2]: (start, end) of the word that each token is part of.
    words: np.ndarray

    @classmethod
    def of(cls, encoding: Encoding) -> TextPlaces:
        """Those of a whole text."""
        tokens = np.array(encoding.offsets, np.int32).reshape(-1, 2)
        _, first, count = np.unique(np.array(encoding.words, np.int32), return_index=True, return_counts=True)
        last = first + count - 1
        return cls(tokens, np.repeat(np.stack([tokens[first, 0], tokens[last, 1]], axis=1), count, axis=0))

    def part(self, start: int, end: int) -> TextPlaces:
        """Of the tokens from ``start`` until ``end``; their words may reach beyond these."""
        return TextPlaces(self.tokens[start:end], self.words[start:end])


@dataclass(frozen=True, eq=False)
class Features:
    """One sequence of S tokens: ``[CLS] first [SEP]`` or ``[CLS] first [SEP] second [SEP]``, then padding.

    For a question with C alternatives (``stack``) every array has a leading axis C.
    """

    # int32 [S].
    ids: np.ndarray
    # int32 [S]: 1 for tokens, 0 for padding.
    mask: np.ndarray
    # int32 [S]: 1 for the second text and its [SEP], 0 elsewhere.
    segment_ids: np.ndarray
    # int32 [S, 2]: (start, end) in code points of the last text; (-1, -1) for all that is not of that text.
    offsets: np.ndarray
    # int32 [S, 2]: as offsets, of the whole word that each token is part of.
    words: np.ndarray
    # bool [S]: a token of the last text for which no other window offers more context.
    max_context: np.ndarray
    # int32 [n]: places of the tokens to be filled in; None where there are none to fill.
    masked: np.ndarray | None = None
    # int32 [P]: places at which the model is to give its outputs; None where it gives them everywhere.
    positions: np.ndarray | None = None
    # Whether a text was longer than what is here of it, and is in no other window either.
    cut: bool = False

    def inputs(self) -> dict[str, np.ndarray]:
        """The model's inputs by name, each int32 with a leading batch axis of 1."""
        inputs = {"ids": self.ids[None], "mask": self.mask[None], "segment_ids": self.segment_ids[None]}
        return inputs if self.positions is None else {**inputs, "positions": self.positions[None]}

    def trimmed(self, length: int) -> Features:
        """The first ``length`` positions, for a shorter signature that still holds every token."""
        rows = {name: getattr(self, name)[..., :length] for name in ("ids", "mask", "segment_ids", "max_context")}
        return replace(self, offsets=self.offsets[..., :length, :], words=self.words[..., :length, :], **rows)

    @property
    def length_used(self) -> int:
        """Number of tokens that are not padding, in the longest row."""
        return int(self.mask.sum(axis=-1).max())

    @property
    def in_text(self) -> np.ndarray:
        """Bool [S]: tokens of the last text (the context of a question)."""
        return self.offsets[..., 0] >= 0


def stack(rows: Sequence[Features]) -> Features:
    """Sequences of one length as the alternatives of one question."""
    names = ("ids", "mask", "segment_ids", "offsets", "words", "max_context")
    return Features(**{name: np.stack([getattr(row, name) for row in rows]) for name in names},
                    cut=any(row.cut for row in rows))


def pack(tokenizer: Tokenizer, first: str, second: str | None, length: int, *, keep_second: bool = False) -> Features:
    """``[CLS] first [SEP]``, or ``[CLS] first [SEP] second [SEP]``, cut and padded to ``length`` tokens.

    Too long texts lose tokens at their ends, the longer text first (``_truncate_seq_pair`` of google-research/bert), or
    with ``keep_second`` the first alone, unless the second leaves it no room. Raises DataError for a text without any
    token, and for a length below 1.
    """
    if length < 1:
        raise DataError(f"sequence length {length}: at least 1 is needed")
    # Of neither text more tokens than the sequence has are ever read.
    encoded = encode_texts(tokenizer, {"text": first} if second is None else {"text": first, "second text": second},
                           length)
    kept: tuple[int, ...] = (min(len(encoded[0].ids), max(length - 2, 0)),)
    if second is not None:
        counts, room = (len(encoded[0].ids), len(encoded[1].ids)), max(length - 3, 0)
        spare = room - counts[1]
        kept = (min(counts[0], spare), counts[1]) if keep_second and spare > 0 else longest_first(*counts, room)
    ids = [np.array(item.ids[:count], np.int32) for item, count in zip(encoded, kept, strict=True)]
    places = TextPlaces.of(encoded[-1]).part(0, kept[-1])
    features = join(tokenizer, ids, places, np.ones(kept[-1], bool), length)
    return replace(features, cut=any(len(item.ids) > count for item, count in zip(encoded, kept, strict=True)))


def encode_texts(tokenizer: Tokenizer, texts: dict[str, str], most: int | None = None) -> list[Encoding]:
    """The first ``most`` tokens (None: all) of texts that are named for error messages.

    Raises DataError for one without any token.
    """
    encoded = tokenizer.encode_batch(list(texts.values()), most)
    for (name, text), item in zip(texts.items(), encoded, strict=True):
        if not item.ids:
            raise DataError(f"the {name} {text[:40]!r} holds no words; give it some" if text
                            else f"the {name} is empty; give it some words")
    return encoded


def longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens two texts keep when one token after the other is taken from the longer (or the second)."""
    return (min(first, max(room - second, (room + 1) // 2)),
            min(second, max(room - first, room // 2)))


def join(tokenizer: Tokenizer, texts: list[np.ndarray], places: TextPlaces, max_context: np.ndarray,
         length: int) -> Features:
    """Put the ids of one or two texts between special tokens.

    ``places`` and ``max_context`` bool [n] belong to the n tokens of the last text. Where ``length`` is
    too short for the special tokens themselves, the sequence is cut.
    """
    end = np.array([tokenizer.sep_id], np.int32)
    parts = [np.array([tokenizer.cls_id], np.int32)]
    for text in texts:
        parts += [text, end]
    ids = np.concatenate(parts)[:length]
    used, second = len(ids), 2 + len(texts[0])
    # The last text ends one [SEP] before the end of the sequence.
    begin = sum(len(part) for part in parts[:-2])
    features = Features(
        ids=np.full(length, tokenizer.pad_id, np.int32),
        mask=np.zeros(length, np.int32),
        segment_ids=np.zeros(length, np.int32),
        offsets=np.full((length, 2), -1, np.int32),
        words=np.full((length, 2), -1, np.int32),
        max_context=np.zeros(length, bool),
    )
    features.ids[:used] = ids
    features.mask[:used] = 1
    if len(texts) == 2:
        features.segment_ids[second:used] = 1
    for array, values in ((features.offsets, places.tokens), (features.words, places.words),
                          (features.max_context, max_context)):
        array[begin:begin + len(values)] = values
    return features
