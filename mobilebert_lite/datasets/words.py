"""Words with labels: JSON objects, and BIO files as CoNLL has them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mobilebert_lite.common.fields import is_whole, read_list, read_string
from mobilebert_lite.datasets.choices import texts_of
from mobilebert_lite.datasets.columns import Names
from mobilebert_lite.datasets.options import DataOptions
from mobilebert_lite.datasets.rows import DataRow
from mobilebert_lite.datasets.text_file import MOST_LINES, TextFile
from mobilebert_lite.errors import DataError
from mobilebert_lite.text.examples import TokenExample

# Names of one field in data sets in use; the first that is there is taken.
_WORDS, _LABELS = ("words", "tokens"), ("labels", "tags", "ner_tags", "ner_labels")
# Separates documents in CoNLL files, and is no text.
_DOCUMENT = "-DOCSTART-"
# A label of a word, in any of the schemes in use.
LABEL = re.compile(r"O\Z|[BIESLU]-.")
_COMMENT = "# "
# In CoNLL-U, the number of what is several words, or no word of the text.
_PART = re.compile(r"\d+[-.]\d+\Z")


def word_columns(names: Names, options: DataOptions) -> dict[str, str]:
    """Our field -> theirs. Raises DataError for a missing one that was asked for."""
    found = {"words": names.find(*_WORDS) if options.text_column is None
             else names.asked(options.text_column, "--text-column"),
             "labels": names.find(*_LABELS) if options.label_column is None
             else names.asked(options.label_column, "--label-column"),
             "text": names.find("text"), "id": names.find("id")}
    return {ours: theirs for ours, theirs in found.items() if theirs is not None}


def read_words(raw: Mapping[str, Any], columns: Mapping[str, str], where: str,
               default_id: str) -> Iterator[TokenExample]:
    """``{"words": […], "labels": […]}``, the labels optional, or ``{"text": …}``, which is cut at white space."""
    row = {ours: raw[theirs] for ours, theirs in columns.items() if theirs in raw}
    identity = str(row.get("id", default_id))
    if not isinstance(row.get("words"), list):
        text = read_string(raw, columns.get("words", columns.get("text", "text")), where)
        words, labels = tuple(text.split()), row.get("labels")
        given = labels.split() if isinstance(labels, str) else labels
    else:
        words, given = texts_of(row["words"], f"{where}: {columns['words']}"), row.get("labels")
    if given is None:
        yield TokenExample(words, (), identity)
        return
    labels = tuple(str(label).strip() for label in read_list({"labels": given}, "labels", where))
    if len(labels) != len(words):
        raise DataError(f"{where}: {len(labels)} labels for {len(words)} words; give one for each word")
    yield TokenExample(words, labels, identity)


@dataclass(frozen=True)
class _Layout:
    """Which cells of a line are the word and its label."""

    word: int
    label: int


def bio_rows(file: TextFile, options: DataOptions) -> Iterator[DataRow]:
    """A word and its label on each line (columns between them are passed over), an empty line after each text.

    Comments, as CoNLL-U has them before a text, are passed over. A line that cannot be used makes its text bad.
    """
    layout: _Layout | None = None
    for number, lines in _sentences(file):
        layout = layout or _layout([line for _, line in lines], options)
        words: list[tuple[str, str]] = []
        problem: DataError | None = None
        for at, line in lines:
            cells = _cells(line)
            if layout.word and _PART.match(cells[0]):
                continue
            if at in file.damaged:
                problem = problem or file.damage(at, file.damaged[at])
            elif len(cells) <= max(layout.word, layout.label) or not cells[layout.word] or len(cells) < 2:
                problem = problem or DataError(f"{file.where}, line {at}: {cells[0]!r} stands alone; a BIO file has a "
                                               "word and its label on each line")
            else:
                words.append((cells[layout.word], cells[layout.label]))
        place = f"{file.where}, line {number}"
        found = TokenExample(tuple(word for word, _ in words), tuple(label for _, label in words), str(number))
        yield DataRow(place, str(number), problem or found)


def _cells(line: str) -> list[str]:
    """Of ``line``; words may hold spaces where tabs separate them."""
    return [cell.strip() for cell in line.strip().split("\t")] if "\t" in line.strip() else line.split()


def _sentences(file: TextFile) -> Iterator[tuple[int, list[tuple[int, str]]]]:
    """(line, lines with their numbers) of each text."""
    rows: list[tuple[int, str]] = []
    width = 0
    for number, line in enumerate(file.lines(), 1):
        if not line.strip():
            if rows:
                yield rows[0][0], rows
            rows = []
        elif line.split(maxsplit=1)[0] != _DOCUMENT and not (not rows and _is_comment(line, width)):
            if len(rows) >= MOST_LINES:
                raise DataError(f"{file.where}, line {rows[0][0]}: a text of more than {MOST_LINES:,} words; an empty "
                                "line ends each text")
            rows.append((number, line))
            width = len(line.split())
    if rows:
        yield rows[0][0], rows


def _is_comment(line: str, width: int) -> bool:
    """Whether a line before a text is a comment, and not the word "#": such a line is like the others."""
    cells = line.split()
    return line.startswith(_COMMENT) and "\t" not in line and not (
        len(cells) == (width or 2) and LABEL.match(cells[-1]) is not None)


def _layout(lines: Sequence[str], options: DataOptions) -> _Layout:
    """By the first text: the label is the last column, or the last of those that hold nothing but labels.

    Where the first of three or more columns counts the words, the word is the second.
    """
    rows = [cells for line in lines if not _PART.match((cells := _cells(line))[0])]
    width = min(map(len, rows), default=0)
    columns = list(zip(*rows, strict=False))
    counted = width > 2 and columns[0] == tuple(str(i) for i in range(1, len(rows) + 1))
    labeled = [i for i in range(1 + counted, width) if all(LABEL.match(cell) for cell in columns[i])]
    same = len({len(row) for row in rows}) == 1
    label = labeled[-1] if labeled and labeled[-1] != width - 1 and same else -1
    return _Layout(_asked(options.text_column, int(counted), "--text-column"),
                   _asked(options.label_column, label, "--label-column"))


def _asked(column: str | None, otherwise: int, option: str) -> int:
    if column is None:
        return otherwise
    if not is_whole(column) or int(column) < 1:
        raise DataError(f"{option} {column}: a BIO file has no names of columns; give the number of one, from 1")
    return int(column) - 1
