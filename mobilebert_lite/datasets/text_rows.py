"""Texts and pairs with their labels, from the cells of a row or the fields of an object."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mobilebert_lite.architecture.form import MULTI_LABEL, REGRESSION
from mobilebert_lite.common.fields import is_whole, read_string
from mobilebert_lite.datasets.columns import CLASS_INDEX, TextColumns, row_of
from mobilebert_lite.errors import DataError, shorten
from mobilebert_lite.text.examples import PairExample, TextExample

# What one label of XNLI's translated training sets is called in all others.
_SPELLED = {"contradictory": "contradiction"}
# SNLI and MultiNLI: those who labeled did not agree.
_NO_GOLD = "-"


def read_texts(raw: Mapping[str, Any], columns: TextColumns, where: str, default_id: str, *, kind: type[TextExample],
               problem: str) -> Iterator[TextExample]:
    """The examples of one row: one, or one for each language of a row of all of XNLI's.

    ``problem`` is one of form's problems. Raises DataError for a text that is empty or none.
    """
    row = row_of(raw, columns)
    label = read_label(row.get("label"), columns, where, problem)
    identity = row.get("id")
    identity = default_id if identity is None or identity == "" else str(identity)
    for text, pair, language in _translations(row):
        found = read_string({**row, "text": text}, "text", where)
        pair = None if pair == "" else pair
        if pair is not None and (not isinstance(pair, str) or not pair.strip()):
            raise DataError(f"{where}: pair is {pair!r}; it must be a text that is not empty")
        if pair is None and kind is PairExample:
            raise DataError(f"{where}: no pair; this task needs two texts (--pair-column says which is the second)")
        yield kind(found, pair, label, identity, language)


def _translations(row: Mapping[str, Any]) -> list[tuple[Any, Any, str]]:
    """(text, pair, language); ``datasets`` has XNLI with all languages in one row."""
    text, pair = row["text"], row.get("pair")
    if isinstance(text, dict) and isinstance(pair, dict) and isinstance(pair.get("translation"), list):
        other = dict(zip(pair.get("language", ()), pair["translation"], strict=False))
        return [(text[language], other[language], language) for language in text if language in other]
    return [(text, pair, str(row.get("language") or ""))]


def read_label(value: Any, columns: TextColumns, where: str, problem: str) -> str | None:
    """The label: a name, a number, or several with commas between them; None where it is unknown.

    An empty one says that none of several classes holds. Raises DataError for what is none of these.
    """
    if isinstance(value, list | tuple):
        return ",".join(_several(value, where, problem))
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise DataError(f"{where}: label is {value!r}; it must be a name or a number, or a list of them")
    label = str(value).strip()
    if problem == REGRESSION:
        return label or None
    if (not label and problem != MULTI_LABEL) or (label == _NO_GOLD and columns.label == "gold_label"):
        return None
    # Tables with missing values write whole numbers so.
    if label.endswith(".0") and label[:-2].isdecimal():
        label = label[:-2]
    if columns.label == CLASS_INDEX and is_whole(label):
        return str(int(label) - 1)
    return _SPELLED.get(label, label)


def _several(values: Sequence[Any], where: str, problem: str) -> list[str]:
    """The labels of a list; numbers that are all 0.0 or 1.0 say which classes hold."""
    if problem != REGRESSION and values and all(isinstance(one, float) and one in (0, 1) for one in values):
        return [str(i) for i, one in enumerate(values) if one]
    wrong = [one for one in values if isinstance(one, bool) or not isinstance(one, str | int | float)]
    names = [str(one).strip() for one in values]
    if wrong or any(not name or "," in name for name in names):
        raise DataError(f"{where}: label is a list with {shorten([repr(one) for one in wrong or values])}; each must "
                        "be a name without a comma, or a number")
    return names
