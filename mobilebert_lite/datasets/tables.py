"""Tables: what separates and quotes their cells, whether their first line names the columns, and their rows."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from mobilebert_lite.datasets.columns import CLASS_INDEX, Names
from mobilebert_lite.datasets.options import DataOptions
from mobilebert_lite.datasets.quoting import is_quoted
from mobilebert_lite.datasets.rows import DataRow
from mobilebert_lite.datasets.text_file import MOST_LINES, TextFile
from mobilebert_lite.errors import DataError

_SEPARATORS = ("\t", ",", ";", "|")
# Lines that show what a file without a header is.
_SHOWN = 200
# Rows in which a quotation mark opens a cell that never ends; each is read again from the next line on.
_MOST_OPEN = 20
# A cell may be a book; the module's own limit is 128 KiB.
csv.field_size_limit(max(csv.field_size_limit(), (1 << 31) - 1))
# Raises DataError where the columns of these names hold no examples.
Check = Callable[[Names], object]


@dataclass(frozen=True)
class TableForm:
    """How a table is written down."""

    names: tuple[str, ...]
    # Lines before the first row.
    header: int = 1
    # None: a line is a cell.
    separator: str | None = None
    quoted: bool = False
    # Whether a space follows each separator.
    padded: bool = False


def table_form(file: TextFile, check: Check, options: DataOptions, plain: bool) -> TableForm:
    """What the table is: by the names of its columns, which ``check`` looks at, never by what the texts hold.

    ``plain``: lines without names are texts. Raises DataError for a file that is no such table.
    """
    if (options.text_column or "").isdecimal() and (form := _numbered(file, check)):
        return form
    problem: DataError | None = None
    for form in sorted(_headed(file), key=lambda form: -len(form.names)) or _alone(file):
        try:
            check(Names(form.names, f"{file.where}, line 1"))
        except DataError as error:
            problem = problem or error
        else:
            return form
    if options == DataOptions(skip_bad_rows=options.skip_bad_rows):
        if form := _published(file):
            return form
        if plain:
            return TableForm(("text",), header=0)
    raise DataError(f"{problem}; the first line must name the columns, separated by tabs, commas or semicolons")


def table_rows(file: TextFile, form: TableForm) -> Iterator[DataRow]:
    """The rows, each by the line that it begins on."""
    for number, last, cells in (_quoted if form.quoted else _raw)(file, form):
        place = f"{file.where}, line {number}"
        if isinstance(cells, list) and (number <= form.header or not any(cells)):
            continue
        if damaged := next((line for line in file.damaged if number <= line <= last), None):
            yield DataRow(place, str(number), file.damage(damaged, file.damaged[damaged]))
        elif isinstance(cells, DataError):
            yield DataRow(place, str(number), cells)
        elif len(cells) != len(form.names):
            named = ", ".join(form.names[:6])
            yield DataRow(place, str(number), DataError(
                f"{place}: {len(cells)} columns, but the header has {len(form.names)} ({named})"))
        else:
            yield DataRow(place, str(number), dict(zip(form.names, cells, strict=True)))


def _raw(file: TextFile, form: TableForm) -> Iterator[tuple[int, int, list[str] | DataError]]:
    for number, line in enumerate(file.lines(), 1):
        line = line.removesuffix("\n").removesuffix("\r")
        yield number, number, [line] if form.separator is None else line.split(form.separator)


def _quoted(file: TextFile, form: TableForm) -> Iterator[tuple[int, int, list[str] | DataError]]:
    """(first line, last line, cells). After a row whose quotation marks do not fit, it goes on at the next line."""
    source, most = _Taken(file), _MOST_OPEN
    while True:
        reader = csv.reader(source, delimiter=form.separator or ",", strict=True, skipinitialspace=form.padded)
        try:
            for cells in reader:
                yield *source.span(), cells
            return
        except csv.Error as error:
            number = source.give_back()
            problem = (f"{file.where}, line {number}: {error}; quote cells that hold "
                       f"{'commas' if form.separator == ',' else 'separators'}, quotation marks or line breaks")
            yield number, number, DataError(problem)
            most -= "end of data" in str(error)
            if most < 0:
                raise DataError(f"{problem}; so it is in {_MOST_OPEN} rows before") from None


class _Taken:
    """Lines of a file, of which those of a broken row but the first are read again."""

    def __init__(self, file: TextFile) -> None:
        self._lines, self._where = enumerate(file.lines(), 1), file.where
        self._taken: list[tuple[int, str]] = []
        # The next one last.
        self._again: list[tuple[int, str]] = []

    def __iter__(self) -> _Taken:
        return self

    def __next__(self) -> str:
        one = self._again.pop() if self._again else next(self._lines)
        if len(self._taken) >= MOST_LINES:
            raise DataError(f"{self._where}, line {self._taken[0][0]}: a row of more than {MOST_LINES:,} lines; close "
                            "the quotation mark that opens a cell there")
        self._taken.append(one)
        return one[1]

    def span(self) -> tuple[int, int]:
        """First and last line of the row that was read."""
        first, last = self._taken[0][0], self._taken[-1][0]
        self._taken.clear()
        return first, last

    def give_back(self) -> int:
        """The first line of a broken row; the others come again."""
        number = self._taken[0][0]
        self._again += self._taken[:0:-1]
        self._taken.clear()
        return number


def _headed(file: TextFile) -> Iterator[TableForm]:
    """The forms that the file may have if its first line names the columns."""
    for separator in _SEPARATORS:
        names = _first(file, separator)
        if len(names) < 2:
            continue
        padded = separator != "\t" and any(name.startswith(" ") for name in names[1:])
        if padded:
            names = _first(file, separator, padded)
        quoted = separator != "\t" or is_quoted(file.lines(), separator)
        if not quoted:
            names = next(file.lines()).rstrip("\r\n").split(separator)
        yield TableForm(tuple(name.strip() for name in names), 1, separator, quoted, padded)


def _alone(file: TextFile) -> list[TableForm]:
    """One column. Its cells may hold anything, unless a program that writes CSV has quoted them."""
    quoted = is_quoted(file.lines(), ",", alone=True)
    name = next(file.lines()).strip()
    return [TableForm((name.strip('"') if quoted else name,), 1, None, quoted)]


def _first(file: TextFile, separator: str, padded: bool = False) -> list[str]:
    try:
        return next(csv.reader(islice(file.lines(), 20), delimiter=separator, skipinitialspace=padded), [])
    except csv.Error:
        return []


def _shown(file: TextFile, separator: str) -> list[list[str]]:
    """Rows at the beginning, if they have one width of two or more; none otherwise."""
    form = TableForm((), 0, separator, separator != "\t" or is_quoted(file.lines(), separator))
    rows = [cells for _, _, cells in islice((_quoted if form.quoted else _raw)(file, form), _SHOWN)
            if isinstance(cells, list) and any(cells)]
    return rows if len({len(cells) for cells in rows}) == 1 and len(rows[0]) > 1 else []


def _numbered(file: TextFile, check: Check) -> TableForm | None:
    """A table without a header whose columns are called by their numbers."""
    found = [(separator, rows) for separator in _SEPARATORS if (rows := _shown(file, separator))]
    for separator, rows in sorted(found, key=lambda one: -len(one[1][0])):
        names = tuple(str(i) for i in range(1, len(rows[0]) + 1))
        check(Names(names, f"{file.where}, line 1"))
        return TableForm(names, 0, separator, separator != "\t" or is_quoted(file.lines(), separator))
    return None


def _published(file: TextFile) -> TableForm | None:
    """A published file without a header: CoLA's, or one of AG News' kind."""
    if (rows := _shown(file, "\t")) and _is_cola(rows):
        return TableForm(("source", "label", "mark", "sentence"), 0, "\t", is_quoted(file.lines(), "\t"))
    rows = _shown(file, ",")
    if rows and 2 <= len(rows[0]) <= 4 and all(row[0].isdecimal() and not row[1].isdecimal() for row in rows):
        # Counted from 1, as all sets of Zhang et al. 2015, or from 0.
        label = "label" if any(row[0] == "0" for row in rows) else CLASS_INDEX
        names = {2: (label, "text"), 3: (label, "title", "description"), 4: (label, "title", "question", "answer")}
        return TableForm(names[len(rows[0])], 0, ",", True)
    return None


def _is_cola(rows: Sequence[Sequence[str]]) -> bool:
    return all(len(row) == 4 and row[1] in ("0", "1") and row[2] in ("", "*") for row in rows)
