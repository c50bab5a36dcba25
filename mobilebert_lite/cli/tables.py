"""Tables that fit a terminal: a number is never broken over two lines."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from mobilebert_lite.cli.output import print_lines
from mobilebert_lite.errors import one_line

# Of what is no terminal, such as a pipe, unless $COLUMNS says otherwise.
_WIDE = 200
# The least that a column of text gets; longer texts go on in the next line of their cell.
_TEXT = 24
# A table that leaves out these is none: they, and the texts, are set as lines in place of columns.
_NEEDED = 2


@dataclass(frozen=True)
class Column:
    """A column of a table.

    name: its heading.
    worth: columns of numbers are left out from the greatest on, where the terminal is too narrow; None: a text, which
    is always shown.
    """

    name: str
    worth: int | None = None


@dataclass(frozen=True)
class FittingTable:
    """Rows of cells, in the order of ``columns``. A column without any entry is not shown, and one text that is the
    same in all rows but the first column's stands above the table."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    # What else prints everything, for the line that names the columns left out.
    elsewhere: str = ""

    def lines(self, width: int) -> list[str]:
        """The table in at most ``width`` columns, unless one cell alone is wider."""
        rows = [[one_line(cell) for cell in row] for row in self.rows]
        shown = [i for i in range(len(self.columns)) if any(row[i] for row in rows)]
        texts = [i for i in shown if self.columns[i].worth is None]
        alike = [i for i in texts[1:] if len({row[i] for row in rows}) == 1]
        above = ["; ".join(rows[0][i] for i in alike)] if alike else []
        texts = [i for i in texts if i not in alike]
        numbers = sorted((i for i in shown if i not in texts and i not in alike),
                         key=lambda i: self.columns[i].worth or 0)
        kept = self._fitting(rows, texts, numbers, width)
        if kept is None:
            return above + self._stacked(rows, texts, numbers, width)
        dropped = [self.columns[i].name for i in numbers if i not in kept]
        told = f"not shown in {width} columns: {', '.join(dropped)}{self.elsewhere}" if dropped else ""
        drawn = self._drawn(rows, [i for i in shown if i in kept or i in texts], width)
        return above + drawn + textwrap.wrap(told, width)

    def _size(self, rows: Sequence[Sequence[str]], i: int) -> int:
        from rich.cells import cell_len

        return max(cell_len(cell) for cell in (self.columns[i].name, *(row[i] for row in rows)))

    def _fitting(self, rows: Sequence[Sequence[str]], texts: Sequence[int], numbers: Sequence[int],
                 width: int) -> set[int] | None:
        """The columns of ``numbers`` that fit, the worthiest first; None where not even the needed ones do."""
        used = 1 + sum(3 + min(self._size(rows, i), _TEXT) for i in texts)
        kept = set()
        for place, i in enumerate(numbers):
            if used + 3 + self._size(rows, i) <= width:
                used += 3 + self._size(rows, i)
                kept.add(i)
            elif place < _NEEDED:
                return None
        return kept if numbers or used <= width else None

    def _drawn(self, rows: Sequence[Sequence[str]], shown: Sequence[int], width: int) -> list[str]:
        import io

        from rich.console import Console
        from rich.table import Table as Drawn
        from rich.text import Text

        drawn = io.StringIO()
        console = Console(file=drawn, highlight=False, width=width, color_system=None)
        table = Drawn()
        for i in shown:
            text = self.columns[i].worth is None
            table.add_column(Text(self.columns[i].name), justify="left" if text else "right", no_wrap=not text,
                             overflow="fold" if text else "ellipsis",
                             min_width=min(self._size(rows, i), _TEXT) if text else self._size(rows, i))
        for row in rows:
            table.add_row(*(Text(row[i]) for i in shown))
        console.print(table)
        return drawn.getvalue().splitlines()

    def _stacked(self, rows: Sequence[Sequence[str]], texts: Sequence[int], numbers: Sequence[int],
                 width: int) -> list[str]:
        """The texts of each row in one line, and below it its numbers, each with its heading."""
        lines = []
        for row in rows:
            lines += textwrap.wrap(", ".join(row[i] for i in texts if row[i]), width)
            line = ""
            for part in (f"{self.columns[i].name} {row[i]}" for i in numbers if row[i]):
                if line and 2 + len(line) + 2 + len(part) > width:
                    lines.append(f"  {line}")
                    line = ""
                line += ("  " if line else "") + part
            lines += [f"  {line}"] if line else []
        return lines


def show(table: FittingTable) -> None:
    """Print ``table`` in the width of the terminal, or of $COLUMNS."""
    width = shutil.get_terminal_size((_WIDE, 24)).columns
    print_lines(*table.lines(width))
