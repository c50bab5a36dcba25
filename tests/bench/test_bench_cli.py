"""``mbl bench`` as people call it."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from test_result import REPORT, RUN

from mobilebert_lite.benchmarks import subject
from mobilebert_lite.benchmarks.host import runner as host
from mobilebert_lite.benchmarks.reports import result
from mobilebert_lite.benchmarks.reports.export import records, to_csv, to_markdown
from mobilebert_lite.benchmarks.reports.result import BenchReport, Latencies, Run
from mobilebert_lite.cli import main
from mobilebert_lite.tflite.container import append_files, read_files
from mobilebert_lite.tflite.flatbuffer import read_model, write_model

Converted = Callable[[str, str], Path]
MBL = Path(sys.executable).with_name("mbl")
QUICK = ("--runs", "10", "--warmup", "0")


@pytest.fixture(autouse=True)
def standard_error_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command gives native libraries another descriptor 2, for the whole process."""
    monkeypatch.setattr("mobilebert_lite.cli.streams.hide_internals", lambda: None)


def call(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["bench", *map(str, arguments)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def report_of(*latencies: float, name: str = "qa.tflite") -> BenchReport:
    """A complete run of 100 samples around each latency (µs) in a group of its own, one thread more each."""
    def run(i: int, latency: float) -> Run:
        wave = [latency * (1 + 0.01 * ((7 * j) % 5 - 2)) for j in range(100)]
        samples = Latencies(tuple(map(float, range(100))), tuple(wave), (9,) * 100, (0,) * 100)
        return replace(RUN, file=replace(RUN.file, name=name), group=i, samples=samples, aggregates=(), complete=True,
                       configuration=replace(RUN.configuration, threads=i + 1), warnings=())

    return replace(REPORT, runs=tuple(run(i, latency) for i, latency in enumerate(latencies)))


def saved(path: Path, report: BenchReport) -> Path:
    result.write(report, path)
    return path


def test_a_table_and_a_report(converted: Converted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                              capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(host.HostRunner, "objections", lambda self: [])  # whatever else this machine does
    one, other, file = converted("qa", "int8"), converted("qa", "none"), tmp_path / "a.json"
    assert call(one, other, *QUICK, "--seq-len", "48,32", "--profile", "--report", file) == 0
    shown = capsys.readouterr()
    assert shown.out.count(one.name) >= 2
    assert "32 tokens, 2 threads" in shown.out
    assert "FULLY" in shown.out.upper()
    assert all(line.startswith("· ") for line in shown.err.splitlines())
    report = result.read(file)
    assert [len(run.samples) for run in report.runs] == [10] * 4
    assert all(run.operators for run in report.runs)
    assert call("--compare", file, file) == 0
    assert "no difference beyond chance" in capsys.readouterr().out


def test_json_on_standard_output(converted: Converted, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(converted("qa", "int8"), *QUICK, "--json") == 0
    report = result.parse(json.loads(capsys.readouterr().out), "stdout")
    assert len(report.runs[0].samples) == 10


@pytest.mark.parametrize(("arguments", "said"), [
    ((), "give at least one .tflite file; `mbl convert -o qa.tflite`"),
    (("a.tflite", "--threads", "0"), "each must be 1 or more"),
    (("a.tflite", "--threads", "two"), "whole numbers"),
    (("a.tflite", "--seq-len", "long"), "whole numbers"),
    (("a.tflite", "--cpus", "4-x"), "neither big, all, nor numbers"),
    (("a.tflite", "--csv", "--markdown"), "give one of --json, --csv and --markdown"),
    (("a.tflite", "--max-regression", "5%"), "needs --baseline or --compare"),
    (("a.tflite", "--json", "a.json"), "--report FILE writes the report"),
    (("a.tflite", "--json", "-"), "--report FILE writes the report"),
    (("a.tflite", "--length", "48"), "it is called '--seq-len' now"),
    (("a.tflite", "--test-apk", "a.apk"), "--test-apk needs --farm"),
    (("a.tflite", "--baseline", "a.json", "--max-regression", "much"), "no percentage"),
    (("a.tflite", "--compare", "a.json", "b.json"), "measures nothing"),
    (("a.tflite", "--runner", "app"), "--runner app runs on phones; give --device any"),
    (("a.tflite", "--runner", "app", "--device", "any", "--runner-binary", "b"), "leave them out with --runner app"),
    (("a.tflite", "--device", "any", "--app", "a.apk"), "--app is for --runner app"),
])
def test_wrong_usage(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*arguments) == 2
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(("arguments", "said"), [
    (("absent.tflite",), "no model at absent.tflite"),
    ((__file__,), "is not a .tflite file"),
    (("--compare", "absent.json", "absent.json"), "cannot read absent.json"),
    (("--compare", __file__, __file__), "is not readable JSON"),
])
def test_requests_that_fail(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*arguments) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("Error: ")
    assert error.count("\n") == 1


def test_a_file_made_to_do_harm(converted: Converted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                capsys: pytest.CaptureFixture[str]) -> None:
    """An operator that reads a tensor which does not exist: no runtime gets to see it."""
    content = converted("qa", "int8").read_bytes()
    model = read_model(content)
    model.subgraphs[0].operators[0].inputs = np.array([1_000_000], np.int32)
    (tmp_path / "harm.tflite").write_bytes(append_files(write_model(model), read_files(content)))
    for module in (host, subject):
        monkeypatch.setattr(module, "Child", None)
    assert call(tmp_path / "harm.tflite", "--runs", "3") == 1
    said = capsys.readouterr().err
    assert "harm.tflite" in said
    assert "1000000" in said.replace(",", "")


def test_a_length_that_is_not_there(converted: Converted, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(converted("qa", "int8"), "--seq-len", "64") == 1
    assert "no signature of 64 tokens; the file has 32, 48" in capsys.readouterr().err


@pytest.mark.parametrize(("after", "allowed", "code", "said"), [
    ((100.0, 100.0), "5%", 0, "no difference beyond chance"),
    ((103.0, 100.0), "5", 0, "slower"),
    ((103.0, 100.0), "2", 1, "1 of 2 runs regressed by more than 2 %"),
    ((90.0, 112.0), "5%", 1, "12.0 % slower"),
    ((90.0, 90.0), "0", 0, "faster"),
])
def test_regressions_are_judged(after: tuple[float, ...], allowed: str, code: int, said: str, tmp_path: Path,
                                capsys: pytest.CaptureFixture[str]) -> None:
    before = saved(tmp_path / "a.json", report_of(100.0, 100.0))
    assert call("--compare", before, saved(tmp_path / "b.json", report_of(*after)), "--max-regression", allowed) == code
    shown = capsys.readouterr()
    assert said in shown.out + shown.err
    assert ("REGRESSED" in shown.out) == bool(code)
    assert "EMULATED" in shown.out  # the reports say so


@pytest.mark.parametrize("said", ["busy: something else works", "noisy: half of the samples spread"])
def test_a_disturbed_run_is_no_regression(tmp_path: Path, capsys: pytest.CaptureFixture[str], said: str) -> None:
    after = report_of(200.0)
    after = replace(after, runs=(replace(after.runs[0], warnings=(said,)),))
    files = saved(tmp_path / "a.json", report_of(100.0)), saved(tmp_path / "b.json", after)
    assert call("--compare", *files, "--max-regression", "5%") == 0
    shown = capsys.readouterr()
    assert f"not judged: {said.split(':')[0]}" in shown.out
    assert "REGRESSED" not in shown.out
    assert "1 of 1 runs cannot be judged against --max-regression" in shown.err


def test_reports_with_nothing_in_common(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = report_of(100.0)
    other = replace(other, runs=(replace(other.runs[0], configuration=replace(
        other.runs[0].configuration, length=128)),))
    assert call("--compare", saved(tmp_path / "a.json", report_of(1.0)), saved(tmp_path / "b.json", other)) == 1
    assert "no run in common" in capsys.readouterr().err


def test_a_baseline_is_read_before_anything_is_measured(converted: Converted, tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch,
                                                        capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(host.HostRunner, "objections", lambda self: [])  # whatever else this machine does
    path, file = converted("qa", "int8"), tmp_path / "a.json"
    assert call(path, *QUICK, "--report", file) == 0
    assert call(path, *QUICK, "--baseline", file) == 0
    assert "ratio" in capsys.readouterr().out
    # Ten times as fast as it was measured: now everything is a regression.
    fast = result.read(file)
    run = fast.runs[0]
    samples = replace(run.samples, duration_us=tuple(one / 10 for one in run.samples.duration_us))
    saved(file, replace(fast, runs=(replace(run, samples=samples),)))
    assert call(path, *QUICK, "--baseline", file, "--max-regression", "5%") == 1
    assert "REGRESSED" in capsys.readouterr().out
    assert call(path, *QUICK, "--baseline", tmp_path / "absent.json") == 1
    assert "samples or more" not in capsys.readouterr().err


def test_interrupted_it_keeps_what_it_has(converted: Converted, tmp_path: Path) -> None:
    """A real process, a real SIGINT: exit 130, the samples marked incomplete, no child left."""
    file = tmp_path / "a.json"
    process = subprocess.Popen([MBL, "bench", converted("qa", "int8"), "--seconds", "600", "--report", file],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "samples or more" in process.stderr.readline()
    time.sleep(1)
    offspring = psutil.Process(process.pid).children(recursive=True)
    assert offspring
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "Error: interrupted"
    assert "incomplete" in out
    [run] = result.read(file).runs
    assert (run.complete, run.reason) == (False, "interrupted")
    assert len(run.samples) > 0
    assert not any(one.is_running() for one in offspring)


def test_csv_and_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(100.0, 200.0, name="=a|b<script>.tflite")
    rows = list(csv.DictReader(io.StringIO(to_csv(report))))
    assert [float(row["p50_ms"]) for row in rows] == pytest.approx([0.1, 0.2])
    assert rows[0]["model"] == "'=a|b<script>.tflite"  # no formula for a spreadsheet
    assert rows[0]["emulated"] == "True"
    text = to_markdown(report)
    header, line, first, *_ = text.splitlines()
    assert header.count("|") == line.count("|") == first.replace("\\|", "").count("|")
    assert "<script" not in text
    assert "**Emulated" in text
    assert "| 3/3 |" in text
    assert (rows[0]["answers_compared"], rows[0]["answers_same"], rows[0]["answers_difference"]) == ("3", "3", "0.1")
    assert to_markdown(replace(report, runs=())) .startswith("| model |")


def test_records_of_an_empty_run() -> None:
    [row] = records(replace(REPORT, runs=(replace(RUN, samples=Latencies(), aggregates=()),)))
    assert (row["samples"], row["mean_ms"], row["p99_ms"], row["complete"]) == (0, None, None, False)


def test_help_needs_no_runtime() -> None:
    """Nor does comparing: neither NumPy's users nor TensorFlow are loaded before they are needed."""
    code = ("import sys\nfrom mobilebert_lite.cli import main\n"
            "try: main(['bench', '--help'])\nexcept SystemExit as end: assert end.code == 0\n"
            "assert not {'numpy', 'tensorflow', 'ai_edge_litert'} & set(sys.modules), sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=300, env={**os.environ})
