"""Queries with the documents that answer them: examples, and how well a ranking of documents is scored.

Sources: Järvelin and Kekäläinen 2002 (nDCG, with gain = relevance and a discount of log2(1 + rank)); BEIR (Thakur et
al. 2021, arXiv:2104.08663), whose relevant documents are all equally so in most sets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilebert_lite.errors import DataError
from mobilebert_lite.text.examples import TextExample

# Names of the columns in use: those of this package first, then those of sentence-transformers.
_QUERY, _POSITIVE, _NEGATIVE = ("query", "anchor"), ("positives", "positive"), ("negatives", "negative")
# Ranks that are looked at.
CUTS = (1, 5, 10)
NDCG = 10


@dataclass(frozen=True)
class QueryExample(TextExample):
    """A query, ``text``, with documents that answer it and some that do not."""

    positives: tuple[str, ...] = ()
    negatives: tuple[str, ...] = ()

    @property
    def documents(self) -> tuple[str, ...]:
        """All of them."""
        return self.positives + self.negatives


def read_query(raw: Mapping[str, Any], where: str, default_id: str) -> QueryExample | None:
    """The query in ``raw``; None where there is none. Raises DataError for one without a document that answers it."""
    query = next((raw[name] for name in _QUERY if name in raw), None)
    if query is None:
        return None
    if not isinstance(query, str) or not query.strip():
        raise DataError(f"{where}: query is {query!r}; it must be a text that is not empty")
    positives, negatives = (_texts(raw, names, where) for names in (_POSITIVE, _NEGATIVE))
    if not positives:
        raise DataError(f"{where}: the query has no positives; give the texts that answer it")
    return QueryExample(query, id=str(raw.get("id", default_id)), positives=positives, negatives=negatives)


def _texts(raw: Mapping[str, Any], names: Sequence[str], where: str) -> tuple[str, ...]:
    value: Any = next((raw[name] for name in names if raw.get(name) is not None), [])
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(one, str) and one.strip() for one in found):
        raise DataError(f"{where}: {names[0]} is {str(value)[:60]!r}; it must be a list of texts that are not empty")
    return tuple(dict.fromkeys(found))


def corpus_of(examples: Sequence[TextExample]) -> tuple[str, ...]:
    """The documents of all queries, and the texts that are no queries, each once, in the order of the file."""
    found: dict[str, None] = {}
    for example in examples:
        found |= dict.fromkeys(example.documents if isinstance(example, QueryExample) else [example.text])
    return tuple(found)


def ranks_of(relevant: Sequence[int], scores: np.ndarray) -> list[int]:
    """Ranks, from 1, of the documents ``relevant`` among all, the best first; of equal scores the earlier document
    comes first. *Shape:* scores float (documents)"""
    order = np.argsort(-scores, kind="stable")
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(1, len(order) + 1)
    return sorted(int(places[i]) for i in relevant)


def measures(ranks: Sequence[int]) -> dict[str, float]:
    """What one ranking scores, 0 to 1: ``ranks``, from 1, are those of the relevant documents, in rising order."""
    found = {f"recall@{k}": sum(rank <= k for rank in ranks) / len(ranks) for k in CUTS}
    gain = sum(1.0 / np.log2(1 + rank) for rank in ranks if rank <= NDCG)
    best = sum(1.0 / np.log2(1 + rank) for rank in range(1, min(len(ranks), NDCG) + 1))
    return {**found, "mrr": 1.0 / ranks[0], f"ndcg@{NDCG}": float(gain / best)}
