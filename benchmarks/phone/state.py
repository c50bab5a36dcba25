"""What a phone is and how it is: properties, battery, temperatures, thermal status, frequencies, screen, load."""

from __future__ import annotations

import re
import time
from dataclasses import replace

from mobilebert_lite.benchmarks.phone.adb import ANSWER, Phone
from mobilebert_lite.benchmarks.phone.profiles import profile_of, profiles
from mobilebert_lite.benchmarks.reports.result import Device, Snapshot
from mobilebert_lite.benchmarks.reports.wording import BUSY

# Above these a phone slows down soon, or does already.
HOT_C, LIGHT = 40.0, 1
# Above, of all cores' time, something else is at work.
_BUSY = 0.25
# Below, Android saves power.
LOW_PERCENT = 20.0

THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")

_PROPERTIES = ("ro.product.model", "ro.product.device", "ro.build.fingerprint", "ro.build.version.release",
               "ro.soc.model", "ro.board.platform", "ro.product.cpu.abi", "ro.boot.qemu", "ro.kernel.qemu")
# A line "@name" before what each command prints; a command that a phone lacks leaves its section empty.
_IDENTITY = "\n".join([*(f"echo @{name}; getprop {name}" for name in _PROPERTIES),
                       "echo @machine; uname -m", "echo @cores; cat /sys/devices/system/cpu/possible",
                       "echo @memory; cat /proc/meminfo", "echo @cpu; cat /proc/cpuinfo"])
_STATE = """echo @battery; dumpsys battery
echo @thermal; dumpsys thermalservice
echo @power; dumpsys power | grep -m 1 mWakefulness=
echo @airplane; settings get global airplane_mode_on
echo @current; cat /sys/class/power_supply/battery/current_now
echo @load; cat /proc/loadavg
echo @frequency; for f in /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq; do echo $f $(cat $f); done"""

# A value that a phone tells of itself is a word or a line; what is longer is cut, and longer numbers are none.
_LONGEST_VALUE, _LONGEST_LINE, _MOST_DIGITS = 120, 1000, 15
# More than any machine has.
_MOST_CORES = 1024
# What that may take; the end of a run waits for it.
_STATE_S = 10.0

# Machine as the kernel says -> ABI that it runs.
_MACHINES = {"aarch64": "arm64-v8a", "armv8l": "armeabi-v7a", "armv7l": "armeabi-v7a", "i686": "x86"}
_INSTRUCTIONS = ("asimdhp", "asimddp", "i8mm", "sve", "bf16", "avx2", "avx512_vnni", "amx_int8")



def identify(phone: Phone, timeout: float = ANSWER) -> Device:
    """What the phone says that it is. ``emulated`` when it says so, and when its processor is not of the kind that a
    phone of that name has. Raises AdbError."""
    said = _sections(phone.shell(f"({_IDENTITY}) 2>/dev/null || true", timeout))
    said |= {name: said[name].partition("\n")[0][:_LONGEST_VALUE] for name in (*_PROPERTIES, "machine", "cores")}
    model, codename = said["ro.product.model"], said["ro.product.device"]
    profile = profile_of(model, codename)
    machine = _MACHINES.get(said["machine"], said["machine"])
    emulated = (profile.emulated or "1" in (said["ro.boot.qemu"], said["ro.kernel.qemu"])
                or (profile.abi.startswith("arm") and not machine.startswith("arm")))
    memory = re.search(rf"MemTotal:\s+(\d{{1,{_MOST_DIGITS}}}) kB", said["memory"])
    return Device(profile.name, profile.title if profile.codename else model or "unknown phone", model, codename,
                  said["ro.build.fingerprint"], f"Android {said['ro.build.version.release']}".strip(),
                  (profile.soc if profile.codename else "") or said["ro.soc.model"] or said["ro.board.platform"],
                  machine if emulated else said["ro.product.cpu.abi"] or machine,
                  tuple(name for name in _INSTRUCTIONS if re.search(rf"\b{name}\b", said["cpu"])),
                  _count(said["cores"]), int(memory[1]) * 1024 if memory else 0, phone.serial, emulated)


def snapshot(phone: Phone) -> Snapshot:
    """How the phone is now; ``offset_us`` is ``1e6 * time.monotonic()``. Raises AdbError."""
    now = 1e6 * time.monotonic()
    return replace(read_state(phone.shell(f"({_STATE}) 2>/dev/null || true", _STATE_S)), offset_us=now)


def read_state(text: str) -> Snapshot:
    """What the commands above printed."""
    said = _sections(text)
    battery = {name.strip(): value.strip() for line in said["battery"].split("\n")
               for name, _, value in [line.partition(": ")]}
    temperature, scale = _number(battery.get("temperature")), _number(battery.get("scale")) or 100.0
    level, status = _number(battery.get("level")), _number(_first(r"Thermal Status: (\d+)", said["thermal"]))
    powered = [value == "true" for name, value in battery.items() if name.endswith("powered")]
    awake = _first(r"mWakefulness=(\w+)", said["power"])
    return Snapshot(
        0.0, None if temperature is None else temperature / 10, None if status is None else int(status),
        {str(cpu): khz for cpu, khz in _clocks(said["frequency"]).items()},
        None if level is None else 100 * level / scale,
        any(powered) if powered else None, _number(battery.get("Charge counter")), _number(battery.get("voltage")),
        _number(said["current"]), None if awake is None else awake == "Awake",
        {"1": True, "0": False}.get(said["airplane"]), _number(said["load"].split(" ")[0]))


