"""The word table in eight or sixteen bits, quantised row by row.

The gather reads only the rows it needs; the graph widens them (``graph.embeddings.lookup_words``). A row has a
scale of its own because word vectors differ in size by an order of magnitude; one scale for the whole table
would spend most of its steps on a few rare words.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

TABLE, SCALE = "embeddings.word", "embeddings.word.scale"


def quantise_rows(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """``tensors`` with the word table as int8 [V,E] and its scales as float32 [V,1]."""
    table = tensors[TABLE]
    scale = np.abs(table).max(axis=1, keepdims=True) / 127.0
    scale = np.where(scale > 0, scale, 1.0).astype(np.float32)
    return {**tensors, TABLE: np.rint(table / scale).astype(np.int8), SCALE: scale}


def halve(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """``tensors`` with the word table as float16. Values beyond ±65504 raise OverflowError."""
    table = tensors[TABLE]
    if np.abs(table).max() > np.finfo(np.float16).max:
        raise OverflowError(TABLE)
    return {**tensors, TABLE: table.astype(np.float16)}
