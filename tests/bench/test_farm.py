"""Jobs for device farms, and their results."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from test_bench_cli import call, report_of, saved, standard_error_stays

from mobilebert_lite.benchmarks import result
from mobilebert_lite.benchmarks.farm import read_results
from mobilebert_lite.benchmarks.profiles import find_profile
from mobilebert_lite.errors import DataError

__all__ = ["standard_error_stays"]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    made = tmp_path / "a model's file.tflite", tmp_path / "app.apk", tmp_path / "test.apk"
    for path in made:
        path.write_bytes(b"x")
    return made


def test_a_job_for_firebase(files: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, app, test = files
    assert call(model, "--farm", "firebase", "--device", "pixel6,Pixel 8", "--app", app, "--test-apk", test,
                "--threads", "1,4", "--seconds", "30", "--farm-folder", tmp_path / "job") == 0
    run, fetch, show = map(shlex.split, capsys.readouterr().out.splitlines())
    file = tmp_path / "job" / "firebase.yaml"
    assert run[:6] == ["gcloud", "firebase", "test", "android", "run", f"{file}:mbl"]
    assert fetch[-1] == show[-1] == str(tmp_path / "job" / "results")
    job = yaml.safe_load(file.read_text())["mbl"]
    assert job["device"] == [{"model": "oriole"}, {"model": "shiba"}]
    assert job["other-files"] == {"/sdcard/mbl/model-0.tflite": str(model)}
    assert job["environment-variables"]["threads"] == "1 4"
    assert job["environment-variables"]["seconds"] == "30"
    assert (job["app"], job["test"], job["record-video"]) == (str(app), str(test), False)
    assert job["directories-to-pull"] == ["/sdcard/mbl/out"]


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
    (("--farm", "ai-edge-portal", "--device", "emulator"), 1, "emulator is no phone"),
    (("--farm", "ai-edge-portal", "--device", "pixel6", "--accelerator", "npu"), 1, "needs a chip"),
    (("--farm", "ai-edge-portal", "--device", "pixel66"), 1, "unknown device 'pixel66'"),
])
def test_jobs_that_cannot_be(arguments: tuple[str, ...], code: int, said: str, files: tuple[Path, Path, Path],
                             capsys: pytest.CaptureFixture[str]) -> None:
    assert call(files[0], *arguments) == code
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_job_that_takes_too_long(files: tuple[Path, Path, Path], tmp_path: Path,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    assert call(files[0], "--farm", "firebase", "--device", "pixel6", "--app", files[1], "--test-apk", files[2],
                "--seconds", "6000", "--farm-folder", tmp_path / "job") == 1
    assert "106 minutes" in capsys.readouterr().err
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
    assert call("--import", tmp_path / "r", "--json", tmp_path / "all.json") == 0
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
    with pytest.raises(DataError, match="is not JSON"):
        read_results([tmp_path / "a.json"])
    with pytest.raises(DataError, match=r"cannot read .*absent"):
        read_results([tmp_path / "absent.json"])
