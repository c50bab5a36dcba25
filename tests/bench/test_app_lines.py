"""What the demo app's instrumentation printed, read on the host.

``app_lines/`` holds what the real code printed; ``make test-android`` prints it anew and reads that as well.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mobilebert_lite.benchmarks.app.lines import Different, events, parse
from mobilebert_lite.benchmarks.app.request import AppRequest
from mobilebert_lite.benchmarks.measuring.runner import RunnerError

KEPT = Path(__file__).parent / "app_lines"
FOLDERS = [KEPT, *([Path(fresh)] if (fresh := os.environ.get("MBL_APP_LINES")) else [])]


@pytest.fixture(params=FOLDERS, ids=str)
def folder(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def _lines(folder: Path, name: str = "measured") -> list[str]:
    return (folder / f"{name}.txt").read_text().splitlines()


def test_measured(folder: Path) -> None:
    run = parse(_lines(folder))
    assert len(run.inferences) == 12
    assert all(one.duration_us > 0 and one.signature == "qa_64" for one in run.inferences)
    assert 0 < run.loading.load_us < 60e6
    assert 0 < run.loading.first_us < 60e6
    assert run.memory.peak_bytes > 10e6
    assert run.answers is not None
    assert (run.answers.compared, run.answers.same) == (2, 1)
    assert run.answers.largest_difference < 1e-3
    assert [one.expected for one in run.different] == ["Paris"]
    assert isinstance(run.different[0], Different)
    assert run.different[0].of_expected is None
    assert run.wrong == run.different
    assert len(run.model["sha256"]) == 64
    assert all(1 < one.tokens <= 64 for one in run.inferences)
    assert run.inferences[1].at_us >= run.inferences[0].at_us + run.inferences[0].duration_us
    assert run.device["app"] == "0.1.0"
    assert run.device["time_ms"] > 1.7e12
    assert run.device["cores"] >= 1


def test_arguments_of_the_host(folder: Path) -> None:
    """The app was given the words of ``arguments.json``, which ``AppRequest`` made, and tells what it understood."""
    sent = json.loads((folder / "arguments.json").read_text())
    request = AppRequest(**sent["request"])
    assert request.command() == sent["command"]
    run = parse(_lines(folder, "arguments"))
    understood = dict(run.request)
    assert understood == {
        "model": request.model, "expected": request.expected, "accelerator": request.accelerator,
        "threads": request.threads, "warmup": request.warm_up, "runs": request.runs, "seconds": request.seconds,
        "signature": request.signature, "check": request.check, "first": request.first}
    assert set(understood) == set(request.arguments())
    assert len(run.inferences) >= request.runs
    assert run.answers is not None
    assert run.answers.compared == run.answers.same > 10
    assert run.answers.largest_difference < 1e-3


@pytest.mark.parametrize(("probability", "of_expected", "tie"), [
    (0.5, 0.31, True), (0.5, 0.29, False), (0.5, None, False), (None, None, False)])
def test_ties(probability: float | None, of_expected: float | None, tie: bool) -> None:
    """The same lines, but that the app finds another answer about as probable."""
    change = {"different": [{"index": 1, "expected": "Paris", "said": None if probability is None else "Rome",
                             "probability": probability, "of_expected": of_expected}]}
    run = parse([changed(line, "check", change) for line in _lines(KEPT)])
    assert len(run.different) == 1
    assert (run.wrong == ()) is tie


def test_refused(folder: Path) -> None:
    said = r"the app \(TFLite 2\.6\.2\) says: no file .*none\.tflite that the app can read; push it to"
    with pytest.raises(RunnerError, match=said):
        parse(_lines(folder, "missing"))


def test_other_lines_are_left_alone(folder: Path) -> None:
    lines = _lines(folder)
    noise = ["INSTRUMENTATION_STATUS: id=x", "onError: commandError=false", "WARNING: linker: mbl={", ""]
    mixed = [line for pair in zip(lines, (noise * len(lines))[:len(lines)], strict=True) for line in pair]
    assert events(mixed) == events(lines)


@pytest.mark.parametrize("kept", range(1, 19))
def test_cut_short(kept: int) -> None:
    """Wherever the phone went away: an error that says where, never a shorter run."""
    lines = [line for line in _lines(KEPT) if "mbl=" in line][:kept]
    with pytest.raises(RunnerError, match="the app stopped before"):
        parse(lines)


def test_crash_tells_its_reason() -> None:
    lines = [*_lines(KEPT)[:8], "INSTRUMENTATION_RESULT: shortMsg=Process crashed.", "INSTRUMENTATION_CODE: 0"]
    with pytest.raises(RunnerError, match=r"before 'end': Process crashed\."):
        parse(lines)
    with pytest.raises(RunnerError, match="it printed nothing; is the app installed"):
        parse([])
    failed = "INSTRUMENTATION_FAILED: org.mobilebertlite.demo/.benchmark.BenchmarkInstrumentation"
    with pytest.raises(RunnerError, match="before 'begin': org"):
        parse(["INSTRUMENTATION_STATUS: id=ActivityManagerService", failed])


def test_damaged() -> None:
    with pytest.raises(RunnerError, match="no event"):
        events(['INSTRUMENTATION_STATUS: mbl={"event": "sam'])
    lines = [changed(line, "begin", {"format": 2}) for line in _lines(KEPT)]
    with pytest.raises(RunnerError, match="speaks format 2, not 1"):
        parse(lines)
    lines = [changed(line, "load", {"load_us": "fast"}) for line in _lines(KEPT)]
    with pytest.raises(RunnerError, match="install the app anew"):
        parse(lines)


def changed(line: str, event: str, change: dict[str, object]) -> str:
    """``line`` with fields of its object replaced, where it is an ``event``."""
    head, found, content = line.partition("mbl=")
    if not found or json.loads(content)["event"] != event:
        return line
    return f"{head}mbl={json.dumps({**json.loads(content), **change})}"
