"""Time of each kind of operator, out of the summary that TFLite's profiler prints (also in benchmark_model)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mobilebert_lite.benchmarks.reports.result import OperatorTime

# The table of nodes in the order of execution: ProfileSummarizer over StatSummarizer, tensorflow/core/util/
# stat_summarizer.cc. Newer versions leave out columns, so they are found by their headings.
_TITLE = re.compile(r"=+ Run Order =+")
_HEADING = re.compile(r"\[[^\]]*\]")
_MILLISECONDS = "[avg ms]"


def parse(summary: str) -> tuple[OperatorTime, ...]:
    """One row per kind of operator, the most expensive first: how many nodes, their time in one inference.

    Empty when there is no such table in ``summary``. Where the model was profiled in several parts (subgraphs,
    delegates), the tables are added up.
    """
    counts: dict[str, int] = {}
    times: dict[str, float] = {}
    for kind, milliseconds in _nodes(summary):
        counts[kind] = counts.get(kind, 0) + 1
        times[kind] = times.get(kind, 0.0) + 1000 * milliseconds
    total = sum(times.values())
    return tuple(OperatorTime(kind, "", counts[kind], round(time, 3), round(100 * time / total, 3) if total else 0.0)
                 for kind, time in sorted(times.items(), key=lambda item: -item[1]))


def _nodes(summary: str) -> Iterator[tuple[str, float]]:
    """(kind, average milliseconds of one inference) of each node."""
    lines = iter(summary.splitlines())
    for line in lines:
        if not _TITLE.search(line):
            continue
        headings = _HEADING.findall(next(lines, ""))
        if _MILLISECONDS not in headings:
            continue
        place, after = headings.index(_MILLISECONDS), len(headings) - 1
        for row in lines:
            if not row.strip():
                break
            # Kinds hold spaces, names may; what stands between are numbers.
            cells = re.match(rf"\s*(.+?)\s+((?:-?[\d.]+%?\s+){{{after - 1}}})", row)
            if cells:
                yield cells[1].removeprefix("Delegate/"), float(cells[2].split()[place - 1])
