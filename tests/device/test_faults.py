"""What can go wrong between a computer and a phone. Always: one clear line, partial samples kept and marked, nothing
left on the phone (the fixtures look), an exit status other than 0.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rig import Host, Phone, until

pytest_plugins = ["rig_fixtures"]
pytestmark = pytest.mark.device

ENDLESS = ("--runs", "100000", "--seconds", "0", "--warmup", "3")
LARGE = 150 << 20


class Running:
    """`mbl bench` in the middle of its run, some samples made."""

    def __init__(self, host: Host, program: Path, model: Path, report: Path, *words: str, samples: int = 6) -> None:
        self.report, self.calls = report, program.with_name("calls")
        self.process = host.start(*host.mbl_command(
            "bench", str(model), "--device", "pixel4", "--runner-binary", str(program), "--report", str(report),
            *ENDLESS, *words))
        if samples:
            until(self._ready(samples), "samples", 60)

    def _ready(self, samples: int) -> Callable[[], bool]:
        def ready() -> bool:
            assert self.process.poll() is None, self.process.communicate()
            return self.calls.exists() and self.calls.read_text().count("--num_runs=3") > samples
        return ready

    def end(self, timeout: float = 120) -> tuple[int, str]:
        """Exit status and stderr."""
        _, error = self.process.communicate(timeout=timeout)
        return self.process.returncode, error

    def assert_partial(self, reason: str) -> None:
        [run] = json.loads(self.report.read_bytes())["runs"]
        assert run["complete"] is False
        assert reason in run["reason"]
        assert len(run["samples"]["duration_us"]) >= 3


def one_error(text: str) -> str:
    [line] = [line for line in text.splitlines() if line.startswith("Error: ")]
    assert "Traceback" not in text
    return line


@pytest.fixture
def running(host: Host, pixel4: Phone, program: Path, model: Path, tmp_path: Path) -> Running:
    return Running(host, program, model, tmp_path / "report.json")


def test_daemon_killed_while_running(running: Running, pixel4: Phone) -> None:
    pixel4.kill()
    status, said = running.end()
    assert status == 1
    assert pixel4.serial in one_error(said)
    running.assert_partial(pixel4.serial)


def test_daemon_killed_while_a_file_is_sent(host: Host, pixel4: Phone, wrapper: Any, model: Path,
                                            tmp_path: Path) -> None:
    large = wrapper(padding=LARGE)
    running = Running(host, large, model, tmp_path / "report.json", samples=0)
    folder = Path(f"/proc/{pixel4.pid}/root{pixel4.root}/data/local/tmp")
    deadline = time.monotonic() + 30
    while not any(path.stat().st_size > 0 for path in folder.glob("mbl-*/benchmark_model")):
        assert time.monotonic() < deadline
    pixel4.kill()
    status, said = running.end()
    assert status == 1
    assert pixel4.serial in one_error(said)
    assert not running.report.exists()
    assert not running.calls.exists()


def test_server_killed_while_running(running: Running, host: Host, pixel4: Phone) -> None:
    os.kill(host.server(), signal.SIGKILL)
    status, said = running.end()
    assert status == 1
    assert pixel4.serial in one_error(said)
    running.assert_partial(pixel4.serial)


def test_cable_pulled_while_running(host: Host, pixel4: Phone, program: Path, model: Path, tmp_path: Path) -> None:
    """Silence: nothing on this machine notices, only the clock does."""
    running = Running(host, program, model, tmp_path / "report.json", "--timeout", "3")
    pixel4.cable("down")
    status, said = running.end()
    assert status == 1
    assert "silent for 3 s" in one_error(said)
    assert "may be left on" in said
    running.assert_partial("silent for 3 s")
    # TCP waits twice as long before each attempt: the phone may hear that the computer has gone only as late after the
    # cable is back as it was out.
    pixel4.cable("up")
    pixel4.assert_empty(120)


@pytest.mark.parametrize(("number", "status", "word"), [(signal.SIGINT, 130, "interrupted"),
                                                        (signal.SIGTERM, 143, "SIGTERM")])
def test_ended_by_the_user(running: Running, number: signal.Signals, status: int, word: str) -> None:
    running.process.send_signal(number)
    ended, said = running.end()
    assert ended == status
    assert word in one_error(said)
    running.assert_partial("interrupted")


def both(host: Host, program: Path, model: Path, report: Path, *words: str) -> subprocess.Popen[str]:
    """`mbl bench` on two phones, in the middle."""
    process = host.start(*host.mbl_command("bench", str(model), "--device", "any", "--runner-binary", str(program),
                                           "--report", str(report), "--seconds", "0", "--warmup", "3", *words))
    calls = program.with_name("calls")
    until(lambda: calls.exists() and calls.read_text().count("--num_runs=3") > 5, "samples", 60)
    return process


def test_one_of_two_phones_goes_away(host: Host, pixel4: Phone, pixel7: Phone, program: Path, model: Path,
                                     tmp_path: Path) -> None:
    """The other one's result is whole."""
    process = both(host, program, model, tmp_path / "report.json", "--runs", "24")
    pixel7.kill()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert pixel7.serial in one_error(said)
    runs = {run["device"]["profile"]: run for run in json.loads((tmp_path / "report.json").read_bytes())["runs"]}
    assert runs["pixel4"]["complete"] is True
    assert len(runs["pixel4"]["samples"]["duration_us"]) >= 24
    assert runs["pixel7"]["complete"] is False
    assert len(runs["pixel7"]["samples"]["duration_us"]) < 24


