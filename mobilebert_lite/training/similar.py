"""Which examples are the same text, or nearly: those must stand on one side when data is split.

Near is what a reader would call a copy: case, spaces and punctuation differ, or one word does, or, in longer texts, a
few words. Every text is hashed a few times for each word, so that 100,000 rows take seconds, and the same rows always
give the same groups.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from mobilebert_lite.text.examples import ChoiceExample, QuestionExample

# Words of the shortest text whose variations by one word are copies: in three words, one is a third of what is said.
LEAST_WORDS = 4
# Words of the shortest text of which several may differ, and the share of its shingles that must then be common.
LONG, ALIKE = 12, 0.6
# MinHashes are compared in bands: two texts with a share s of common shingles meet with probability
# 1 - (1 - s^ROWS)^BANDS, 0.97 at s = 0.7 and 0.23 at 0.4; those that meet are compared exactly.
_BANDS, _ROWS = 16, 4
# Mersenne primes, the second for sequences of words, with the base of their hash.
_PRIME, _LONG_PRIME, _BASE = (1 << 31) - 1, (1 << 61) - 1, 1_000_003
_WORD = re.compile(r"\w+")


def groups(examples: Sequence[Any]) -> np.ndarray:
    """The number of the group of each example, int64 [n]; copies of one another, and their copies, share one.

    Questions about the same context are one group, and so are those with the same prompt.
    """
    union = _Union(len(examples))
    texts = [_words(example) for example in examples]
    _join_equal(union, ((i, tuple(words)) for i, words in enumerate(texts)))
    # One of each is enough from here on.
    chosen = [i for i in range(len(texts)) if union.find(i) == i]
    numbers = {i: [_number(word) for word in texts[i]] for i in chosen}
    # Two sequences meet by their own hash, which is another's without a word, and by those without one of their words.
    _join_equal(union, ((i, key) for i, words in numbers.items() if len(words) >= LEAST_WORDS - 1
                        for key in _without_one(words)))
    _join_alike(union, {i: np.array(words) for i, words in numbers.items() if len(words) >= LONG})
    return np.array([union.find(i) for i in range(len(examples))], np.int64)


def _words(example: Any) -> list[str]:
    """What must not stand on two sides, as words: of a question its context, of choices their prompt."""
    if isinstance(example, QuestionExample):
        text = example.context
    elif isinstance(example, ChoiceExample):
        text = example.prompt
    else:
        # A line between them, which no word is.
        text = example.text + (f" {_BETWEEN} {pair}" if (pair := getattr(example, "pair", None)) else "")
    normal = unicodedata.normalize("NFKC", text).casefold()
    # Texts of nothing but signs are what they are.
    return _WORD.findall(normal) or normal.split()


_BETWEEN = "_"


@cache
def _number(word: str) -> int:
    """The same in every process, which ``hash`` is not."""
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4).digest()) % _PRIME


class _Union:
    """Disjoint sets; the least member stands for its set."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def find(self, i: int) -> int:
        while self._above[i] != i:
            self._above[i] = self._above[self._above[i]]
            i = self._above[i]
        return i

    def join(self, i: int, j: int) -> None:
        i, j = sorted((self.find(i), self.find(j)))
        self._above[j] = i


def _join_equal(union: _Union, keys: Iterator[tuple[int, Any]]) -> None:
    first: dict[Any, int] = {}
    for i, key in keys:
        if (other := first.setdefault(key, i)) != i:
            union.join(other, i)


def _without_one(words: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(length, hash) of ``words``, and where there are enough of them also without each one of them.

    Polynomials modulo a prime of 61 bits: among 100,000 texts of 20 words, two are equal by accident once in a million
    files.
    """
    count, before, powers = len(words), [0], [1]
    for word in words:
        before.append((before[-1] * _BASE + word) % _LONG_PRIME)
        powers.append(powers[-1] * _BASE % _LONG_PRIME)
    yield count, before[-1]
    if count >= LEAST_WORDS:
        for place in range(count):
            after = before[-1] - before[place + 1] * powers[count - place - 1]
            yield count - 1, (before[place] * powers[count - place - 1] + after) % _LONG_PRIME


def _join_alike(union: _Union, texts: dict[int, np.ndarray]) -> None:
    """Join those with a share of at least ``ALIKE`` of their shingles in common with the first that they meet."""
    rng = np.random.default_rng(0)
    factors, terms = rng.integers(1, _PRIME, (2, _BANDS * _ROWS, 1))
    shingles = {i: _shingles(words) for i, words in texts.items()}
    met: dict[tuple[int, bytes], int] = {}
    for i, mine in shingles.items():
        least = ((mine * factors + terms) % _PRIME).min(axis=1).reshape(_BANDS, _ROWS)
        for band in range(_BANDS):
            other = met.setdefault((band, least[band].tobytes()), i)
            if other != i and union.find(other) != union.find(i) and _alike(mine, shingles[other]):
                union.join(other, i)


def _shingles(words: np.ndarray) -> np.ndarray:
    """The distinct pairs of neighbors (Broder 1997, "On the resemblance and containment of documents").

    *Shape:* int64 [n] → int64 [at most n - 1]
    """
    pairs: np.ndarray = np.unique((words[:-1] * _BASE + words[1:]) % _PRIME)
    return pairs


def _alike(first: np.ndarray, second: np.ndarray) -> bool:
    common = len(np.intersect1d(first, second, assume_unique=True))
    return common >= ALIKE * (len(first) + len(second) - common)
