"""Names of classes: each a line of its own, none empty, none twice, in the order of the outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mobilebert_lite.common.files import read_lines
from mobilebert_lite.errors import DataError, shorten


def default_names(count: int) -> tuple[str, ...]:
    """LABEL_0, LABEL_1, …, as transformers calls classes without names."""
    return tuple(f"LABEL_{i}" for i in range(count))


def read_file(path: Path) -> tuple[str, ...]:
    """The names in ``path``, one a line. Raises DataError when it cannot be read, or as ``checked``."""
    return checked(read_lines(path), str(path), "line", 1)


def checked(names: Sequence[str], where: str, place: str = "class", first: int = 0) -> tuple[str, ...]:
    """``names`` without white space and byte order marks around them.

    Raises DataError that names the place, counted from ``first``, of every name that is empty, that is more than one
    line, that stands there twice, or that no file can hold.
    """
    cleaned = tuple(name.strip().strip("\ufeff").strip() for name in names)
    problems = list(_problems(cleaned, place, first))
    if problems:
        raise DataError(f"{where}: {shorten(problems, 4)}; give every class a name of its own, one a line "
                        "(--labels FILE)")
    return cleaned


def _problems(names: Sequence[str], place: str, first: int) -> Iterator[str]:
    seen: dict[str, int] = {}
    for number, name in enumerate(names, first):
        if not name:
            yield f"{place} {number} has no name"
        elif len(name.splitlines()) > 1:
            yield f"{place} {number}, {name!a}, is several lines"
        elif not _is_text(name):
            yield f"{place} {number}, {name!a}, holds half a surrogate pair"
        elif name in seen:
            yield f"{place} {number} has the name of {place} {seen[name]}, {name!r}"
        seen.setdefault(name, number)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def encode(names: Sequence[str]) -> bytes:
    """``names`` as a ``labels.txt``."""
    return "".join(f"{name}\n" for name in names).encode()
