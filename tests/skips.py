"""What was left out is said once; where everything must run (MBL_NO_SKIPS=1), it is a failure."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest

# What this machine cannot show, or another target shows.
EXPECTED = ("this machine has the processor of a phone", "use make test-app", "the table is of all texts")


class Skips:
    """Counts skipped tests by reason; in the process that writes the summary alone."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._count(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._count(report)

    def _count(self, report: Any) -> None:
        if report.skipped and isinstance(report.longrepr, tuple):
            self.reasons[report.longrepr[2].removeprefix("Skipped: ")] += 1

    @property
    def unexpected(self) -> int:
        return sum(count for reason, count in self.reasons.items() if not reason.startswith(EXPECTED))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.unexpected and os.environ.get("MBL_NO_SKIPS", "0") != "0" and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for reason, count in self.reasons.most_common():
            terminalreporter.write_line(f"skipped {count}: {reason}")
        if self.unexpected and os.environ.get("MBL_NO_SKIPS", "0") != "0":
            terminalreporter.write_line("MBL_NO_SKIPS is set: skipped tests are failures", red=True)


def register(config: pytest.Config) -> None:
    """For ``pytest_configure``: workers of xdist report to the process that started them."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Skips(), "mbl-skips")