def busy_share(phone: Phone) -> float | None:
    """Share of all cores' time that something uses during the next second, 0 to 1; None where the phone does not tell.

    The load average is of the last minute, with whatever was measured then. Raises AdbError.
    """
    said = phone.shell("(head -n 1 /proc/stat; sleep 1; head -n 1 /proc/stat) 2>/dev/null || true")
    counts = [[int(one) for one in line.split()[1:9]] for line in said.split("\n")
              if re.fullmatch(rf"cpu +(?:\d{{1,{_MOST_DIGITS}}} )+\d{{1,{_MOST_DIGITS}}}", line.strip())]
    if len(counts) != 2 or len(counts[0]) < 5:
        return None
    passed = [after - before for before, after in zip(*counts, strict=False)]
    total, idle = sum(passed), passed[3] + passed[4]
    return max(0.0, (total - idle) / total) if total > 0 else None


def objections(state: Snapshot, cores: int, busy: float | None = None) -> list[str]:
    """What speaks against measuring now, one sentence each with what to do about it. ``busy`` is what other programs
    take, as ``busy_share`` finds; without it the load of the last minute stands for that."""
    found = []
    if (state.thermal_status or 0) >= LIGHT:
        status = THERMAL[min(state.thermal_status or 0, len(THERMAL) - 1)]
        found.append(f"the phone throttles itself (thermal status {status}); let it cool down for some minutes")
    if state.temperature_c is not None and state.temperature_c >= HOT_C:
        found.append(f"the battery is at {state.temperature_c:.0f} °C (phones slow down from {HOT_C:.0f} °C); let it "
                     "cool, out of its case")
    if state.battery_percent is not None and state.battery_percent < LOW_PERCENT:
        found.append(f"the battery is at {state.battery_percent:.0f} % (Android saves power below "
                     f"{LOW_PERCENT:.0f} %); charge it")
    if busy is not None and busy > _BUSY:
        found.append(f"{BUSY}: something else takes {100 * busy:.0f} % of the phone's cores; close the apps, and wait "
                     "for updates to end")
    if busy is None and state.load is not None and cores and state.load > cores / 2:
        found.append(f"{BUSY}: something else works on the phone (load {state.load:.1f} on {cores} cores); close the "
                     "apps, and wait for updates to end")
    if state.screen_on:
        found.append("the screen is on, which costs power and lets other apps run; switch it off")
    if state.screen_on is False and state.charging is False:
        found.append("the phone is unplugged with its screen off, so Android may let it sleep in the middle; plug it "
                     "in")
    return found


def big_cpus(phone: Phone, device: Device) -> tuple[int, ...]:
    """The cores that an app runs on when it works hard: those of the profile, or all faster than the slowest; empty
    where the phone has no such ones. Raises AdbError."""
    known = profiles()[device.profile].big_cpus or _fastest(phone)
    return known if max(known, default=0) < device.cores else ()


def _fastest(phone: Phone) -> tuple[int, ...]:
    """Cores of the upper clusters; none where all have one clock."""
    said = phone.shell("(for f in /sys/devices/system/cpu/cpu[0-9]*/cpufreq/cpuinfo_max_freq; do echo $f $(cat $f); "
                       "done) 2>/dev/null || true")
    clocks = _clocks(said)
    slowest = min(clocks.values(), default=0)
    return tuple(sorted(cpu for cpu, khz in clocks.items() if khz > slowest))


def _clocks(text: str) -> dict[int, int]:
    """Core -> kHz, of lines such as ``/sys/devices/system/cpu/cpu4/cpufreq/scaling_cur_freq 2419200``."""
    found = re.findall(rf"/cpu(\d{{1,4}})/cpufreq/\w+ (\d{{1,{_MOST_DIGITS}}})\s*$", text, re.MULTILINE)
    return {int(cpu): int(khz) for cpu, khz in found if int(cpu) < _MOST_CORES}


def _sections(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    text = "\n".join(line[:_LONGEST_LINE] for line in text.split("\n"))
    for part in f"\n{text}".split("\n@")[1:]:
        name, _, rest = part.partition("\n")
        found[name.strip()] = rest.strip()
    return _Missing(found)


class _Missing(dict[str, str]):
    """Sections of phones that broke off are empty."""

    def __missing__(self, name: str) -> str:
        return ""


def _number(text: str | None) -> float | None:
    known = text and re.fullmatch(rf"-?\d{{1,{_MOST_DIGITS}}}(\.\d{{1,{_MOST_DIGITS}}})?", text.strip())
    return float(text) if text and known else None


def _first(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text)
    return match[1] if match else None


def _count(possible: str) -> int:
    """How many processors ``0-7`` or ``0-3,6`` are."""
    spans = [part.split("-") for part in possible.split(",") if re.fullmatch(r"\d{1,4}(-\d{1,4})?", part)]
    count = sum(int(span[-1]) - int(span[0]) + 1 for span in spans)
    return count if 0 <= count <= _MOST_CORES else 0
