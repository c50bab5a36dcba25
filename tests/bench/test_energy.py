"""Power from battery counters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mobilebert_lite.benchmarks.reports.energy import energy_mj, power_w
from mobilebert_lite.benchmarks.reports.result import (
    Configuration,
    Device,
    File,
    Latencies,
    Loading,
    Run,
    Runtime,
    Snapshot,
)

RUN = Run(File("a", "", 1), Device("pixel4", "Pixel 4"), Configuration(128, 1), Runtime("benchmark_model", ""), 0,
          Loading(1, 1), samples=Latencies((0.0, 1.0), (19_000.0, 21_000.0), (128, 128), (0, 0)))


def run(**counters: float | bool | None) -> Run:
    return replace(RUN, environment=tuple(
        Snapshot(2e6 * i, voltage_mv=4000.0, **{"charging": False, **counters}) for i in range(4)))  # type: ignore[arg-type]


def test_current_times_voltage() -> None:
    """0.5 A at 4 V are 2 W; for 20 ms, 40 mJ. The sign of the counter differs between phones."""
    for current in (-500_000.0, 500_000.0):
        assert power_w(run(current_ua=current)) == pytest.approx(2.0)
        assert energy_mj(run(current_ua=current)) == pytest.approx(40.0)


def test_charge_used() -> None:
    """1 mAh is 3.6 C; in 6 s at 4 V, 2.4 W."""
    used = replace(RUN, environment=tuple(
        Snapshot(2e6 * i, charging=False, voltage_mv=4000.0, charge_uah=2_000_000 - i * 1000 / 3) for i in range(4)))
    assert power_w(used) == pytest.approx(2.4)


@pytest.mark.parametrize("counters", [{"current_ua": -5e5, "charging": True}, {"current_ua": -5e5, "charging": None},
                                      {}, {"charge_uah": 2e6}])
def test_nothing_to_tell(counters: dict[str, float | bool | None]) -> None:
    assert power_w(run(**counters)) is None
    assert energy_mj(run(**counters)) is None


def test_too_few_moments() -> None:
    short = run(current_ua=-5e5)
    assert power_w(replace(short, environment=short.environment[:2])) is None
