"""Words hidden in a text for the network to guess: other ones in every step, which follow from the step alone.

As create_pretraining_data.py of google-research/bert (Devlin et al. 2019, arXiv:1810.04805, section 3.1), but drawn
anew each time a text is read (Liu et al. 2019, "RoBERTa", arXiv:1907.11692, section 4.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks.teaching import UNLABELLED
from mobilebert_lite.text.tokenization import Tokenizer

# Share of the tokens that are to be guessed; of these, the share that [MASK] stands for, and that a random word does.
# The others stay as they are.
SHARE, MASKED, RANDOM = 0.15, 0.8, 0.1


@dataclass(frozen=True, eq=False)
class Masker:
    """Hides tokens of batches."""

    mask_id: int
    # Ids that a random word may have, int32 [words].
    words: np.ndarray
    # Bool [vocabulary]: pieces that continue the word before.
    continues: np.ndarray
    # Hide all pieces of a word or none (whole-word masking of google-research/bert), not one piece by itself.
    whole_words: bool = False

    @classmethod
    def of(cls, tokenizer: Tokenizer, whole_words: bool = False) -> Masker:
        """For texts of ``tokenizer``. Raises DataError for a vocabulary without [MASK]."""
        if tokenizer.mask_id is None:
            raise DataError(f"the vocabulary has no {tokenizer.settings.mask_token}, which hides the words to guess")
        prefix = tokenizer.settings.continuing_prefix
        continues = np.array([bool(prefix) and word.startswith(prefix) for word in tokenizer.vocabulary])
        words = np.setdiff1d(np.arange(len(tokenizer.vocabulary), dtype=np.int32), tokenizer.special_ids)
        return cls(tokenizer.mask_id, words, continues, whole_words)

    def __call__(self, arrays: Mapping[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """``arrays`` of a batch, whose labels int32 [rows, length] are the tokens that may be hidden (UNLABELLED: not).

        With P places in each row, the last ones of no weight where fewer are hidden: positions and labels int32 [rows,
        P], weight float32 [rows, P].
        """
        ids, labels = arrays["ids"].copy(), arrays["labels"]
        most = most_hidden(ids.shape[1])
        positions = np.zeros((len(ids), most), np.int32)
        found = {"positions": positions, "labels": np.full((len(ids), most), UNLABELLED, np.int32),
                 "weight": np.zeros((len(ids), most), np.float32)}
        for row in range(len(ids)):
            places = self._places(labels[row], rng)
            count = len(places)
            positions[row, :count], found["labels"][row, :count] = places, labels[row, places]
            found["weight"][row, :count] = 1
            drawn = rng.random(count)
            instead = np.where(drawn < MASKED, self.mask_id, rng.choice(self.words, count))
            ids[row, places] = np.where(drawn < MASKED + RANDOM, instead, ids[row, places])
        return {**arrays, "ids": ids, **found}

    def _places(self, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Which tokens of one text are hidden, rising."""
        tokens = np.flatnonzero(labels != UNLABELLED)
        if not len(tokens):
            return tokens
        count = max(1, round(SHARE * len(tokens)))
        begins = ~self.continues[labels[tokens]] if self.whole_words else np.ones(len(tokens), bool)
        begins[0] = True
        words = np.split(tokens, np.flatnonzero(begins)[1:])
        chosen: list[int] = []
        for i in rng.permutation(len(words)):
            if len(chosen) + len(words[i]) <= count:
                chosen += words[i].tolist()
        return np.sort(np.array(chosen, np.int64))


def most_hidden(length: int) -> int:
    """Tokens that are hidden in a text of ``length`` tokens at most."""
    return max(1, round(SHARE * length))
