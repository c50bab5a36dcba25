"""Reports as JSON: what is written is read again, and what is wrong is named."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilebert_lite.benchmarks.reports import result
from mobilebert_lite.benchmarks.reports.result import (
    Aggregate,
    Answers,
    BenchOptions,
    BenchReport,
    Configuration,
    Device,
    File,
    Latencies,
    Loading,
    Memory,
    OperatorTime,
    Run,
    Runtime,
    Snapshot,
)
from mobilebert_lite.errors import DataError

RUN = Run(
    File("qa.tflite", "ab" * 32, 123, "qa", "int8", "mobilebert-lite 0"),
    Device("pixel4", "Pixel 4", "Pixel 4", "flame", features=("asimddp",), cores=8, emulated=True),
    Configuration(384, 2, cpus=(4, 5)), Runtime("benchmark_model", "2.3.0", "cd" * 32), 0,
    Loading(1.5, 2.5, 254, 249, 1), (9.0, 8.0), Latencies((1.0, 2.0), (3.0, 4.0), (5, 6), (0, 1)),
    (Aggregate(1.0, 2, 3.0, 0.5, 2.5, 3.5, 7, {"50": 3.0}),),
    (Snapshot(1.0, 36.5, 0, {"4": 2419000}, 80.0, False, screen_on=True),), Memory(5, 4),
    (OperatorTime("ADD", "", 3, 2.0, 50),),
    Answers(3, 3, 0.1, 9.0), ("hot: let it cool down",), False, "interrupted")
REPORT = BenchReport("2026-01-01T00:00:00+00:00", "mobilebert-lite 0", BenchOptions(100, 5.0, 200), (RUN,))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    result.write(REPORT, tmp_path / "a.json")
    assert result.read(tmp_path / "a.json") == REPORT
    raw = json.loads((tmp_path / "a.json").read_text())
    assert (raw["schema"], raw["version"]) == ("mobilebert-lite/benchmark", 1)
    assert raw["runs"][0]["samples"]["duration_us"] == [3.0, 4.0]
    assert REPORT.emulated
    assert not REPORT.complete


def damaged(path: str, value: Any) -> dict[str, Any]:
    """The report with the field at ``path`` replaced, or removed (``...``)."""
    raw = json.loads(json.dumps(REPORT.to_json()))
    *parents, last = [int(name) if name.isdigit() else name for name in path.split("/")]
    place: Any = raw
    for name in parents:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return raw


@pytest.mark.parametrize(("path", "value", "said"), [
    ("schema", "other", "schema is 'other'"),
    ("version", 2, "version 2 of the schema"),
    ("runs", {}, r"x\.runs: dict, not a list"),
    ("runs/0/file", ..., r"x\.runs\[0\]: no file"),
    ("runs/0/color", 1, r"runs\[0\]: unknown field color"),
    ("runs/0/configuration/threads", "2", r"configuration\.threads is '2'; it must be a whole number"),
    ("runs/0/configuration/threads", True, r"threads is True"),
    ("runs/0/complete", 1, r"complete is 1; it must be true or false"),
    ("runs/0/samples/duration_us", [1.0], "columns of .* entries"),
    ("runs/0/samples/tokens", [1.5, 2], r"tokens\[0\] is 1.5"),
    ("runs/0/loading/load_us", None, r"load_us is None; it must be a finite number"),
    ("runs/0/environment/0/frequency_khz", {"4": "fast"}, r"frequency_khz\.4 is 'fast'"),
    ("runs/0/memory", [], r"memory: a JSON list, not an object"),
    ("options", "x" * 200, "options: a JSON str"),
])
def test_what_is_wrong_is_named(path: str, value: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        result.parse(damaged(path, value), "x")


def test_fields_with_defaults_may_be_missing() -> None:
    raw = damaged("runs/0/memory", None)
    for name in ("warnings", "operators", "answers"):
        del raw["runs"][0][name]
    read = result.parse(raw, "x").runs[0]
    assert (read.memory, read.warnings, read.operators, read.answers) == (None, (), (), None)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)),
       st.sampled_from(["runs", "runs/0", "runs/0/samples", "runs/0/environment", "options", "runs/0/file/bytes"]))
def test_any_value_anywhere_is_an_error_or_a_report(value: Any, path: str) -> None:
    with suppress(DataError):
        assert isinstance(result.parse(damaged(path, copy.deepcopy(value)), "x"), BenchReport)


@pytest.mark.parametrize(("content", "said"), [
    (b"{", "is not readable JSON"), (b"[]", "a JSON list"), (b"[" * 100_000, "is not readable JSON"),
    (b"\xff", "is not readable JSON"),
    (b'{"schema": "mobilebert-lite/benchmark", "version": 1, "runs": []}', "no created, toolkit, options")])
def test_files_that_are_no_reports(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError, match=said):
        result.read(tmp_path / "a.json")
    with pytest.raises(DataError, match=r"cannot read .*absent"):
        result.read(tmp_path / "absent.json")
