"""What adb and phones say, understood; and which phone is meant. The commands themselves: tests/device."""

from __future__ import annotations

from pathlib import Path

import pytest

from mobilebert_lite.benchmarks.phone import adb
from mobilebert_lite.benchmarks.phone import state as phone_state
from mobilebert_lite.benchmarks.phone.adb import AdbError, Attached, Server
from mobilebert_lite.benchmarks.phone.phones import FoundPhone, choose, parse_servers
from mobilebert_lite.benchmarks.reports.result import Device, Snapshot
from mobilebert_lite.cli.options import adb_servers
from mobilebert_lite.errors import DataError, DependencyError

# The layout of Android's own services: BatteryService, ThermalManagerService, PowerManagerService.
STATE = """@battery
Current Battery Service state:
  AC powered: false
  USB powered: false
  Wireless powered: false
  Max charging current: 0
  status: 3
  level: 40
  scale: 50
  voltage: 3871
  temperature: 312
  Charge counter: 1873000
@thermal
IsStatusOverride: false
Thermal Status: 2
@power
  mWakefulness=Dozing
@airplane
0
@current
-412345
@load
1.25 0.80 0.70 2/812 12345
@frequency
/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq 1785600
/sys/devices/system/cpu/cpu4/cpufreq/scaling_cur_freq 2419200
"""


def test_state() -> None:
    assert phone_state.read_state(STATE) == Snapshot(
        0.0, 31.2, 2, {"0": 1785600, "4": 2419200}, 80.0, False, 1873000.0, 3871.0, -412345.0, False, False, 1.25)


def test_state_of_a_phone_that_tells_nothing() -> None:
    found = phone_state.read_state("@battery\n@thermal\n@power\n@airplane\nnull\n@current\n@load\n@frequency\n")
    assert found == Snapshot(0.0)
    assert phone_state.objections(found, 8) == []


@pytest.mark.parametrize(("state", "said"), [
    (Snapshot(0, thermal_status=1), "thermal status light"), (Snapshot(0, temperature_c=40.0), "40 °C"),
    (Snapshot(0, battery_percent=19.0), "19 %"), (Snapshot(0, load=4.1), "load 4.1"),
    (Snapshot(0, screen_on=True), "screen is on"), (Snapshot(0, screen_on=False, charging=False), "let it sleep")])
def test_objections(state: Snapshot, said: str) -> None:
    [one] = phone_state.objections(state, 8)
    assert said in one


def test_the_load_of_the_benchmark_itself_is_no_objection() -> None:
    """What runs now counts, not the last minute's average."""
    state = Snapshot(0, load=40.0)
    assert phone_state.objections(state, 8, busy=0.1) == []
    [said] = phone_state.objections(state, 8, busy=0.5)
    assert said.startswith("busy: ")
    assert "50 %" in said


@pytest.mark.parametrize(("stat", "share"), [
    ("cpu  100 0 50 800 50 0 0 0 0 0\ncpu  150 0 75 865 60 0 0 0 0 0", 0.5), ("", None), ("cpu  1\ncpu  2", None),
    ("cpu  1 2 3 4 5 6 7 8 9 10\ncpu  1 2 3 4 5 6 7 8 9 10", None), ("cpu  1 2 3 x 5\ncpu  1 2 3 4 5", None),
    (f"cpu  {'9' * 5000} 1 1 1 1\ncpu  1 1 1 1 1", None)])
def test_busy_share(stat: str, share: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adb.Phone, "shell", lambda *_: stat)
    assert phone_state.busy_share(adb.Phone(adb.Adb(executable="adb"), "x")) == share


def test_no_objections() -> None:
    state = Snapshot(0, 39.9, 0, battery_percent=20.0, screen_on=False, load=4.0)
    assert phone_state.objections(state, 8) == []


@pytest.mark.parametrize(("line", "expected"), [
    ("99071FFAZ00FAK         device usb:1-1 product:flame model:Pixel_4 device:flame transport_id:1",
     Attached("99071FFAZ00FAK", "device", "Pixel_4")),
    ("192.168.1.7:5555       offline transport_id:3", Attached("192.168.1.7:5555", "offline")),
    ("0A1B2C                 unauthorized usb:3-2 transport_id:9", Attached("0A1B2C", "unauthorized")),
    ("????????????           no permissions (user in plugdev group; are your udev rules wrong?); see [address] usb:1-2",
     Attached("????????????", "no permissions")),
    ("adb-0A1B2C-x._adb-tls-connect._tcp device product:panther model:Pixel_7 device:panther transport_id:2",
     Attached("adb-0A1B2C-x._adb-tls-connect._tcp", "device", "Pixel_7")),
    ("List of devices attached", None), ("* daemon started successfully", None), ("", None)])
