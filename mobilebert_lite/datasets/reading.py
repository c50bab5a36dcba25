"""Examples from files: SQuAD JSON, JSON lines and lists, tables, BIO files, lines of text, Parquet and ``datasets``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mobilebert_lite.common.budget import LINE, Budget
from mobilebert_lite.datasets.arrow import is_arrow, read_arrow
from mobilebert_lite.datasets.builtin import builtin_examples
from mobilebert_lite.datasets.choices import choice_columns, read_choices
from mobilebert_lite.datasets.columns import Names, text_columns
from mobilebert_lite.datasets.json_rows import is_json, json_rows
from mobilebert_lite.datasets.options import DataOptions
from mobilebert_lite.datasets.questions import question_columns, read_questions
from mobilebert_lite.datasets.rows import BadRows, DataRow, Example, check_unique, collect
from mobilebert_lite.datasets.tables import table_form, table_rows
from mobilebert_lite.datasets.text_file import TextFile, opened
from mobilebert_lite.datasets.text_rows import read_texts
from mobilebert_lite.datasets.words import bio_rows, read_words, word_columns
from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import Task, find_task
from mobilebert_lite.text.examples import ChoiceExample, PairExample, QuestionExample, TextExample, TokenExample

__all__ = ["ChoiceExample", "DataOptions", "Example", "PairExample", "QuestionExample", "ReadExamples", "TextExample",
           "TokenExample", "builtin_examples", "evenly", "read", "read_examples"]

_NEEDED = {TextExample: "texts", PairExample: "pairs of texts", ChoiceExample: "prompts with choices",
           TokenExample: "texts cut into words"}
# Kind of example -> what finds its columns.
_COLUMNS: dict[type, Callable[[Names, DataOptions], Any]] = {
    QuestionExample: question_columns, TextExample: text_columns, PairExample: text_columns,
    ChoiceExample: choice_columns, TokenExample: word_columns}
# And what reads a row by them.
_READERS: dict[type, Callable[..., Iterator[Example]]] = {
    QuestionExample: read_questions, ChoiceExample: read_choices, TokenExample: read_words}


@dataclass(frozen=True)
class ReadExamples:
    """What a file held."""

    examples: list[Example]
    # Rows that were left out, and what is wrong with the first of them.
    skipped: int = 0
    problems: tuple[str, ...] = ()
    # Names of the classes, where the file says them and its labels are their numbers.
    class_names: tuple[str, ...] = ()

    def told(self) -> str:
        """What was left out, for people; "" where nothing was."""
        if not self.skipped:
            return ""
        more = f"; and {self.skipped - len(self.problems)} more" if self.skipped > len(self.problems) else ""
        rows = "1 bad row was" if self.skipped == 1 else f"{self.skipped} bad rows were"
        return f"{rows} skipped: {'; '.join(self.problems)}{more}"


def read_examples(path: str | Path, task_name: str, options: DataOptions | None = None) -> list[Example]:
    """The examples in ``path`` for a task, in the order of the file; ``options`` say what the file does not.

    What the file is follows from its content: ``{"data": …}`` is SQuAD (1.1 or 2.0), other lines that begin with
    ``{`` are JSON lines, ``[`` begins a JSON list of such objects. Anything else is a table with a header, separated by
    tabs, commas, semicolons or ``|``; for token classification a BIO file; for fill-mask, where no header is, a text on
    each line. Parquet files and folders that ``datasets`` saved need pyarrow.
    Raises DataError naming the file and the line (for SQuAD: the path inside) of rows that cannot be used, where there
    are more than ``options`` allow, and for a file without examples.
    """
    return read(path, find_task(task_name), options).examples


def read(path: str | Path, task: Task, options: DataOptions | None = None, *, labeled: bool = False) -> ReadExamples:
    """``read_examples`` for a task in a form, and what else there is to say about the file.

    ``labeled``: a row without a label is bad where another row has one.
    """
    path, options = Path(path), options or DataOptions()
    bad = BadRows(options.skip_bad_rows)
    classes: tuple[str, ...] = ()
    if is_arrow(path):
        table = read_arrow(path)
        columns = _Columns(task, options)
        columns.check(Names(table.names, str(path)))
        classes = _class_names(table.classes, task, options)
        rows = _charged(table.rows, path, _size(path), is_packed=True)
        examples = list(collect(rows, columns.read, bad, labeled))
    else:
        with opened(path) as file:
            rows = _charged(_rows(file, task, options), path, file.size)
            examples = list(collect(rows, _Columns(task, options).read, bad, labeled))
    bad.check(str(path), len(examples))
    if not examples:
        raise DataError(f"{path} holds no examples")
    if task.example_type is QuestionExample:
        check_unique([str(example.id) for example in examples], str(path))
    return ReadExamples(examples, bad.count, tuple(bad.told), classes)


def evenly(items: Sequence[Any], count: int | None) -> Sequence[Any]:
    """``count`` of ``items`` at equal distances, for files are often sorted by subject; all when None or too few."""
    if count is None or count >= len(items):
        return items
    return [items[i * len(items) // count] for i in range(count)]


def _charged(rows: Iterable[DataRow], path: Path, size: int, is_packed: bool = False) -> Iterator[DataRow]:
    """``rows``, as long as they take no more memory than a file of ``size`` bytes may: a row of three characters, or
    one of a packed file that names a text of another row, takes as much as any."""
    budget = Budget(size, DataError)
    for row in rows:
        try:
            budget.keep(1, LINE, str(path))
            if is_packed and isinstance(row.values, Mapping):
                budget.keep(sum(len(one) for one in row.values.values() if isinstance(one, str)), 1, str(path))
        except DataError:
            raise DataError(f"{row.place}: the rows before take more memory than a file of {size:,} bytes may; leave "
                            "out short and repeated rows, or give fewer of them") from None
        yield row


def _size(path: Path) -> int:
    """Bytes of a file, or of the files in a folder."""
    found = [one for one in path.iterdir() if one.is_file()] if path.is_dir() else [path]
    return sum(one.stat().st_size for one in found)


def _rows(file: TextFile, task: Task, options: DataOptions) -> Iterable[DataRow]:
    kind = task.example_type
    if not any(line.strip() for line in file.lines()):
        return ()
    if is_json(file):
        needed = "" if kind is QuestionExample else _NEEDED.get(kind, "other examples")
        return json_rows(file, needed, kind in (TextExample, PairExample))
    if kind is TokenExample:
        return bio_rows(file, options)
    return table_rows(file, table_form(file, _Columns(task, options).check, options, task.plain_text))


class _Columns:
    """Rows into examples of a task; the columns are looked for once for each set of names."""

    def __init__(self, task: Task, options: DataOptions) -> None:
        self.task, self.kind, self.options = task, task.example_type, options
        self._of = lru_cache(maxsize=64)(self._find)

    def check(self, names: Names) -> None:
        """Raise DataError where the columns hold no examples."""
        if self.kind in _COLUMNS:
            _COLUMNS[self.kind](names, self.options)

    def _find(self, names: tuple[str, ...]) -> Any:
        return _COLUMNS[self.kind](Names(names, ""), self.options)

    def read(self, row: DataRow) -> Iterable[Example]:
        """The examples of ``row``. Raises DataError."""
        raw = row.values
        assert not isinstance(raw, DataError)
        if isinstance(raw, TokenExample):
            return [raw]
        own: Example | None = self.task.read_example({name: value for name, value in raw.items() if value != ""},
                                                     row.place, row.id)
        if own is not None:
            return [own]
        try:
            columns = self._of(tuple(raw))
        except DataError as error:
            raise DataError(f"{row.place}{error}") from None
        if self.kind in _READERS:
            return _READERS[self.kind](raw, columns, row.place, row.id)
        return read_texts(raw, columns, row.place, row.id, kind=self.kind, problem=self.task.form.problem_type)


def _class_names(classes: Mapping[str, tuple[str, ...]], task: Task, options: DataOptions) -> tuple[str, ...]:
    """Those of the column that holds the labels."""
    names = Names(list(classes), "")
    if options.label_column is not None:
        return classes.get(names.find(options.label_column.strip().casefold()) or "", ())
    known = word_columns(names, options).get("labels") if task.example_type is TokenExample else (
        names.find("label", "labels", "gold_label", "class"))
    return classes.get(known or "", ())
