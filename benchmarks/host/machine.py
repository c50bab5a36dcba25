"""This machine: what it is, and how it is at the moment. Linux tells most of it; elsewhere fields stay empty."""

from __future__ import annotations

import os
import platform
import time
from contextlib import suppress
from pathlib import Path

from mobilebert_lite.benchmarks.reports.result import Device, Snapshot

_CPU, _THERMAL = Path("/sys/devices/system/cpu"), Path("/sys/class/thermal")
_POWER = Path("/sys/class/power_supply")
# Instructions that decide the speed of int8 and float16.
_FEATURES = frozenset({"avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "asimdhp", "i8mm", "sve"})


def describe() -> Device:
    """This machine as a device."""
    facts = _cpuinfo()
    features = facts.get("flags", facts.get("Features", "")).split()
    title = facts.get("model name") or facts.get("Hardware") or platform.processor() or platform.machine()
    return Device("host", title, fingerprint=platform.version(),
                  system=f"{platform.system()} {platform.release()}", soc=title, abi=platform.machine(),
                  features=tuple(sorted(_FEATURES & set(features))), cores=len(available_cpus()),
                  memory_bytes=_memory(), emulated=_emulated(facts))


def available_cpus() -> tuple[int, ...]:
    """Processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def big_cpus() -> tuple[int, ...]:
    """Those of the available ones that the kernel calls fastest, where they differ; otherwise none."""
    speeds: dict[int, int] = {}
    for cpu in available_cpus():
        for file in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
            if (value := _number(_CPU / f"cpu{cpu}" / file)) is not None:
                speeds[cpu] = value
                break
    # Cores of one kind differ by some percent in their highest clock; little ones are half as fast or less.
    fast = [cpu for cpu, speed in speeds.items() if speed > 0.7 * max(speeds.values())]
    return tuple(fast) if len(fast) < len(speeds) else ()


def snapshot() -> Snapshot:
    """The machine now; ``offset_us`` is ``1e6 * time.monotonic()``."""
    zones = [value for path in _THERMAL.glob("thermal_zone*/temp") if (value := _number(path)) is not None]
    clocks = {str(cpu): value for cpu in available_cpus()
              if (value := _number(_CPU / f"cpu{cpu}/cpufreq/scaling_cur_freq")) is not None}
    battery = next((path for path in sorted(_POWER.glob("*")) if _text(path / "type") == "Battery"), None)
    percent = None if battery is None else _number(battery / "capacity")
    return Snapshot(
        1e6 * time.monotonic(), max(zones) / 1000 if zones else None, frequency_khz=clocks or _clocks(),
        battery_percent=None if percent is None else float(percent),
        charging=None if battery is None else _text(battery / "status") in ("Charging", "Full", "Not charging"),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None)


def busy_share(seconds: float = 0.2) -> float | None:
    """Share of all processors' time that something used during the next ``seconds``, 0 to 1."""
    def read() -> tuple[int, int]:
        numbers = [int(one) for one in (_text(Path("/proc/stat")) or "").splitlines()[0].split()[1:9]]
        return sum(numbers) - numbers[3] - numbers[4], sum(numbers)

    try:
        before = read()
        time.sleep(seconds)
        after = read()
    except (IndexError, ValueError):
        return None
    total = after[1] - before[1]
    return (after[0] - before[0]) / total if total else None


def _cpuinfo() -> dict[str, str]:
    return _fields((_text(Path("/proc/cpuinfo")) or "").split("\n\n")[0])


def _fields(block: str) -> dict[str, str]:
    lines = [line.split(":", 1) for line in block.splitlines() if ":" in line]
    return {key.strip(): value.strip() for key, value in lines}


def _clocks() -> dict[str, int]:
    """From /proc/cpuinfo, where there is no cpufreq (virtual machines)."""
    found: dict[str, int] = {}
    for block in (_text(Path("/proc/cpuinfo")) or "").split("\n\n"):
        row = _fields(block)
        with suppress(KeyError, ValueError):
            found[row["processor"]] = int(1000 * float(row["cpu MHz"]))
    return found


def _emulated(facts: dict[str, str]) -> bool:
    """qemu-user passes on the host's /proc/cpuinfo, which then is of another kind of processor."""
    return platform.machine() in ("aarch64", "arm64") and "flags" in facts


def _memory() -> int:
    with suppress(ValueError, OSError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 0


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text and text.lstrip("-").isdecimal() else None
