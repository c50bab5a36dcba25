"""The output of benchmark_model: recorded from genuine builds, and its arithmetic undone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilebert_lite.benchmarks.measuring.acceleration import Taken
from mobilebert_lite.benchmarks.phone.benchmark_model import TOLD, ToolOutput, flags, parse

OUTPUTS = Path(__file__).with_name("benchmark_model_outputs")


def recorded(name: str) -> ToolOutput:
    return parse((OUTPUTS / name).read_text().splitlines())


# File, milliseconds to load, of the first inference, inferences, their mean, smallest and largest, σ.
@pytest.mark.parametrize(("name", "load", "first", "count", "mean", "smallest", "largest", "deviation"), [
    ("tensorflow-1.12-profile.txt", 0.378, 5.983, 626, 1.59271, 1.586, 1.684, 0.014),
    ("tensorflow-1.13.txt", 9.89, 606.701, 10, 420.334, 232.432, 566.895, 156.392),
    ("tensorflow-1.13-profile.txt", 253.8, 980.043, 50, 947.35, 944.078, 955.061, 2.06),
    ("tensorflow-2.3.txt", 0.855, 49.06, 50, 33.2094, 32.641, 34.005, 0.45),
    ("tensorflow-2.4.txt", 18.777, 64.791, 50, 55.0432, 53.077, 60.727, 1.562),
    ("tensorflow-2.15.txt", 0.63, 3.678, 261, 3.79092, 3.19, 6.333, 0.358),
    ("litert-2.1.5.txt", 23744.73, 7441.04, 10, 7430.2, 7416.4, 7448.86, 9.92)])
def test_recorded(name: str, load: float, first: float, count: int, mean: float, smallest: float, largest: float,
                  deviation: float) -> None:
    found = recorded(name)
    told = found.inferences
    assert told is not None
    assert found.load_us == pytest.approx(1000 * load)
    assert found.first_us == pytest.approx(1000 * first)
    assert told.count == count
    assert (told.mean, told.smallest, told.largest, told.deviation) == pytest.approx(
        (1000 * mean, 1000 * smallest, 1000 * largest, 1000 * deviation))
    # Of so many, no single one is known.
    assert told.durations == ()


def test_recorded_profiles() -> None:
    kinds = recorded("tensorflow-1.13-profile.txt").operators
    assert [(one.kind, one.count) for one in kinds] == [("DEPTHWISE_CONV_2D", 1), ("CONV_2D", 2)]
    assert [one.mean_us for one in kinds] == pytest.approx([536830, 56502])
    kinds = recorded("tensorflow-1.12-profile.txt").operators
    assert [one.kind for one in kinds] == ["FULLY_CONNECTED", "DEPTHWISE_CONV_2D"]


def test_initialization_is_no_operator() -> None:
    """An app's log: the table of what happens before the first inference does not count."""
    found = recorded("tensorflow-2.9-logcat.txt")
    assert found.operators == ()
    assert found.inferences is None


def printed(durations: list[int]) -> str:
    """As the tool's Stat class prints them: whole microseconds, six digits of the mean."""
    if min(durations) == max(durations):
        return f"count={len(durations)} curr={durations[-1]}"
    return (f"count={len(durations)} first={durations[0]} curr={durations[-1]} min={min(durations)} "
            f"max={max(durations)} avg={np.mean(durations):g} std={np.std(durations):.0f}")


@given(st.lists(st.integers(1, 90_000), min_size=1, max_size=TOLD))
def test_single_inferences_come_back(durations: list[int]) -> None:
    """Up to three, each exactly and in order."""
    found = parse(["INFO: count=1 curr=5", f"INFO: {printed(durations)}"]).inferences
    assert found is not None
    assert list(found.durations) == durations


@given(st.lists(st.integers(100_000, 9_000_000), min_size=TOLD, max_size=TOLD))
def test_long_inferences_come_back_nearly(durations: list[int]) -> None:
    """Six digits of the mean: three times half of the last digit."""
    found = parse([printed([7]), printed(durations)]).inferences
    assert found is not None
    largest_error = 1.5 * 10 ** (len(str(max(durations))) - 6) + 1
    assert np.abs(np.subtract(found.durations, durations)).max() <= largest_error
    assert (found.durations[0], found.durations[-1]) == (durations[0], durations[-1])


def test_percentiles_of_later_versions() -> None:
    found = parse(["count=1 curr=9", "count=50 first=9 curr=8 min=7 max=20 avg=9.5 std=1 p5=7 median=9 p95=12"])
    assert found.inferences is not None
    assert found.inferences.percentiles == {"5": 7.0, "50": 9.0, "95": 12.0}


def test_what_died_after_its_warm_up_has_no_inferences() -> None:
    found = parse(["INFO: count=3 first=9 curr=8 min=7 max=20 avg=9.5 std=1",
                   "ERROR: gather index out of bounds", "ERROR: Benchmarking failed."])
    assert found.warm_up is not None
    assert found.inferences is None
    assert found.error == "gather index out of bounds"


def test_delegation() -> None:
    found = parse(["VERBOSE: Replacing 1069 out of 1073 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 1 "
                   "partitions for the whole graph."])
    assert found.delegations == (Taken("TfLiteXNNPackDelegate", 1073, 1069, 1),)


def test_flags() -> None:
    usage = "usage: ./benchmark_model <flags>\nFlags:\n\t--num_runs=50\tint32\toptional\n\t--graph=\tstring\trequired\n"
    assert flags(usage) == {"num_runs", "graph"}
