"""Whether the cells of a table are quoted, told by the whole file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_PLAIN, _QUOTED = '[^"{0}\n]*', '"(?:[^"]|"")*"'


def is_quoted(lines: Iterable[str], separator: str, alone: bool = False) -> bool:
    """Whether each quotation mark stands where a program that writes CSV puts it.

    Such programs quote all cells, or those that need it: with quotation marks, line breaks, separators and, in some,
    commas. GLUE's files quote nothing: a text there may begin with one quotation mark, or be all of a quotation.
    ``alone``: there is one column.
    """
    found, everything, needed, commas = False, True, True, True
    cell = f"(?:{_QUOTED}|{_PLAIN})".format(re.escape(separator))
    shape, opened = re.compile(f"({cell})(?:{re.escape(separator)}|\n)"), re.compile(
        f'(?:{cell}{re.escape(separator)})*"(?:[^"]|"")*\\Z')
    for record in _records(lines, opened):
        if '"' not in record:
            if alone and separator in record:
                return False
            everything &= not record.strip() or all(_is_number(cell) for cell in record.strip().split(separator))
            commas &= "," not in record
            continue
        cells = _cells(record, shape)
        if cells is None or (alone and len(cells) > 1):
            return False
        for cell in cells:
            quoted = cell.startswith('"')
            found |= quoted
            everything &= quoted or _is_number(cell)
            must = quoted and ('""' in cell[1:-1] or separator in cell or "\n" in cell)
            needed &= must or not quoted
            commas &= must or quoted == ("," in cell)
    return found and (everything or needed or commas)


def _cells(record: str, shape: re.Pattern[str]) -> list[str] | None:
    """The cells of ``record`` with their quotation marks, or None where one stands in the wrong place."""
    record = record.removesuffix("\n").removesuffix("\r") + "\n"
    cells, place = [], 0
    while place < len(record):
        if (match := shape.match(record, place)) is None:
            return None
        cells.append(match[1])
        place = match.end()
    return cells


def _records(lines: Iterable[str], opened: re.Pattern[str]) -> Iterator[str]:
    """Lines, joined where a quoted cell goes on in the next: those that match ``opened``."""
    kept: list[str] = []
    marks = 0
    for line in lines:
        count = line.count('"')
        if not kept and (count % 2 == 0 or not opened.match(line)):
            yield line
            continue
        kept.append(line)
        marks += count
        if marks % 2 == 0:
            yield "".join(kept)
            kept, marks = [], 0
    if kept:
        yield "".join(kept)


def _is_number(cell: str) -> bool:
    return not cell or cell.replace(".", "", 1).replace("-", "", 1).isdecimal()