def test_two_phones_ended_by_the_user(host: Host, pixel4: Phone, pixel7: Phone, program: Path, model: Path,
                                      tmp_path: Path) -> None:
    process = both(host, program, model, tmp_path / "report.json", "--runs", "100000")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in one_error(said)
    runs = json.loads((tmp_path / "report.json").read_bytes())["runs"]
    assert sorted(run["device"]["profile"] for run in runs) == ["pixel4", "pixel7"]
    assert {(run["complete"], run["reason"]) for run in runs} == {(False, "interrupted")}


def test_killed_without_a_word(running: Running, pixel4: Phone) -> None:
    """Nobody is left to clean up; the phone does."""
    assert pixel4.left()
    running.process.kill()
    running.process.wait()
    pixel4.assert_empty()


def test_program_hangs(host: Host, pixel4: Phone, wrapper: Any, model: Path, tmp_path: Path) -> None:
    program = wrapper('[ -f hang ] && exec sleep 1000; case $* in *--num_runs=3*) [ $(wc -l <'
                      f'{tmp_path}/program/calls) -gt 6 ] && touch hang;; esac')
    running = Running(host, program, model, tmp_path / "report.json", "--timeout", "3", samples=0)
    status, said = running.end()
    assert status == 1
    assert "silent for 3 s" in one_error(said)
    running.assert_partial("silent for 3 s")
    assert "sleep 1000" not in pixel4.sh("ps -eo args=")


def test_full(host: Host, pixel4: Phone, wrapper: Any, model: Path, tmp_path: Path) -> None:
    pixel4.sh("fallocate -l 390m /data/filler")
    done = host.mbl("bench", str(model), "--device", "pixel4", "--runner-binary", str(wrapper(padding=32 << 20)))
    assert done.returncode == 1
    line = one_error(done.stderr)
    assert f"{pixel4.serial} is full" in line
    assert "takes 32 MB" in line


def test_unauthorized(host: Host, pixel4: Phone, model: Path, program: Path) -> None:
    """The daemon asks for a key that it does not know."""
    pixel4.kill()
    pixel4.boot(authentication=True)
    host.adb("disconnect", pixel4.serial)
    host.adb("connect", pixel4.serial)
    until(lambda: f"{pixel4.serial}\tunauthorized" in host.adb("devices"), "unauthorized")
    done = host.mbl("bench", str(model), "--device", "pixel4", "--runner-binary", str(program))
    assert done.returncode == 1
    line = one_error(done.stderr)
    assert f"unauthorized, serial {pixel4.serial}" in line
    done = host.mbl("bench", str(model), "--serial", pixel4.serial, "--runner-binary", str(program))
    assert done.returncode == 1
    assert "unlock the phone and allow this computer" in one_error(done.stderr)
    shown = host.mbl("devices", "--json")
    [row] = [row for row in json.loads(shown.stdout) if row["serial"] == pixel4.serial]
    assert (row["state"], row["usable"]) == ("unauthorized", False)
    assert "unlock the phone" in row["problem"]


def test_offline(host: Host, pixel4: Phone, model: Path, program: Path) -> None:
    """A phone that does not answer the handshake."""
    host.adb("disconnect", pixel4.serial)
    pixel4.kill("STOP")
    host.adb("connect", pixel4.serial)
    assert f"{pixel4.serial}\toffline" in host.adb("devices")
    done = host.mbl("bench", str(model), "--serial", pixel4.serial, "--runner-binary", str(program))
    assert done.returncode == 1
    line = one_error(done.stderr)
    assert f"{pixel4.serial}: offline" in line
    assert "plug it in again" in line


