"""Objects of JSON lines, of a JSON list, or of columns; and SQuAD's own nesting."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from mobilebert_lite.common.fields import parse_json, read_list, read_object, read_string
from mobilebert_lite.datasets.rows import DataRow
from mobilebert_lite.datasets.text_file import TextFile
from mobilebert_lite.errors import DataError

# JSON's escape for a character beyond U+FFFF, or for half of one.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_LIST = re.compile(r"\s*\[\s*(?:[{\]]|\Z)")
_BETWEEN = re.compile(r"[ \t\r\n]*")
# Characters that are read at once of a list, which may stand on one line.
_CHUNK = 1 << 20


def is_json(file: TextFile) -> bool:
    """Whether ``file`` begins as JSON that holds objects does."""
    head = file.head.lstrip()
    return head.startswith("{") or _LIST.match(head) is not None


def json_rows(file: TextFile, needed: str, columns: bool) -> Iterator[DataRow]:
    """The objects of ``file``, and each question of SQuAD's JSON; where a task has ``needed`` ones in place of
    questions, such a file is a DataError.

    ``columns``: an object of lists is a table, and not one row that holds lists.
    Raises DataError naming the line for what is not JSON and whose end cannot be found.
    """
    if file.head.lstrip().startswith("["):
        yield from _list(file)
        return
    first = next(line for line in file.lines() if line.strip())
    try:
        value = parse_json(first)
    except json.JSONDecodeError:
        if _is_lines(file):
            yield from _lines(file)
        else:
            yield from _object(file.text(), file.where, needed, columns)
        return
    nested = isinstance(value, dict) and (isinstance(value.get("data"), list | dict) or (columns and _columns(value)))
    del value
    if nested:
        yield from _object(file.text(), file.where, needed, columns)
    else:
        yield from _lines(file)


def _is_lines(file: TextFile) -> bool:
    """Whether a file whose first line is broken holds an object on each line."""
    lines = list(islice((line.strip() for line in file.lines() if line.strip()), 2))
    return len(lines) == 2 and lines[0].endswith("}") and lines[1].startswith("{")


def _lines(file: TextFile) -> Iterator[DataRow]:
    # Not splitlines(): JSON strings may hold other characters that Python calls line breaks.
    for number, line in enumerate(file.lines(), 1):
        if line.strip():
            place = f"{file.where}, line {number}"
            yield DataRow(place, str(number), _one(file, line, number, place), _HALF.search(line) is not None)


def _one(file: TextFile, line: str, number: int, place: str) -> Mapping[str, Any] | DataError:
    if number in file.damaged:
        return file.damage(number, file.damaged[number])
    try:
        return read_object(parse_json(line), place)
    except json.JSONDecodeError as error:
        return DataError(f"{place}: not JSON ({error.msg} at character {error.colno})")
    except DataError as error:
        return error


def _list(file: TextFile) -> Iterator[DataRow]:
    for i, (line, value, source) in enumerate(_elements(file)):
        place = f"{file.where}, line {line}, [{i}]"
        try:
            found: Mapping[str, Any] | DataError = read_object(value, place)
        except DataError as error:
            found = error
        yield DataRow(place, str(i), found, _HALF.search(source) is not None)


def _elements(file: TextFile) -> Iterator[tuple[int, Any, str]]:
    """(line, value, JSON) of each element of a list, with little more than one of them in memory."""
    source = _Source(file)
    source.take("[")
    more = source.peek() != "]" or source.take("]") == ","
    while more:
        yield source.value()
        more = source.take(",]") == ","
    if source.peek():
        raise DataError(f"{file.where}, line {source.line}: not JSON (more after the end of the list)")


class _Source:
    """JSON that is read piece by piece."""

    def __init__(self, file: TextFile) -> None:
        self.where, self._chunks = file.where, file.chunks(_CHUNK)
        # Of what was read, everything before ``_at`` is done with.
        self.line, self._buffer, self._at = 1, "", 0

    def peek(self) -> str:
        """The next character that is no white space; "" at the end."""
        while True:
            blank = _BETWEEN.match(self._buffer, self._at)
            self._move(blank.end() if blank else self._at)
            if self._at < len(self._buffer) or not self._read(1):
                return self._buffer[self._at:self._at + 1]

    def take(self, wanted: str) -> str:
        """``peek``, which must be one of ``wanted``, taken away."""
        if (found := self.peek()) not in wanted or not found:
            said = repr(found) if found else "the end"
            raise DataError(f"{self.where}, line {self.line}: not JSON ({said} in place of {' or '.join(wanted)})")
        self._at += 1
        return found

    def value(self) -> tuple[int, Any, str]:
        """The next value: its line, itself and its JSON."""
        self.peek()
        while True:
            try:
                value, end = json.JSONDecoder().raw_decode(self._buffer, self._at)
                break
            except RecursionError:
                raise DataError(f"{self.where}, line {self.line}: JSON that is nested too deeply") from None
            except json.JSONDecodeError as error:
                # As much again as there is, or a long value would be parsed too often.
                before = self._buffer.count("\n", self._at, error.pos)
                if not self._read(1 + (len(self._buffer) - self._at) // _CHUNK):
                    raise DataError(f"{self.where}, line {self.line + before}: not JSON ({error.msg})") from None
            except ValueError:
                raise DataError(f"{self.where}, line {self.line}: a number has thousands of digits") from None
        found = self.line, value, self._buffer[self._at:end]
        self._move(end)
        return found

    def _read(self, count: int) -> bool:
        more = "".join(islice(self._chunks, count))
        self._buffer, self._at = self._buffer[self._at:] + more, 0
        return bool(more)

    def _move(self, place: int) -> None:
        self.line += self._buffer.count("\n", self._at, place)
        self._at = place


def _object(text: str, where: str, needed: str, columns: bool) -> Iterator[DataRow]:
    """Rows of a file that is one object: SQuAD's, a list in its field data, columns, or a single row."""
    try:
        value = parse_json(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}, line {error.lineno}: not JSON ({error.msg})") from None
    escaped = _HALF.search(text) is not None
    del text
    if "data" in value:
        if _is_squad(value["data"], not needed):
            yield from _squad(value, where, needed, escaped)
        else:
            yield from _numbered(value["data"], f"{where}, data", escaped)
    elif columns and (lists := _columns(value)):
        yield from _numbered([dict(zip(lists, cells, strict=True)) for cells in zip(*lists.values(), strict=True)],
                             f"{where}, row", escaped)
    else:
        yield DataRow(f"{where}, line 1", "1", value, escaped)


