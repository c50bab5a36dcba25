"""The windows in which a context is read with its question.

Source: ``convert_examples_to_features`` in run_squad.py of google-research/bert.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mobilebert_lite.errors import DataError
from mobilebert_lite.text.features import Features, TextPlaces, encode_texts, join
from mobilebert_lite.text.tokenization import Tokenizer

STRIDE = 128
MAX_QUERY = 64
# is_whitespace of run_squad.py: the ASCII spaces and the narrow no-break space, but not the ordinary one.
_WORD_SPACES = frozenset(" \t\r\n\u202f")
# [CLS] question [SEP] context [SEP]
_SPECIAL = 3


def longest_question(length: int) -> int:
    """Tokens a question is cut to: 64, or half of the sequence where that is less."""
    return max(1, min(MAX_QUERY, length // 2))


def windows(tokenizer: Tokenizer, question: str, context: str, length: int, *, stride: int = STRIDE,
            max_query: int = MAX_QUERY) -> list[Features]:
    """The question with each stretch of the context that fits into ``length`` tokens.

    The question is cut to ``max_query`` tokens; stretches start ``stride`` tokens apart (or their own length, if that
    is less). Raises DataError for an empty question or context, and for a length without room for the context.
    """
    if stride < 1 or max_query < 1:
        raise DataError(f"stride {stride}, max_query {max_query}: both must be 1 or more")
    [asked] = encode_texts(tokenizer, {"question": question}, max_query + 1)  # one more tells that it is cut
    [read] = encode_texts(tokenizer, {"context": context})
    query = np.array(asked.ids[:max_query], np.int32)
    room = length - len(query) - _SPECIAL
    if room < 1:
        raise DataError(f"sequence length {length} cannot hold a question of {len(query)} tokens, {_SPECIAL} special "
                        f"tokens and 1 of the context; use {len(query) + _SPECIAL + 1} or more, or a shorter question")
    ids, places = np.array(read.ids, np.int32), TextPlaces.of(read)
    stretches = list(stretches_of(len(ids), room, stride))
    owners = owners_of(stretches, len(ids))
    cut = len(asked.ids) > max_query
    return [replace(join(tokenizer, [query, ids[start:end]], places.part(start, end), owners[start:end] == i, length),
                    cut=cut) for i, (start, end) in enumerate(stretches)]


def token_to_orig_map(window: Features, context: str) -> dict[int, int]:
    """Position of each context token -> index of the word it is part of, words being what white space separates.

    As in run_squad.py, whose answers are made of such words; ours are cut by ``offsets`` instead.
    """
    space = np.array([character in _WORD_SPACES for character in f" {context}"])
    word = np.cumsum(space[:-1] & ~space[1:]) - 1
    positions = np.flatnonzero(window.in_text)
    return dict(zip(positions.tolist(), word[window.offsets[positions, 0]].tolist(), strict=True))


def stretches_of(tokens: int, room: int, stride: int) -> Iterator[tuple[int, int]]:
    """(start, end) of each window over the context."""
    start = 0
    while start + room < tokens:
        yield start, start + room
        start += min(room, stride)
    yield start, tokens


def owners_of(stretches: list[tuple[int, int]], tokens: int) -> np.ndarray:
    """For each token of the context, the window in which it stands farthest from both ends; int [tokens].

    ``_check_is_max_context`` of run_squad.py: the smaller of the two distances plus 0.01 times the window's length,
    the earlier window where they are equal. The arithmetic is double precision there too, so ties fall alike.
    """
    best = np.full(tokens, -1.0)
    owners = np.zeros(tokens, np.int64)
    for i, (start, end) in enumerate(stretches):
        place = np.arange(end - start)
        score = np.minimum(place, place[::-1]) + 0.01 * (end - start)
        better = score > best[start:end]
        best[start:end][better] = score[better]
        owners[start:end][better] = i
    return owners
