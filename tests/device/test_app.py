"""`mbl bench --runner app` over the real adb and its daemon; the phone's `am` is demo_app.py."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import LENGTHS
from rig import Host, Phone, until

pytest_plugins = ["rig_fixtures"]
pytestmark = pytest.mark.device

SHORT = ("--runner", "app", "--device", "pixel4", "--runs", "12", "--seconds", "0", "--warmup", "3")
ENDLESS = ("--runner", "app", "--device", "pixel4", "--runs", "100000", "--seconds", "0", "--warmup", "3")


def calls(phone: Phone) -> list[dict[str, str]]:
    """The arguments of every process of the app."""
    found = []
    for line in phone.sh("cat /system/app/calls").splitlines():
        words = json.loads(line)[3:-1]
        found.append(dict(zip(words[1::3], words[2::3], strict=True)))
    return found


def one_error(text: str) -> str:
    [line] = [line for line in text.splitlines() if line.startswith("Error: ")]
    assert "Traceback" not in text
    return line


def runs_of(report: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(report.read_bytes())["runs"]
    return found


def test_the_whole(host: Host, with_app: Phone, model: Path, tmp_path: Path) -> None:
    """Two lengths: one report, which says at every figure that the phone is none, and whose answers were compared."""
    report = tmp_path / "report.json"
    done = host.mbl("bench", str(model), *SHORT, "--seq-len", ",".join(map(str, LENGTHS)), "--profile", "--report",
                    str(report), "--markdown")
    assert done.returncode == 0, done.stderr
    assert "Pixel 4 EMULATED" in done.stdout
    assert "Emulated: these times say nothing" in done.stdout
    assert "no profile of operators" in done.stderr
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    runs = runs_of(report)
    assert [run["configuration"]["length"] for run in runs] == list(LENGTHS)
    for run in runs:
        assert run["complete"] is True
        assert run["device"]["emulated"] is True
        assert run["file"]["sha256"] == digest
        assert run["runtime"]["name"] == "TFLite in the app"
        assert run["runtime"]["sha256"] == hashlib.sha256(b"a package\n").hexdigest()
        assert len(run["samples"]["duration_us"]) == 12
        assert min(run["samples"]["duration_us"]) > 1
        # Each began after the one before had ended, on the host's clock.
        offsets, durations = np.array(run["samples"]["offset_us"]), np.array(run["samples"]["duration_us"])
        assert np.all(np.diff(offsets) >= durations[:-1] - 0.2)
        assert max(run["samples"]["tokens"]) <= run["configuration"]["length"]
        assert run["loading"]["load_us"] > 1
        assert run["loading"]["first_us"] > np.median(durations) / 2
        assert run["memory"]["peak_bytes"] > model.stat().st_size
        assert run["answers"]["compared"] > 10
        assert run["answers"]["same"] == run["answers"]["compared"]
        assert run["environment"][0]["temperature_c"] == 27.5
    asked = calls(with_app)
    assert {one["signature"] for one in asked} == {f"qa_{length}" for length in LENGTHS}
    assert {(one["threads"], one["accelerator"]) for one in asked} == {("2", "cpu")}
    # Only one process for each length compares answers; the others would measure what it leaves behind.
    assert [one["check"] for one in asked].count("true") == len(LENGTHS)
    assert {one["model"].rpartition("/")[2] for one in asked} == {f"{digest[:32]}.tflite"}


def test_two_files_in_turn(host: Host, with_app: Phone, model: Path, converted: Any) -> None:
    done = host.mbl("bench", str(model), str(converted("qa", "none")), *SHORT, "--seq-len", "mixed", "--csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["model"] for row in rows] == [model.name, "qa-none.tflite"]
    assert {row["emulated"] for row in rows} == {"True"}
    assert {row["answers_same"] == row["answers_compared"] != "" for row in rows} == {True}
    assert float(rows[1]["ratio"]) > 0
    asked = calls(with_app)
    assert not any("signature" in one for one in asked)
    # The second stretch goes on where the first one ended.
    assert len({one["first"] for one in asked}) > 1
    assert len({one["model"] for one in asked}) == 2


def test_two_phones_side_by_side(host: Host, with_app: Phone, other_with_app: Phone, model: Path,
                                 tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = host.mbl("bench", str(model), "--runner", "app", "--device", "any", "--runs", "12", "--warmup", "0",
                    "--report", str(report))
    assert done.returncode == 0, done.stderr
    runs = runs_of(report)
    assert {run["device"]["serial"] for run in runs} == {with_app.serial, other_with_app.serial}
    assert all(run["answers"]["same"] == run["answers"]["compared"] > 10 for run in runs)


def test_a_model_without_a_screen(host: Host, with_app: Phone, tiny_qa: Path, tmp_path: Path) -> None:
    from mobilebert_lite.conversion.pipeline import ConvertRequest, convert

    features = tmp_path / "features.tflite"
    convert(ConvertRequest(features, str(tiny_qa), task="features", lengths=(32,), quantize="none"))
    done = host.mbl("bench", str(features), *SHORT)
    assert done.returncode == 1
    assert "is for features; the app has screens for qa and classification" in one_error(done.stderr)


def test_texts_of_your_own(host: Host, with_app: Phone, converted: Any, tmp_path: Path) -> None:
    """Hostile texts are data: they reach the app as a file."""
    data = tmp_path / "texts.jsonl"
    texts = ["Play a song", "'; touch /system/app/trap; '", "ünïcode \U0001f600 $(id)"]
    data.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    report = tmp_path / "report.json"
    done = host.mbl("bench", str(converted("classification", "int8")), *SHORT, "--data", str(data), "--report",
                    str(report))
    assert done.returncode == 0, done.stderr
    [run] = runs_of(report)
    assert (run["answers"]["compared"], run["answers"]["same"]) == (3, 3)
    assert len(set(run["samples"]["tokens"])) == 3
    assert "trap" not in with_app.sh("ls /system/app")


def test_wrong_answers(host: Host, with_app: Phone, model: Path, tmp_path: Path) -> None:
    with_app.sh("printf wrong >/system/app/trouble")
    report = tmp_path / "report.json"
    done = host.mbl("bench", str(model), *SHORT, "--report", str(report))
    assert done.returncode == 1
    line = one_error(done.stderr)
    assert "answers in the app are others than on this machine" in line
    assert "text 0: 'something else' in place of" in line
    [run] = runs_of(report)
    assert run["complete"] is False
    assert run["answers"]["same"] == run["answers"]["compared"] - len(range(0, run["answers"]["compared"], 4))
    assert len(run["samples"]["duration_us"]) == 12


def test_app_that_is_missing(host: Host, with_app: Phone, model: Path) -> None:
    with_app.sh("rm /system/app/base.apk")
    done = host.mbl("bench", str(model), *SHORT)
    assert done.returncode == 1
    line = one_error(done.stderr)
    assert "the demo app (org.mobilebertlite.demo) is not on Pixel 4" in line
    assert "mbl android install MODEL" in line


def test_app_that_went_away(host: Host, with_app: Phone, model: Path) -> None:
    """`pm` still knows it when the benchmark begins."""
    with_app.sh("printf '#!/bin/sh\\necho package:/system/app/base.apk\\n' >/system/bin/pm; rm /system/app/base.apk")
    done = host.mbl("bench", str(model), *SHORT)
    assert done.returncode == 1
    assert "the app stopped before 'begin': Unable to find instrumentation info for" in one_error(done.stderr)


def test_app_that_cannot_be_installed(host: Host, with_app: Phone, model: Path, tmp_path: Path) -> None:
    app = tmp_path / "none.apk"
    app.write_bytes(b"PK")
    done = host.mbl("bench", str(model), *SHORT, "--app", str(app))
    assert done.returncode == 1
    assert f"does not install {app}" in one_error(done.stderr)


def test_app_crashes(host: Host, with_app: Phone, model: Path, tmp_path: Path) -> None:
    with_app.sh("printf crash >/system/app/trouble")
    report = tmp_path / "report.json"
    done = host.mbl("bench", str(model), *SHORT, "--report", str(report))
    assert done.returncode == 1
    assert "the app stopped before 'end': Process crashed." in one_error(done.stderr)
    [run] = runs_of(report)
    assert run["complete"] is False
    assert len(run["samples"]["duration_us"]) == 5


def test_app_hangs(host: Host, with_app: Phone, model: Path, tmp_path: Path) -> None:
    """And is ended: the fixture finds no process of it."""
    with_app.sh("printf hang >/system/app/trouble")
    report = tmp_path / "report.json"
    done = host.mbl("bench", str(model), *SHORT, "--timeout", "8", "--report", str(report))
    assert done.returncode == 1
    assert "silent for 8 s" in one_error(done.stderr)
    [run] = runs_of(report)
    assert run["complete"] is False
    assert len(run["samples"]["duration_us"]) == 5


def endless(host: Host, phone: Phone, model: Path, report: Path) -> subprocess.Popen[str]:
    """`mbl bench` in the middle of its samples."""
    process = host.start(*host.mbl_command("bench", str(model), *ENDLESS, "--report", str(report)))

    def ready() -> bool:
        assert process.poll() is None, process.communicate()
        return "100000" in phone.sh("cat /system/app/calls 2>/dev/null")

    until(ready, "samples", 120)
    time.sleep(4)
    return process


def test_unplugged(host: Host, with_app: Phone, model: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    process = endless(host, with_app, model, report)
    with_app.kill()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert with_app.serial in one_error(said)
    [run] = runs_of(report)
    assert run["complete"] is False
    assert with_app.serial in run["reason"]
    assert len(run["samples"]["duration_us"]) >= 3
    # The phone itself ends the app and removes the folder.
    with_app.assert_empty()


def test_ended_by_the_user(host: Host, with_app: Phone, model: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    process = endless(host, with_app, model, report)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in one_error(said)
    [run] = runs_of(report)
    assert run["complete"] is False
    assert len(run["samples"]["duration_us"]) >= 3


@pytest.mark.parametrize(("words", "said"), [(("--cpus", "0-1"), "cannot be pinned to cores"),
                                             (("--no-xnnpack",), "with XNNPACK alone")])
def test_what_an_app_cannot_be_told(words: tuple[str, ...], said: str, host: Host, with_app: Phone,
                                    model: Path) -> None:
    done = host.mbl("bench", str(model), *SHORT, *words)
    assert done.returncode == 1
    assert said in one_error(done.stderr)
