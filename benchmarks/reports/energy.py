"""Power out of the battery's counters: of the whole phone, while it is not charging."""

from __future__ import annotations

import numpy as np

from mobilebert_lite.benchmarks.reports.result import Run
from mobilebert_lite.benchmarks.reports.statistics import summarize

# Fewer moments say nothing: the counters themselves are averages of a second or so.
_FEWEST = 3


def power_w(run: Run) -> float | None:
    """Mean power of the device during the run, in watts; None while it charges, and where it has no such counters.

    Current times voltage (``current_now``, on most phones negative when discharging), or where a phone tells no
    current, the charge that was used.
    """
    seen = run.environment
    if not seen or any(one.charging is not False for one in seen):
        return None
    volts = [one.voltage_mv / 1000 for one in seen if one.voltage_mv is not None]
    amperes = [abs(one.current_ua) / 1e6 for one in seen if one.current_ua]
    if len(amperes) >= _FEWEST and volts:
        return float(np.mean(amperes) * np.mean(volts))
    charges = [(one.offset_us / 1e6, one.charge_uah) for one in seen if one.charge_uah is not None]
    if len(charges) < _FEWEST or not volts:
        return None
    (first_s, first), (last_s, last) = charges[0], charges[-1]
    coulombs = (first - last) * 3600 / 1e6
    return float(coulombs * np.mean(volts) / (last_s - first_s)) if coulombs > 0 and last_s > first_s else None


def energy_mj(run: Run) -> float | None:
    """Of one inference, in millijoules: the power of the whole device, screen and all, for as long as it takes."""
    power, found = power_w(run), summarize(run)
    return None if power is None or found is None else power * found.mean_us / 1000