def test_two_of_one_kind(host: Host, pixel4: Phone, pixel7: Phone, model: Path, program: Path) -> None:
    pixel7.properties = pixel4.properties
    pixel7.say()
    done = host.mbl("bench", str(model), "--device", "pixel4", "--runner-binary", str(program))
    assert done.returncode == 1
    line = one_error(done.stderr)
    assert "more than one Pixel 4" in line
    assert "--serial" in line
    assert pixel4.serial in line
    assert pixel7.serial in line


def test_another_phone_than_asked_for(host: Host, pixel4: Phone, pixel7: Phone, model: Path, program: Path) -> None:
    done = host.mbl("bench", str(model), "--device", "pixel6", "--runner-binary", str(program))
    assert done.returncode == 1
    line = one_error(done.stderr)
    for part in ("no Pixel 6 is attached", "Pixel 4 (pixel4)", "Pixel 7 (pixel7)", pixel4.serial, "--device any"):
        assert part in line
    done = host.mbl("bench", str(model), "--device", "pixel4", "--serial", pixel7.serial)
    assert done.returncode == 1
    assert "is a Pixel 7 (pixel7), not pixel4" in one_error(done.stderr)


def test_no_phone(host: Host, pixel4: Phone, pixel7: Phone, model: Path) -> None:
    host.adb("disconnect", pixel4.serial)
    host.adb("disconnect", pixel7.serial)
    done = host.mbl("bench", str(model), "--device", "pixel4")
    assert done.returncode == 1
    line = one_error(done.stderr)
    assert "no Pixel 4 is attached" in line
    assert "USB debugging" in line


def test_a_model_that_the_phone_refuses(host: Host, pixel4: Phone, model: Path, program: Path, tmp_path: Path) -> None:
    """One whose operators are newer than the phone's runtime."""
    from mobilebert_lite.tflite import container as metadata
    from mobilebert_lite.tflite.flatbuffer import read_model, write_model

    content = model.read_bytes()
    future = read_model(content)
    for code in future.operatorCodes:
        code.version = 99
    wrong = tmp_path / "wrong.tflite"
    shutil.copy(model, wrong)
    wrong.write_bytes(metadata.append_files(write_model(future), metadata.read_files(content)))
    done = host.mbl("bench", str(wrong), "--device", "pixel4", "--runner-binary", str(program))
    assert done.returncode == 1
    line = one_error(done.stderr)
    assert "wrong.tflite" in line
    assert "version '99'" in line


def test_a_program_that_is_none(host: Host, pixel4: Phone, model: Path, tmp_path: Path) -> None:
    other = tmp_path / "benchmark_model"
    other.write_text("#!/bin/sh\necho hello\n")
    done = host.mbl("bench", str(model), "--device", "pixel4", "--runner-binary", str(other))
    assert done.returncode == 1
    assert "is no benchmark_model that runs on Pixel 4" in one_error(done.stderr)
    done = host.mbl("bench", str(model), "--device", "pixel4", "--runner-binary", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert "is no file" in one_error(done.stderr)


def test_names_that_would_be_commands(host: Host, pixel4: Phone, program: Path, model: Path, tmp_path: Path) -> None:
    """Serials, addresses and file names are data wherever they come."""
    trap = tmp_path / "trap"
    command = f"; touch {trap} #$(touch {trap})`touch {trap}`' \"\n&"
    named = tmp_path / f"a {command.replace('/', '_')}.tflite"
    shutil.copy(model, named)
    done = host.mbl("bench", str(named), "--device", "pixel4", "--runner-binary", str(program), "--runs", "3",
                    "--seconds", "0", "--warmup", "3")
    assert done.returncode == 0, done.stderr
    for words in (("--serial", command), ("--connect", f"10.77.1.2:5555{command}"), ("--adb-server", command)):
        done = host.mbl("bench", str(model), *words, "--runner-binary", str(program), "--device", "any")
        assert done.returncode == 1
        one_error(done.stderr)
    leftovers = [path.name for path in tmp_path.iterdir() if path.name.startswith("trap")]
    assert leftovers == []
    assert "trap" not in pixel4.sh("ls / /data/local/tmp")
