"""Texts in batches of one length each, as they are computed together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mobilebert_lite.text.features import Features

# Tokens of a batch, padding included.
_TOKENS = 2048

# ids, mask and segment_ids, int32 [rows, length].
TextBatch = dict[str, np.ndarray]


def batches(texts: Sequence[Features], multiple: int) -> list[TextBatch]:
    """``texts``, sorted by their lengths, which are rounded up to a multiple of ``multiple`` tokens.

    One [PAD] is left behind a text where it has one: the trigram reads it.
    """
    by_length: dict[int, list[Features]] = {}
    for text in texts:
        full = text.ids.shape[-1]
        length = min(full, -(-(text.length_used + 1) // multiple) * multiple)
        by_length.setdefault(length, []).append(text)
    found = []
    for length, some in sorted(by_length.items()):
        rows = [text.trimmed(length).inputs() for text in some]
        count = max(1, _TOKENS // rows[0]["ids"].size)
        for start in range(0, len(rows), count):
            together = rows[start:start + count]
            found.append({name: np.concatenate([row[name] for row in together])
                          for name in ("ids", "mask", "segment_ids")})
    return found


def tokens(some: Sequence[TextBatch]) -> int:
    """How many tokens of texts there are, without padding."""
    return sum(int(batch["mask"].sum()) for batch in some)
