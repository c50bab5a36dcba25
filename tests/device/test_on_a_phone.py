"""`mbl bench` and `mbl devices` over the real adb and its daemon, from one end to the other."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import LENGTHS
from rig import Host, Phone

pytest_plugins = ["rig_fixtures"]
pytestmark = pytest.mark.device

SHORT = ("--runs", "6", "--seconds", "0", "--warmup", "3")


def bench(host: Host, program: Path, *words: str | Path) -> Any:
    return host.mbl("bench", "--runner-binary", str(program), *SHORT, *map(str, words))


def calls(program: Path) -> list[dict[str, str]]:
    """The options of every inference run that the phone made."""
    lines = program.with_name("calls").read_text().splitlines()
    return [dict(word.removeprefix("--").split("=", 1) for word in line.split()) for line in lines
            if "--graph=" in line]


def test_the_whole(host: Host, pixel4: Phone, program: Path, model: Path, tmp_path: Path) -> None:
    """Two lengths, two thread counts, a profile: one report, which says at every figure that the phone is none."""
    report = tmp_path / "report.json"
    done = bench(host, program, model, "--device", "pixel4", "--seq-len", ",".join(map(str, LENGTHS)), "--threads",
                 "1,2", "--profile", "--report", report)
    assert done.returncode == 0, done.stderr
    assert "Pixel 4 EMULATED" in done.stdout
    assert "Pixel 4 is emulated" in done.stderr
    found = json.loads(report.read_bytes())
    assert len(found["runs"]) == 4
    assert {(run["configuration"]["length"], run["configuration"]["threads"]) for run in found["runs"]} == {
        (length, threads) for length in LENGTHS for threads in (1, 2)}
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    for run in found["runs"]:
        device = run["device"]
        assert (device["profile"], device["title"], device["serial"]) == ("pixel4", "Pixel 4", pixel4.serial)
        assert device["emulated"] is True
        assert device["fingerprint"] == pixel4.properties["ro.build.fingerprint"]
        assert run["complete"] is True
        assert run["file"]["sha256"] == digest
        assert run["runtime"]["sha256"] == hashlib.sha256(program.read_bytes()).hexdigest()
        assert len(run["samples"]["duration_us"]) >= 6
        assert min(run["samples"]["duration_us"]) > 1
        assert np.all(np.diff(run["samples"]["offset_us"]) > 0)
        assert run["loading"]["first_us"] > np.median(run["samples"]["duration_us"])
        assert run["memory"]["peak_bytes"] > model.stat().st_size
        assert any("Fully Connected" in one["kind"] for one in run["operators"])
        state = run["environment"][0]
        assert (state["temperature_c"], state["thermal_status"], state["battery_percent"]) == (27.5, 0, 85.0)
        assert (state["charging"], state["screen_on"], state["airplane_mode"]) == (True, False, True)
    # What was asked of the program is what the report says was run.
    asked = calls(program)
    assert {(one["signature_to_run_for"], one["num_threads"]) for one in asked} == {
        (f"qa_{length}", str(threads)) for length in LENGTHS for threads in (1, 2)}
    assert {one["input_layer_shape"] for one in asked} == {":".join([f"1,{length}"] * 3) for length in LENGTHS}
    assert {one["use_xnnpack"] for one in asked} == {"true"}


def test_the_texts_arrive(host: Host, pixel4: Phone, wrapper: Any, model: Path, tmp_path: Path) -> None:
    """The phone reads the very ids that the host would."""
    from mobilebert_lite.benchmarks.measuring.texts import inputs_of, read_texts
    from mobilebert_lite.benchmarks.subject import read_subject

    program = wrapper(f"[ -f 0.0 ] && cp -r . {tmp_path}/phone")
    done = bench(host, program, model, "--device", "pixel4", "--runs", "9")
    assert done.returncode == 0, done.stderr
    subject = read_subject(model)
    inputs = inputs_of(subject.task, subject.tokenizer, read_texts(None, subject.task), subject.entries, max(LENGTHS))
    for i, one in enumerate(inputs):
        for j, name in enumerate(("ids", "mask", "segment_ids")):
            sent = np.frombuffer((tmp_path / "phone" / f"{i}.{j}").read_bytes(), "<i4")
            np.testing.assert_array_equal(sent, one.arrays[name].ravel())
    # The texts take turns.
    assert len({one["input_layer_value_files"] for one in calls(program)}) > 2


def test_two_files_in_turn(host: Host, pixel4: Phone, program: Path, model: Path, converted: Any) -> None:
    done = bench(host, program, model, converted("qa", "none"), "--device", "pixel4", "--csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["model"] for row in rows] == [model.name, "qa-none.tflite"]
    assert {row["emulated"] for row in rows} == {"True"}
    assert float(rows[1]["ratio"]) > 0


def test_a_tool_that_takes_no_texts(host: Host, pixel4: Phone, wrapper: Any, model: Path) -> None:
    """LiteRT's own draws random numbers: the file that it gets computes on a text all the same. As it is, it fails."""
    program = wrapper("export RIG_RANDOM=1")
    done = bench(host, program, model, "--device", "pixel4")
    assert done.returncode == 0, done.stderr
    assert not any("input_layer" in one for one in calls(program))