def _numbered(values: Sequence[Any], where: str, escaped: bool) -> Iterator[DataRow]:
    for i, one in enumerate(values):
        place = f"{where}[{i}]"
        yield DataRow(place, str(i), one if isinstance(one, dict) else
                  DataError(f"{place}: a JSON {type(one).__name__}, not an object"), escaped)


def _columns(value: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Lists (or, as pandas writes them, objects by row) of one length by name; none where ``value`` is another thing.
    """
    if all(isinstance(column, dict) for column in value.values()):
        # The numbers of the rows, alike in all columns; texts by their languages are one row.
        if len({tuple(column) for column in value.values()}) != 1:
            return {}
        value = {name: list(column.values()) for name, column in value.items()}
    lists = dict(value)
    if len(lists) < 2 or not all(isinstance(column, list) for column in lists.values()):
        return {}
    return lists if len({len(column) for column in lists.values()}) == 1 else {}


def _is_squad(data: Any, squad: bool) -> bool:
    """Whether ``data`` holds articles, and not plain rows, as some tools nest them."""
    first = data[0] if isinstance(data, list) and data else None
    if not isinstance(first, dict) or "paragraphs" in first:
        return True
    return squad and "question" not in first and "qas" not in first


def _squad(raw: Mapping[str, Any], where: str, needed: str, escaped: bool) -> Iterator[DataRow]:
    if needed:
        raise DataError(f"{where} holds SQuAD questions; this task needs {needed}")
    for a, article in enumerate(read_list(raw, "data", where)):
        in_article = f"{where}, data[{a}]"
        for p, paragraph in enumerate(read_list(article, "paragraphs", in_article)):
            in_paragraph = f"{in_article}.paragraphs[{p}]"
            context = read_string(paragraph, "context", in_paragraph)
            for q, qa in enumerate(read_list(paragraph, "qas", in_paragraph)):
                place = f"{in_paragraph}.qas[{q}]"
                yield DataRow(place, "", {**read_object(qa, place), "context": context}, escaped)
