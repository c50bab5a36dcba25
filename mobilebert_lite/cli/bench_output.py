"""Output of ``mbl bench``: tables, reports, pages, comparisons."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilebert_lite.cli.output import print_json, print_lines, print_text, progress, tell, write_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobilebert_lite.benchmarks.bench import Failed
    from mobilebert_lite.benchmarks.reports.compare import Comparison
    from mobilebert_lite.benchmarks.reports.result import BenchReport


@dataclass(frozen=True)
class BenchOutput:
    """Where a report goes."""

    file: Path | None
    page: Path | None
    # What is printed in place of the table.
    as_json: bool
    as_csv: bool
    as_markdown: bool

    def write(self, report: BenchReport, before: BenchReport | None = None) -> None:
        """Write the requested files and print the table, or its replacement, compared with ``before``."""
        from mobilebert_lite.benchmarks.reports import result

        if self.file is not None:
            result.write(report, self.file)
        if self.page is not None:
            self.write_page(report, before)
        _warn(report)
        if self.as_json:
            print_json({**report.to_json(), **_compared(before, report)}, None)
        else:
            self._print(report)

    def write_page(self, report: BenchReport, before: BenchReport | None) -> None:
        """Write the page only."""
        from mobilebert_lite.benchmarks.reports.compare import between
        from mobilebert_lite.pages.bench_page import bench_page

        assert self.page is not None
        write_page(self.page, bench_page(report, [] if before is None else between(before, report)))

    def _print(self, report: BenchReport) -> None:
        from mobilebert_lite.benchmarks.reports import export
        from mobilebert_lite.benchmarks.reports.wording import setting

        if self.as_csv or self.as_markdown:
            print_text(export.to_csv(report) if self.as_csv else export.to_markdown(report))
            return
        _table(export.COLUMNS, export.table(report), export.WORTH, " (--csv and --markdown print all)")
        for said in _verdicts(report):
            print_lines(said)
        for run in report.runs:
            if run.operators:
                print_lines("", f"{run.file.name}, {setting(run)}: operators of one inference")
                _table(export.OPERATOR_COLUMNS, export.operators(run), export.OPERATOR_WORTH)


def _warn(report: BenchReport) -> None:
    from mobilebert_lite.benchmarks.reports.wording import setting

    for said in dict.fromkeys(f"{run.file.name}, {setting(run)}: {one}" for run in report.runs
                              for one in run.warnings):
        progress(f"warning: {said}")


def _compared(before: BenchReport | None, report: BenchReport) -> dict[str, Any]:
    from mobilebert_lite.benchmarks.reports.compare import between
    from mobilebert_lite.errors import DataError

    try:
        return {} if before is None else {"comparison": [one.to_json() for one in between(before, report)]}
    except DataError:  # nothing in common: ``compare_reports`` says so, after what was measured is printed
        return {}


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], worth: Sequence[str], elsewhere: str = "") -> None:
    """Print a table; ``worth`` names its columns of numbers, of which the last are the first to be left out."""
    from mobilebert_lite.cli.tables import Column, FittingTable, show

    shown = [Column(name, worth.index(name) if name in worth else None) for name in columns]
    show(FittingTable(shown, rows, elsewhere))


def fail(failed: Failed, kept: Path | None) -> int:
    """The exit code of an interrupted benchmark; raises any other cause."""
    from mobilebert_lite.cli import signals

    if kept is not None:
        progress(f"the samples measured so far are kept in {kept}, marked as incomplete")
    if not isinstance(failed.cause, KeyboardInterrupt):
        raise failed.cause
    message, code = signals.outcome()
    tell(f"Error: {message}")
    return code


def compare_reports(before: BenchReport, after: BenchReport, max_regression: float | None, quiet: bool) -> int:
    """Print how ``after`` compares with ``before``, unless ``quiet``. Returns the exit code."""
    from mobilebert_lite.benchmarks.reports.compare import between

    found = between(before, after)
    progress("the two reports were measured apart: the intervals do not include what changed in between")
    if not quiet:
        _table(("model", "device", "setting", "by", "before ms", "after ms", "ratio", "verdict"),
               [_comparison(one, max_regression) for one in found], ("ratio", "after ms", "before ms"))
    if max_regression is not None and (open_ones := [one for one in found if one.doubts]):
        progress(f"warning: {len(open_ones)} of {len(found)} runs cannot be judged against --max-regression "
                 f"({', '.join(dict.fromkeys(word for one in open_ones for word in one.doubts))}); measure again on a "
                 "quiet machine with more --runs")
    worse = [one for one in found if max_regression is not None and one.regressed(max_regression)]
    if worse:
        most = max(worse, key=lambda one: one.ratio.value)
        tell(f"Error: {len(worse)} of {len(found)} runs regressed by more than {100 * (max_regression or 0):g} "
             f"%; the worst is {most.second.file.name}: {100 * (most.ratio.value - 1):.1f} % slower "
             f"({most.first_us / 1000:.2f} -> {most.second_us / 1000:.2f} ms)")
    return 1 if worse else 0


def _verdicts(report: BenchReport) -> list[str]:
    """One line for each file in each setting: what its ratio to the first file says."""
    from mobilebert_lite.benchmarks.reports.compare import within
    from mobilebert_lite.benchmarks.reports.wording import setting

    return [f"{one.second.file.name} over {one.first.file.name}, {setting(one.second)}: {_verdict(one)}"
            for one in within(report)]


def _verdict(one: Comparison) -> str:
    return f"{one.verdict}{': ' if one.doubts else ''}{', '.join(one.doubts)}"


def _comparison(one: Comparison, max_regression: float | None) -> tuple[str, ...]:
    from mobilebert_lite.benchmarks.reports.wording import marks, setting

    verdict = "REGRESSED" if max_regression is not None and one.regressed(max_regression) else _verdict(one)
    return (one.second.file.name, " ".join(filter(None, (one.second.device.title, marks(one.second)))),
            setting(one.second), one.statistic, f"{one.first_us / 1000:.2f}", f"{one.second_us / 1000:.2f}",
            f"{one.ratio.value:.3f} ({one.ratio.low:.3f}-{one.ratio.high:.3f})", verdict)


class BenchProgress:
    """Prints a line when a file begins, and every ten seconds."""

    SECONDS = 10.0

    def __init__(self) -> None:
        self._shown: dict[str, tuple[int, float]] = {}

    def __call__(self, name: str, done: int, total: int) -> None:
        last, when = self._shown.get(name, (done, 0.0))
        if done < last or time.monotonic() - when >= self.SECONDS:
            self._shown[name] = done, time.monotonic()
            progress(f"{name}: {done} of {total} samples or more")