def test_two_phones_side_by_side(host: Host, pixel4: Phone, pixel7: Phone, program: Path, model: Path,
                                 tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = bench(host, program, model, "--device", "any", "--report", report)
    assert done.returncode == 0, done.stderr
    runs = json.loads(report.read_bytes())["runs"]
    assert sorted(run["device"]["profile"] for run in runs) == ["pixel4", "pixel7"]
    # At the same time: each began before the other ended.
    spans = [(run["environment"][0]["offset_us"], run["environment"][-1]["offset_us"]) for run in runs]
    assert max(start for start, _ in spans) < min(stop for _, stop in spans)
    assert len({run["group"] for run in runs}) == 2


def test_by_serial(host: Host, pixel4: Phone, pixel7: Phone, program: Path, model: Path) -> None:
    done = bench(host, program, model, "--serial", pixel7.serial)
    assert done.returncode == 0, done.stderr
    assert "Pixel 7 EMULATED" in done.stdout


def test_devices(host: Host, pixel4: Phone, pixel7: Phone) -> None:
    pixel7.say(temperature=431, level=12, thermal=2, awake=True)
    done = host.mbl("devices", "--json")
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)
    assert (first["profile"], first["phone"], first["Android"]) == ("pixel4", "Pixel 4", "Android 13")
    assert (first["battery"], first["temperature"], first["thermal"], first["charging"]) == (85.0, 27.5, "none", True)
    assert first["emulated"] is True
    assert (second["serial"], second["battery"], second["temperature"]) == (pixel7.serial, 12.0, 43.1)
    said = " ".join(second["objections"])
    for part in ("thermal status moderate", "43 °C", "12 %", "screen is on"):
        assert part in said
    shown = host.mbl("devices").stdout
    assert "Pixel 7 EMULATED" in shown
    assert "43.1 °C" in shown


def test_over_the_network_and_another_server(host: Host, pixel4: Phone, pixel7: Phone) -> None:
    """--connect attaches a phone; --adb-server asks a server by its address."""
    host.adb("disconnect", pixel4.serial)
    host.adb("disconnect", pixel7.serial)
    assert json.loads(host.mbl("devices", "--json").stdout) == []
    done = host.mbl("devices", "--connect", pixel4.serial, "--json")
    assert [row["profile"] for row in json.loads(done.stdout)] == ["pixel4"]
    done = host.mbl("devices", "--adb-server", "127.0.0.1:5037", "--json")
    assert [(row["profile"], row["server"]) for row in json.loads(done.stdout)] == [("pixel4", "127.0.0.1:5037")]
    done = host.mbl("devices", "--connect", "10.77.1.2:5556")
    assert done.returncode == 1
    assert "cannot connect to 10.77.1.2:5556" in done.stderr
    done = host.mbl("devices", "--adb-server", "127.0.0.1:5999")
    assert done.returncode == 1
    assert "no adb server at 127.0.0.1:5999" in done.stderr


def test_a_farm_of_servers(host: Host, pixel4: Phone, pixel7: Phone, program: Path, model: Path,
                           tmp_path: Path) -> None:
    """A phone on this machine's server, one on a server at another port: one report."""
    host.adb("disconnect", pixel7.serial)
    report = tmp_path / "report.json"
    try:
        host.adb("-P", "5038", "connect", pixel7.serial)
        done = host.mbl("devices", "-P", "5038", "--json")
        assert [(row["profile"], row["server"]) for row in json.loads(done.stdout)] == [("pixel7", "localhost:5038")]
        done = bench(host, program, model, "--device", "any", "-H", "127.0.0.1", "-H", "127.0.0.1:5038", "--report",
                     report)
    finally:
        host.adb("-P", "5038", "kill-server")
    assert done.returncode == 0, done.stderr
    assert sorted(run["device"]["serial"] for run in json.loads(report.read_bytes())["runs"]) == [
        pixel4.serial, pixel7.serial]


def test_energy(host: Host, pixel4: Phone, program: Path, model: Path) -> None:
    """A battery of 4 V that loses 1000 µAh a second, which is 3.6 A: 14.4 W."""
    began = time.monotonic()
    drained = threading.Event()

    def drain() -> None:
        while not drained.wait(0.2):
            pixel4.say(plugged=False, charge=2345000 - round(1000 * (time.monotonic() - began)))

    thread = threading.Thread(target=drain)
    thread.start()
    try:
        done = bench(host, program, model, "--device", "pixel4", "--seconds", "8", "--csv")
    finally:
        drained.set()
        thread.join()
    assert done.returncode == 0, done.stderr
    [row] = csv.DictReader(io.StringIO(done.stdout))
    assert float(row["power_w"]) == pytest.approx(14.4, rel=0.25)
    assert float(row["energy_mj"]) == pytest.approx(float(row["power_w"]) * float(row["mean_ms"]), rel=0.01)


def test_a_name_does_not_steer_the_terminal(host: Host, pixel4: Phone) -> None:
    pixel4.properties = {**pixel4.properties, "ro.product.model": "\x1b[31mred", "ro.product.device": "none"}
    pixel4.say()
    shown = host.mbl("devices").stdout
    assert "red" in shown
    assert "\x1b" not in shown


def test_a_hot_phone(host: Host, pixel4: Phone, program: Path, model: Path) -> None:
    """A warning says what to do; --strict refuses."""
    pixel4.say(temperature=455, thermal=3)
    done = bench(host, program, model, "--device", "pixel4", "--strict")
    assert done.returncode == 1
    assert "thermal status severe" in done.stderr
    assert "cool down" in done.stderr
    done = bench(host, program, model, "--device", "pixel4")
    assert done.returncode == 0
    assert "thermal status severe" in done.stderr


def test_a_phone_that_is_none_by_its_processor(host: Host, pixel4: Phone, program: Path, model: Path) -> None:
    """A Pixel 4 has an ARM processor; where the kernel says otherwise, no property is needed to see it."""
    import os

    if os.uname().machine.startswith(("arm", "aarch64")):
        pytest.skip("this machine has the processor of a phone")
    pixel4.properties = {name: value for name, value in pixel4.properties.items() if "qemu" not in name}
    pixel4.say()
    [row, *_] = json.loads(host.mbl("devices", "--json").stdout)
    assert (row["profile"], row["emulated"]) == ("pixel4", True)
