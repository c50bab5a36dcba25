"""How a file of examples is to be read, where its own words do not say it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataOptions:
    """What a user says about a file of examples. Names of columns count without case and spaces around them.

    text_column: column (or JSON field) of the text; a number is a column, from 1, of a table without a header.
    pair_column: column of the second text.
    label_column: column of the label; several, with commas, are 0 or 1 for the class that each is called after.
    skip_bad_rows: go on without up to so many rows that cannot be used.
    """

    text_column: str | None = None
    pair_column: str | None = None
    label_column: str | None = None
    skip_bad_rows: int = 0
