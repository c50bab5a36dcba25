"""What is suspicious about a run: throttling, noise, other work. One sentence each, with what to do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mobilebert_lite.benchmarks.reports.result import Run
from mobilebert_lite.benchmarks.reports.statistics import trend
from mobilebert_lite.benchmarks.reports.wording import NOISY

_SLOWER, _CLOCK, _NOISE, _RISE_C = 0.05, 0.9, 0.10, 5.0
# Below, a trend is a matter of chance.
_FEWEST = 30


def warnings(run: Run) -> list[str]:
    """All rules that apply."""
    return [said for rule in _RULES if (said := rule(run))]


def _emulated(run: Run) -> str:
    return f"{run.device.title} is emulated: its latency says nothing about a real one" if run.emulated else ""


def _incomplete(run: Run) -> str:
    return "" if run.complete else f"incomplete: {run.reason}; its samples are kept"


def _slowing(run: Run) -> str:
    if len(run.samples) < _FEWEST or not run.configuration.length:
        return ""
    change = trend(run.samples.duration_us)
    if change.low <= _SLOWER:
        return ""
    return (f"latency rose by {100 * change.value:.0f} % during the run: the device throttles or something else began "
            "to work; let it cool down (--cool-down) and look at the trend")


def _thermal(run: Run) -> str:
    worst = max((one.thermal_status or 0 for one in run.environment), default=0)
    return f"thermal status rose to {worst}: the device throttles; let it cool down (--cool-down)" if worst else ""


def _warming(run: Run) -> str:
    seen = [one.temperature_c for one in run.environment if one.temperature_c is not None]
    if len(seen) < 2 or seen[-1] - seen[0] < _RISE_C:
        return ""
    return f"it warmed from {seen[0]:.0f} to {seen[-1]:.0f} °C: rest it between runs (--cool-down)"


def _clocks(run: Run) -> str:
    pinned = {str(cpu) for cpu in run.configuration.cpus}
    fastest = [max((khz for cpu, khz in one.frequency_khz.items() if not pinned or cpu in pinned), default=0)
               for one in run.environment]
    fastest = [one for one in fastest if one]
    # The first is from before the clocks went up.
    if len(fastest) < 4 or np.median(fastest[-2:]) >= _CLOCK * max(fastest[:-2]):
        return ""
    return (f"the clock fell from {max(fastest) / 1e6:.2f} to {np.median(fastest[-2:]) / 1e6:.2f} GHz during the run: "
            "let it cool down (--cool-down)")


def _noisy(run: Run) -> str:
    if len(run.samples) < _FEWEST or not run.configuration.length:
        return ""
    low, middle, high = np.percentile(run.samples.duration_us, (25, 50, 75))
    spread = (high - low) / middle
    if spread < _NOISE:
        return ""
    return (f"{NOISY}: half of the samples spread over {100 * spread:.0f} % of the median; end other programs, pin "
            "cores (--cpus), or take more samples")


_RULES: tuple[Callable[[Run], str], ...] = (_emulated, _incomplete, _slowing, _thermal, _warming, _clocks, _noisy)
