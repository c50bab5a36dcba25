"""What the demo app's instrumentation printed, read on the host.

``app_lines/`` holds what the real code printed; ``make test-android`` prints it anew and reads that as well.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mobilebert_lite.benchmarks.app_lines import Different, events, parse
from mobilebert_lite.benchmarks.runner import RunnerError

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
    assert len(run.sha256) == 64
    assert run.device["app"] == "0.1.0"
    assert run.device["cores"] >= 1


def test_refused(folder: Path) -> None:
    with pytest.raises(RunnerError, match=r"the app says: no file .*none\.tflite that the app can read; push it to"):
        parse(_lines(folder, "missing"))


def test_other_lines_are_left_alone(folder: Path) -> None:
    lines = _lines(folder)
    noise = ["INSTRUMENTATION_STATUS: id=x", "onError: commandError=false", "WARNING: linker: mbl={", ""]
    mixed = [line for pair in zip(lines, (noise * len(lines))[:len(lines)], strict=True) for line in pair]
    assert events(mixed) == events(lines)


@pytest.mark.parametrize("kept", range(1, 16))
def test_cut_short(kept: int) -> None:
    """Wherever the phone went away: an error that says where, never a shorter run."""
    lines = [line for line in _lines(KEPT) if "mbl=" in line][:kept]
    with pytest.raises(RunnerError, match="the app stopped before"):
        parse(lines)


def test_crash_tells_its_reason() -> None:
    lines = [*_lines(KEPT)[:6], "INSTRUMENTATION_RESULT: shortMsg=Process crashed.", "INSTRUMENTATION_CODE: 0"]
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
    lines = [_changed(line, "begin", {"format": 2}) for line in _lines(KEPT)]
    with pytest.raises(RunnerError, match="speaks format 2, not 1"):
        parse(lines)
    lines = [_changed(line, "load", {"load_us": "fast"}) for line in _lines(KEPT)]
    with pytest.raises(RunnerError, match="install the app anew"):
        parse(lines)


def _changed(line: str, event: str, change: dict[str, object]) -> str:
    head, found, content = line.partition("mbl=")
    if not found or json.loads(content)["event"] != event:
        return line
    return f"{head}mbl={json.dumps({**json.loads(content), **change})}"
