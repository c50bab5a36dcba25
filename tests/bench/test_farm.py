"""Jobs for device farms, and their results."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from test_app_lines import changed
from test_bench_cli import call, report_of, saved, standard_error_stays

from mobilebert_lite.benchmarks.farm import read_results
from mobilebert_lite.benchmarks.phone.profiles import find_profile
from mobilebert_lite.benchmarks.reports import result
from mobilebert_lite.benchmarks.reports.result import Configuration
from mobilebert_lite.errors import DataError

__all__ = ["standard_error_stays"]


@pytest.fixture
def files(tmp_path: Path, converted: Callable[[str, str], Path]) -> tuple[Path, Path, Path]:
    made = tmp_path / "a model's file.tflite", tmp_path / "app.apk", tmp_path / "test.apk"
    shutil.copy(converted("qa", "int8"), made[0])
    for path in made[1:]:
        path.write_bytes(b"x")
    return made


def test_jobs_for_firebase(files: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One for each setting, with the arguments of the app's own instrumentation."""
    model, app, test = files
    assert call(model, "--farm", "firebase", "--device", "pixel6,Pixel 8", "--app", app, "--test-apk", test,
                "--threads", "1,4", "--seconds", "30", "--seq-len", "48,mixed", "--farm-folder", tmp_path / "job") == 0
    *runs, fetch, show = map(shlex.split, capsys.readouterr().out.splitlines())
    file = tmp_path / "job" / "firebase.yaml"
    assert [run[:6] for run in runs] == [
        ["gcloud", "firebase", "test", "android", "run", f"{file}:mbl-{i}"] for i in range(4)]
    assert len({run[-1] for run in runs}) == 4, "one overwrites what another brought"
    assert fetch[-1] == show[-1] == str(tmp_path / "job" / "results")
    jobs = yaml.safe_load(file.read_text())
    texts = tmp_path / "job" / "texts-0.examples.json"
    for job in jobs.values():
        assert job["type"] == "instrumentation"
        assert job["device"] == [{"model": "oriole"}, {"model": "shiba"}]
        assert (job["app"], job["test"], job["record-video"]) == (str(app), str(test), False)
        given = job["environment-variables"]
        assert {given["model"]: str(model), given["expected"]: str(texts)} == job["other-files"]
        assert given["model"] == "/data/local/tmp/mbl/model-0.tflite", "only some characters are allowed there"
        assert (given["seconds"], given["check"], given["accelerator"]) == ("30", "true", "cpu")
        assert all(type(value) is str for value in given.values())
    assert [(job["environment-variables"].get("signature"), job["environment-variables"]["threads"])
            for job in jobs.values()] == [("qa_48", "1"), ("qa_48", "4"), (None, "1"), (None, "4")]
    examples = json.loads(texts.read_text())
    assert examples["task"] == "qa"
    assert len(examples["examples"]) > 10
    assert all(0 < one["expected"]["probability"] <= 1 for one in examples["examples"])


def test_the_longest_by_default(files: tuple[Path, Path, Path], tmp_path: Path, converted: Callable[[str, str], Path]
                                ) -> None:
    """And a name that a phone takes stays."""
    _, app, test = files
    model = converted("qa", "int8")
    assert call(model, "--farm", "firebase", "--device", "pixel6", "--app", app, "--test-apk", test, "--farm-folder",
                tmp_path / "job") == 0
    [job] = yaml.safe_load((tmp_path / "job" / "firebase.yaml").read_text()).values()
    assert job["environment-variables"]["signature"] == "qa_48"
    assert job["environment-variables"]["model"] == f"/data/local/tmp/mbl/{model.name}"


