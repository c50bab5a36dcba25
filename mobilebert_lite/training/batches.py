"""Rows of tokens into padded batches, in an order that follows from a seed alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mobilebert_lite.conversion import lengths
from mobilebert_lite.tasks.teaching import TEACHER, UNLABELLED
from mobilebert_lite.training.masks import Masker

# Lengths that batches are padded to; each costs a trace (and, with XLA, a compilation) of the step.
BUCKETS = 5
# Batches that are formed together from texts of similar length: enough to save padding, few enough to stay random.
_POOL = 50


@dataclass(frozen=True, eq=False)
class EncodedRow:
    """One sequence, without padding, and what the network should make of it."""

    # int32 [tokens], or [choices, tokens], where all but the longest choice have padding.
    ids: np.ndarray
    segment_ids: np.ndarray
    # As the task's training makes them (tasks.teaching): int32 [tokens] where they are those of tokens (-1: no label).
    labels: np.ndarray
    # Whether ``labels`` are those of the tokens.
    per_token: bool = False
    # Logits that a teacher gave, by output, float32: [tokens, …] or [classes].
    teacher: Mapping[str, np.ndarray] = field(default_factory=dict)
    # Those of these outputs that have a row for every token.
    token_outputs: Sequence[str] = ()
    # Of choices: 1 for tokens, 0 for padding, int32 as ``ids``; None: all are tokens.
    mask: np.ndarray | None = None

    @property
    def length(self) -> int:
        """Tokens of the longest sequence."""
        return int(self.ids.shape[-1])


# int32, float32; see objective.Batch.
Arrays = Mapping[str, np.ndarray]
# Number of an epoch -> its rows.
Epochs = Callable[[int], Sequence[EncodedRow]]


def choose_buckets(rows: Sequence[EncodedRow], longest: int, count: int = BUCKETS) -> tuple[int, ...]:
    """At most ``count`` lengths, rising, that cost least on ``rows``; the last is ``longest`` or what suffices.

    Each leaves room for one [PAD] where there is room: the trigram reads the neighbor of the last token, which must
    be what it is at the fixed length of a file.
    """
    used = [min(longest, row.length + 1) for row in rows]
    needed = min(longest, -(-max(used) // lengths.STEP) * lengths.STEP)
    return lengths.choose(used, count, needed)[::-1]


def epoch_batches(rows: Sequence[EncodedRow], size: int, buckets: Sequence[int], seed: Sequence[int]
                  ) -> list[tuple[np.ndarray, int]]:
    """(places in ``rows``, length) of every batch of one epoch, shuffled; only the last one formed may be smaller."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(rows))
    used = np.array([row.length for row in rows])
    batches = []
    for first in range(0, len(order), size * _POOL):
        pool = order[first:first + size * _POOL]
        pool = pool[np.argsort(used[pool], kind="stable")]
        for start in range(0, len(pool), size):
            chosen = pool[start:start + size]
            batches.append((chosen, bucket_for(int(used[chosen].max()), buckets)))
    return [batches[i] for i in rng.permutation(len(batches))]


def bucket_for(used: int, buckets: Sequence[int]) -> int:
    """The shortest of ``buckets`` with room for ``used`` tokens and a [PAD], the longest otherwise."""
    return next((bucket for bucket in buckets if used < bucket), buckets[-1])


def pad(rows: Sequence[EncodedRow], length: int, size: int, pad_id: int) -> dict[str, np.ndarray]:
    """ids, mask, segment_ids int32 [size, (choices,) length], labels, and the weight of every label.

    Rows beyond ``rows`` are empty and weigh nothing, so that every batch has the same shape.
    """
    shape = (size, *rows[0].ids.shape[:-1], length)
    arrays = {"ids": np.full(shape, pad_id, np.int32), "mask": np.zeros(shape, np.int32),
              "segment_ids": np.zeros(shape, np.int32)}
    per_token = rows[0].per_token
    labels = rows[0].labels
    arrays["labels"] = np.full((size, length) if per_token else (size, *labels.shape), UNLABELLED, labels.dtype)
    arrays["weight"] = np.zeros((size, length) if per_token else size, np.float32)
    for i, row in enumerate(rows):
        used = row.length
        arrays["ids"][i, ..., :used] = row.ids
        arrays["mask"][i, ..., :used] = 1 if row.mask is None else row.mask
        arrays["segment_ids"][i, ..., :used] = row.segment_ids
        if per_token:
            arrays["labels"][i, :used] = row.labels
            arrays["weight"][i, :used] = row.labels != UNLABELLED
        else:
            arrays["labels"][i], arrays["weight"][i] = row.labels, 1
    return arrays | {TEACHER + name: _padded([row.teacher[name] for row in rows], length, size,
                                             name in rows[0].token_outputs) for name in rows[0].teacher}


def _padded(values: Sequence[np.ndarray], length: int, size: int, per_token: bool) -> np.ndarray:
    array = np.zeros((size, length, *values[0].shape[1:]) if per_token else (size, *values[0].shape), np.float32)
    for i, value in enumerate(values):
        array[(i, slice(len(value))) if per_token else i] = value
    return array


@dataclass(frozen=True)
class Batcher:
    """All batches of a training, in their order; the same arguments give the same batches."""

    # Rows in a batch, over all devices together.
    size: int
    # Lengths in rising order.
    buckets: Sequence[int]
    pad_id: int
    seed: int
    # Share of the words of the (last) text that are hidden behind [UNK], so that new words are not new to the network.
    unknown: float = 0.0
    unk_id: int = 1
    # Ids that are never hidden.
    special_ids: Sequence[int] = (0, 1, 2, 3, 4)
    # Share of the batches that begin at a random position instead of the first, and the number of positions: from
    # scratch, positions that no text reaches would stay untrained.
    shift: float = 0.0
    positions: int = 0
    # Where words of the text are to be guessed: what hides them.
    masker: Masker | None = None

    def stream(self, epochs: Epochs, start: int = 0) -> Iterator[Arrays]:
        """Batches without end, from number ``start`` on."""
        number, epoch = 0, 0
        while True:
            rows = epochs(epoch)
            batches = epoch_batches(rows, self.size, self.buckets, [self.seed, epoch])
            for chosen, length in batches[max(0, start - number):]:
                step = max(start, number)
                yield self._batch([rows[i] for i in chosen], length, step)
                start = step + 1
            number, epoch = number + len(batches), epoch + 1

    def per_epoch(self, epochs: Epochs) -> int:
        """Batches in the first epoch."""
        return -(-len(epochs(0)) // self.size)

    def _batch(self, rows: Sequence[EncodedRow], length: int, step: int) -> Arrays:
        rng = np.random.default_rng([self.seed, step, 1])
        arrays = pad(rows, length, self.size, self.pad_id)
        if self.unknown:
            text = arrays["segment_ids"] == arrays["segment_ids"].max(axis=-1, keepdims=True)
            hidden = text & ~np.isin(arrays["ids"], self.special_ids) & (rng.random(text.shape) < self.unknown)
            arrays["ids"] = np.where(hidden, self.unk_id, arrays["ids"]).astype(np.int32)
        if self.masker is not None:
            arrays = self.masker(arrays, np.random.default_rng([self.seed, step, 3]))
        shifted = self.shift and rng.random() < self.shift
        room = self.positions - length
        arrays["shift"] = np.array(rng.integers(room) if shifted and room > 0 else 0, np.int32)
        arrays["seed"] = np.array([self.seed, step], np.int32)
        return arrays
