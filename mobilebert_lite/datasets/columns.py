"""Which column of a table, or field of an object, holds what: one list of names for both."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mobilebert_lite.datasets.options import DataOptions
from mobilebert_lite.errors import DataError, shorten

# Names of the text (joined, where there are several) and of its pair in data sets in use; the first that is there is
# taken. Lower case, as they are compared.
_TEXTS: tuple[tuple[tuple[str, ...], str | None], ...] = (
    (("text",), "text_pair"), (("text",), "pair"), (("sentence1",), "sentence2"), (("question1",), "question2"),
    (("premise",), "hypothesis"), (("premise",), "hypo"), (("question",), "sentence"), (("#1 string",), "#2 string"),
    (("text_a",), "text_b"), (("text1",), "text2"), (("sentence",), None), (("text",), None))
# AG News, DBpedia and their kin: classes are counted from 1, and a title stands before the text.
CLASS_INDEX = "class index"
_NEWS = (("title", "description"), ("title", "content"), ("description",), ("content",))
_LABELS = ("label", "gold_label", "is_duplicate", "quality", "score", CLASS_INDEX, "labels", "class")


def plain(name: object) -> str:
    """``name`` as names of columns are compared."""
    return str(name).strip().strip("\ufeff").strip().casefold()


class Names:
    """The names of the columns of one table, or of the fields of one object."""

    def __init__(self, names: Sequence[str], where: str) -> None:
        self.where, self.all = where, list(names)
        self._by_plain: dict[str, str] = {}
        for name in names:
            self._by_plain.setdefault(plain(name), name)

    def find(self, *wanted: str) -> str | None:
        """The first of ``wanted`` that is there, as it is spelled there."""
        return next((self._by_plain[name] for name in wanted if name in self._by_plain), None)

    def matching(self, pattern: re.Pattern[str]) -> list[tuple[re.Match[str], str]]:
        """Those that ``pattern`` matches."""
        return [(match, name) for low, name in self._by_plain.items() if (match := pattern.match(low))]

    def asked(self, name: str, option: str) -> str:
        """The column that a user named. Raises DataError when it is missing."""
        if (found := self.find(plain(name))) is None:
            raise DataError(f"{self.where}: no column {name!r} ({option}) among {shorten(self.all)}")
        return found


@dataclass(frozen=True)
class TextColumns:
    """Where a text, its pair, label, language and id stand; None for what there is not."""

    # Joined by a space where there are several.
    texts: tuple[str, ...]
    pair: str | None
    # Several are 0 or 1 each.
    labels: tuple[str, ...]
    id: str | None
    language: str | None

    @property
    def label(self) -> str:
        """The name of the first label column as names are compared."""
        return plain(self.labels[0]) if self.labels else ""


def text_columns(names: Names, options: DataOptions) -> TextColumns:
    """What ``options`` say, and otherwise the names in use. Raises DataError without a column for the text."""
    texts, pair = _texts(names, options)
    if options.label_column is None:
        found = names.find(*_LABELS)
        labels: tuple[str, ...] = () if found is None else (found,)
    else:
        labels = label_columns(names, options.label_column)
    return TextColumns(texts, pair, labels, names.find("id"), names.find("language", "lang"))


def label_columns(names: Names, asked: str) -> tuple[str, ...]:
    """The one column called ``asked``, or those that it names with commas between them."""
    if names.find(plain(asked)) is not None or "," not in asked:
        return (names.asked(asked, "--label-column"),)
    return tuple(names.asked(part, "--label-column") for part in asked.split(","))


def _texts(names: Names, options: DataOptions) -> tuple[tuple[str, ...], str | None]:
    pair = names.asked(options.pair_column, "--pair-column") if options.pair_column is not None else None
    if options.text_column is not None:
        return (names.asked(options.text_column, "--text-column"),), pair
    for texts, second in _TEXTS:
        found = [names.find(name) for name in texts]
        if None not in found and (second is None or names.find(second)):
            return tuple(map(str, found)), pair or (names.find(second) if second else None)
    if names.find(CLASS_INDEX):
        for news in _NEWS:
            if all(map(names.find, news)):
                return tuple(str(names.find(name)) for name in news), pair
    raise DataError(f"{names.where}: no text; it has {shorten(sorted(map(str, names.all))) or 'nothing'} "
                    "(--text-column says which it is)")


def row_of(raw: Mapping[str, Any], columns: TextColumns) -> dict[str, Any]:
    """``raw`` by our names: text, pair, label, id and language, those that it has."""
    found = {"pair": columns.pair, "id": columns.id, "language": columns.language}
    row = {ours: raw[theirs] for ours, theirs in found.items() if theirs is not None and theirs in raw}
    parts = [raw.get(name) for name in columns.texts]
    row["text"] = parts[0] if len(parts) == 1 else " ".join(str(part) for part in parts if part)
    if len(columns.labels) == 1:
        row["label"] = raw.get(columns.labels[0])
    elif columns.labels:
        row["label"] = [name.strip() for name in columns.labels if _holds(raw.get(name), name)]
    return row


def _holds(value: Any, name: str) -> bool:
    known = {"1": True, "0": False, "1.0": True, "0.0": False, "true": True, "false": False, "": False, "none": False}
    said = str(value).strip().casefold()
    if said not in known:
        raise DataError(f"{name} is {value!r}; a column of one class holds 1 or 0")
    return known[said]