def test_lines_of_adb(line: str, expected: Attached | None) -> None:
    assert adb._attached(line) == expected


@pytest.mark.parametrize("state", sorted(adb.ADVICE))
def test_every_state_has_advice(state: str) -> None:
    assert Attached("x", state).advice == adb.ADVICE[state]
    assert not Attached("x", state).usable


def test_servers() -> None:
    assert parse_servers([]) == [Server()]
    assert parse_servers(["farm", "10.0.0.2:5038"]) == [Server("farm"), Server("10.0.0.2", 5038)]
    assert Server("10.0.0.2", 5038).arguments == ["-H", "10.0.0.2", "-P", "5038"]
    assert parse_servers([":5038"]) == [Server(None, 5038)]
    assert Server(None, 5038).arguments == ["-P", "5038"]
    for wrong in ("", ":", "farm:x", "farm:70000"):
        with pytest.raises(DataError, match="HOST"):
            parse_servers([wrong])


def test_a_port_for_all_servers() -> None:
    assert adb_servers(("farm", "other:5039"), 5038) == ("farm:5038", "other:5039")
    assert adb_servers((), 5038) == (":5038",)
    assert adb_servers(("farm",), None) == ("farm",)


def test_no_adb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not in PATH: the SDK's; without one, what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("ANDROID_SDK_ROOT", raising=False)
    monkeypatch.setenv("ANDROID_HOME", str(tmp_path))
    with pytest.raises(DependencyError, match="apt install adb"):
        adb.find_adb()
    client = tmp_path / "platform-tools" / "adb"
    client.parent.mkdir()
    client.touch(mode=0o755)
    assert adb.find_adb() == str(client)


def found(serial: str, profile: str | None, title: str = "", state: str = "device") -> FoundPhone:
    device = None if profile is None else Device(profile, title, serial=serial)
    return FoundPhone(Server(), Attached(serial, state), device, "" if device else f"{state}; do something")


FOUR, SEVEN = found("A", "pixel4", "Pixel 4"), found("B", "pixel7", "Pixel 7")
OFFLINE = found("C", None, state="offline")


def test_choice() -> None:
    assert choose([FOUR, SEVEN, OFFLINE], "pixel4") == [FOUR]
    assert choose([FOUR, SEVEN, OFFLINE], "Pixel 7") == [SEVEN]
    assert choose([FOUR, SEVEN, OFFLINE], "any") == [FOUR, SEVEN]
    assert choose([FOUR, SEVEN], "any", ["B", "A", "B"]) == [SEVEN, FOUR]


@pytest.mark.parametrize(("phones", "device", "serials", "parts"), [
    ([], "pixel4", [], ["no Pixel 4 is attached", "no other phone", "--connect"]),
    ([], "any", [], ["no phone is attached; plug one in"]),
    ([SEVEN], "pixel4", [], ["no Pixel 4", "Pixel 7 (pixel7), serial B", "--device pixel7"]),
    ([OFFLINE], "any", [], ["offline, serial C", "do something"]),
    ([FOUR, found("D", "pixel4", "Pixel 4")], "pixel4", [],
     ["more than one Pixel 4", "serial A", "serial D", "--serial"]),
    ([FOUR], "any", ["Z"], ["no serial Z", "serial A"]),
    ([OFFLINE], "any", ["C"], ["C: offline; do something"]),
    ([FOUR, SEVEN], "pixel4", ["B"], ["B is a Pixel 7 (pixel7), not pixel4"])])
def test_what_cannot_be_chosen(phones: list[FoundPhone], device: str, serials: list[str], parts: list[str]) -> None:
    with pytest.raises(AdbError) as caught:
        choose(phones, device, serials)
    for part in parts:
        assert part in str(caught.value)


def test_unknown_name() -> None:
    with pytest.raises(DataError, match="unknown device 'pixel99'"):
        choose([FOUR], "pixel99")