def test_a_job_for_the_portal(files: tuple[Path, Path, Path], tmp_path: Path,
                              capsys: pytest.CaptureFixture[str]) -> None:
    assert call(files[0], "--farm", "ai-edge-portal", "--device", "pixel7", "--accelerator", "cpu", "--accelerator",
                "gpu", "--farm-folder", tmp_path / "job") == 0
    upload, submit = map(shlex.split, capsys.readouterr().out.splitlines())
    assert upload == ["gcloud", "storage", "cp", str(files[0]), "gs://YOUR_BUCKET/model-0.tflite"]
    assert submit[0] == "curl"
    body = json.loads((tmp_path / "job" / "portal-0.json").read_text())
    assert body["deviceConfigs"] == [{"deviceModel": "pixel 7"}]
    assert [one["accelerator"] for one in body["runSpecs"]] == ["CPU", "GPU"]
    assert {one["modelPath"] for one in body["runSpecs"]} == {"YOUR_BUCKET/model-0.tflite"}


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (("--farm", "firebase", "--device", "pixel6"), 2, "needs --app and --test-apk"),
    (("--farm", "firebase", "--device", "pixel6", "--app", "{app}", "--test-apk", "{app}", "--seq-len", "33"), 1,
     "has no length 33; it has 32, 48"),
    (("--farm", "ai-edge-portal", "--device", "emulator"), 1, "emulator is no phone"),
    (("--farm", "ai-edge-portal", "--device", "pixel6", "--accelerator", "npu"), 1, "needs a chip"),
    (("--farm", "ai-edge-portal", "--device", "pixel66"), 2, "unknown device 'pixel66'"),
])
def test_jobs_that_cannot_be(arguments: tuple[str, ...], code: int, said: str, files: tuple[Path, Path, Path],
                             capsys: pytest.CaptureFixture[str]) -> None:
    assert call(files[0], *(one.format(app=files[1]) for one in arguments)) == code
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_job_that_takes_too_long(files: tuple[Path, Path, Path], tmp_path: Path,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    assert call(files[0], "--farm", "firebase", "--device", "pixel6", "--app", files[1], "--test-apk", files[2],
                "--seconds", "6000", "--farm-folder", tmp_path / "job") == 1
    assert "105 minutes" in capsys.readouterr().err
    assert not (tmp_path / "job").exists()


def test_reports_come_home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder as it is pulled: a report in a folder for each phone, and other files."""
    shiba = find_profile("pixel8")
    other = report_of(50.0)
    other = replace(other, runs=(replace(other.runs[0], device=replace(
        other.runs[0].device, profile=shiba.name, title=shiba.title, emulated=False)),))
    for name, report in (("flame-29", report_of(100.0)), ("shiba-34", other)):
        (tmp_path / "r" / name / "out").mkdir(parents=True)
        saved(tmp_path / "r" / name / "out" / "report.json", report)
        (tmp_path / "r" / name / "matrix.json").write_text('{"some": "thing"}')
    (tmp_path / "r" / "broken.json").write_text("{")
    assert call("--import", tmp_path / "r", "--report", tmp_path / "all.json") == 0
    shown = capsys.readouterr().out
    assert "Pixel 4 EMULATED" in shown
    assert "Pixel 8" in shown
    merged = result.read(tmp_path / "all.json")
    assert [(run.device.title, run.group) for run in merged.runs] == [("Pixel 4", 0), ("Pixel 8", 1)]
    assert merged.source == str(tmp_path / "r")


def test_nothing_to_import(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no report"):
        read_results([tmp_path])
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(DataError, match="is not readable JSON"):
        read_results([tmp_path / "a.json"])
    with pytest.raises(DataError, match=r"cannot read .*absent"):
        read_results([tmp_path / "absent.json"])


def printed(folder: Path, *changes: tuple[str, dict[str, object]]) -> Path:
    """``instrumentation.results`` of a farm: the farm's own lines among the app's, which are changed."""
    lines = (Path(__file__).parent / "app_lines" / "arguments.txt").read_text().splitlines()
    for event, change in changes:
        lines = [changed(line, event, change) for line in lines]
    folder.mkdir(parents=True)
    file = folder / "instrumentation.results"
    test = ["INSTRUMENTATION_STATUS: test=benchmark", "INSTRUMENTATION_STATUS: numtests=1"]
    file.write_text("\n".join([*test, "INSTRUMENTATION_STATUS_CODE: 1", *lines[:-2], *test,
                               "INSTRUMENTATION_STATUS_CODE: 0", *lines[-2:]]) + "\n")
    return file


PIXEL_8 = ("begin", {"manufacturer": "Google", "model": "Pixel 8", "device": "shiba", "abi": "arm64-v8a", "cores": 9,
                     "fingerprint": "google/shiba", "android": "15"})


def test_what_the_app_printed_comes_home(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                         caplog: pytest.LogCaptureFixture) -> None:
    """One phone's run ended, another's did not, a third is an emulator."""
    printed(tmp_path / "r" / "mbl-0" / "shiba-34-en-portrait", PIXEL_8)
    printed(tmp_path / "r" / "mbl-0" / "oriole-33-en-portrait", ("done", {"event": "error", "message": "no memory"}))
    printed(tmp_path / "r" / "mbl-0" / "x", ("begin", {"model": "Pixel 8", "device": "shiba", "abi": "x86_64"}))
    assert call("--import", tmp_path / "r", "--report", tmp_path / "all.json") == 0
    shown = capsys.readouterr()
    assert "oriole-33-en-portrait/instrumentation.results: the app (TFLite 2.6.2) says: no memory" in caplog.text
    emulated, run = sorted(result.read(tmp_path / "all.json").runs, key=lambda one: not one.emulated)
    assert emulated.emulated
    assert "EMULATED" in shown.out
    assert (run.device.profile, run.device.title, run.device.cores) == ("pixel8", "Pixel 8", 9)
    assert run.device.system == "Android 15"
    assert run.complete
    assert not run.emulated
    assert run.configuration == Configuration(64, 2)
    assert run.runtime.version == "2.6.2"
    assert run.file.name == "qa-old.tflite"
    assert (run.file.task, run.file.recipe) == ("qa", "none")
    told = [json.loads(line.partition("mbl=")[2])
            for line in (Path(__file__).parent / "app_lines" / "arguments.txt").read_text().splitlines()
            if '"event":"sample"' in line]
    assert list(run.samples.duration_us) == [one["us"] for one in told]
    assert list(run.samples.tokens) == [one["tokens"] for one in told]
    assert run.answers is not None
    assert run.answers.compared == run.answers.same > 10
    assert run.memory is not None
    assert run.memory.peak_bytes > 1e7


def test_wrong_answers_come_home_as_such(tmp_path: Path) -> None:
    different = {"index": 3, "expected": "Ada", "said": "Bob", "probability": 0.9, "of_expected": 0.01}
    file = printed(tmp_path / "r", PIXEL_8, ("check", {"different": [different]}))
    [report] = read_results([file])
    [run] = report.runs
    assert not run.complete
    assert "text 3: 'Bob' in place of 'Ada'" in run.reason


@pytest.mark.parametrize(("event", "change"), [
    ("begin", {"time_ms": "now"}), ("begin", {"device": None, "cores": None}), ("model", {"signatures": {"a": 1}}),
    ("request", {"accelerator": "tpu"}), ("sample", {"us": None}), ("model", {"signatures": 5})])
def test_lines_of_another_app(event: str, change: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"left out .* or gave something else"):
        read_results([printed(tmp_path / "r", (event, change))])


def test_only_runs_that_failed(tmp_path: Path) -> None:
    printed(tmp_path / "r", ("done", {"event": "error", "message": "no memory"}))
    with pytest.raises(DataError, match="holds no report"):
        read_results([tmp_path / "r"])
