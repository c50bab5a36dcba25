"""Rows of files, of which one that cannot be used does not refuse the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mobilebert_lite.errors import DataError, shorten
from mobilebert_lite.text.examples import ChoiceExample, QuestionExample, TextExample, TokenExample

Example = QuestionExample | TextExample | ChoiceExample | TokenExample

# So many bad rows are told of with their faults, the others are counted.
_TOLD = 10


@dataclass(frozen=True)
class DataRow:
    """One row of a table, one JSON object, one question, or one text of words with labels."""

    # The file and the line, for errors; and the id of an example that has none of its own.
    place: str
    id: str
    # The cells by the names of their columns, the fields of an object, an example; or what is wrong with the row.
    values: Mapping[str, Any] | TokenExample | DataError
    # Whether an escape of JSON may stand for half a character.
    escaped: bool = False


@dataclass
class BadRows:
    """Those that cannot be used."""

    # Of all rows together.
    most: int
    count: int = 0
    told: list[str] = field(default_factory=list)

    def add(self, problem: str) -> None:
        """One more."""
        self.count += 1
        if len(self.told) < _TOLD:
            self.told.append(problem)

    def check(self, where: str, good: int) -> None:
        """Raise DataError where there are more than are to be skipped; ``good`` rows could be read."""
        if self.count <= self.most:
            return
        if self.count == 1:
            raise DataError(f"{self.told[0]}{'; --skip-bad-rows 1 goes on without this row' if good else ''}")
        # The file is named once.
        told = [one.removeprefix(f"{where}, ").removeprefix(f"{where}: ") for one in self.told]
        more = f"; and {self.count - len(told)} more" if self.count > len(told) else ""
        advice = f"; --skip-bad-rows {self.count} goes on without them" if good else ""
        rows = "bad rows" if good else "rows, and none can be used"
        raise DataError(f"{where}, {told[0]}{'' if good else f' (so all {self.count} rows)'}" if not good else
                        f"{where}: {self.count} {rows}: {'; '.join(told)}{more}{advice}")


def collect(rows: Iterable[DataRow], make: Callable[[DataRow], Iterable[Example]], bad: BadRows,
            labeled: bool) -> Iterator[Example]:
    """The examples of ``rows``; those that ``make`` refuses are added to ``bad``.

    ``labeled``: where any row has a label, one without is bad too.
    """
    found: list[Example] = []
    bare: list[tuple[range, str]] = []
    for row in rows:
        try:
            if isinstance(row.values, DataError):
                raise row.values
            made = list(make(row))
            if row.escaped:
                for example in made:
                    _check_unicode(example, row.place)
        except DataError as error:
            bad.add(str(error))
            continue
        if labeled and made and not all(map(_has_label, made)):
            bare.append((range(len(found), len(found) + len(made)), row.place))
        found += made
    dropped = {index for places, _ in bare for index in places}
    if len(dropped) == len(found):
        return iter(found)
    for _, place in bare:
        bad.add(f"{place}: no label, though other rows have one")
    return (example for i, example in enumerate(found) if i not in dropped)


def _has_label(example: Example) -> bool:
    if isinstance(example, TokenExample):
        return bool(example.labels)
    # A question without an answer may be one that has none.
    return isinstance(example, QuestionExample) or getattr(example, "label", "") is not None


def _check_unicode(example: Example, where: str) -> None:
    """Half a surrogate pair can be neither tokenized nor written into a report."""
    try:
        json.dumps(asdict(example), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: half a surrogate pair ({error.object[error.start]!a}); "
                        "it was cut or decoded wrongly") from None


def check_unique(ids: list[str], where: str) -> None:
    """Raise DataError for an id that stands twice."""
    if len(set(ids)) != len(ids):
        seen: set[str] = set()
        again = [i for i in ids if i in seen or seen.add(i)]  # type: ignore[func-returns-value]
        raise DataError(f"{where}: questions share the id {shorten(again)}; predictions are matched by id")
