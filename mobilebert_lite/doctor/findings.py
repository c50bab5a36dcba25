"""What the doctor looks for, and how it says what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mobilebert_lite.doctor.facts import Facts

# error: the client refuses the file, crashes or answers wrongly. warning: it works, but worse than it could, or only
# in one of the client's interfaces. note: good to know.
ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)

# What `mbl inspect --fix` can mend, by name; doctor.fix has a function for each.
VERSIONS, ORDER, METADATA, STORED, SIGNATURE = "versions", "order", "metadata", "stored", "signature"


@dataclass(frozen=True)
class Problem:
    """One violation, as a check tells it."""

    severity: str
    # Tensor, operator or file it is about.
    where: str
    what: str
    # What to do about it.
    mend: str
    # The repair of `--fix` that mends it; None where only another conversion does.
    fix: str | None = None


@dataclass(frozen=True)
class Check:
    """One point of a client's contract."""

    name: str
    # What must hold, for the documentation.
    rule: str
    find: Callable[[Facts], Iterable[Problem]]


@dataclass(frozen=True)
class Finding:
    """A problem with the client and the check that saw it."""

    client: str
    check: str
    severity: str
    where: str
    what: str
    mend: str
    fix: str | None

    def to_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


def some(items: Iterable[str], limit: int = 4) -> str:
    """``a, b and 3 more``: where many operators have the same trouble, the first ones and a count."""
    names = list(items)
    head = ", ".join(names[:limit])
    return head if len(names) <= limit else f"{head} and {len(names) - limit} more"
