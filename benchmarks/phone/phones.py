"""Which phone: by what it is (``pixel4``), by its serial, or whichever is attached."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mobilebert_lite.benchmarks.phone import state as phone_state
from mobilebert_lite.benchmarks.phone.adb import ANSWER, Adb, AdbError, Attached, Phone, Server
from mobilebert_lite.benchmarks.phone.profiles import find_profile
from mobilebert_lite.benchmarks.reports.result import Device, Snapshot
from mobilebert_lite.errors import DataError

HOST, ANY = "host", "any"
# For all phones to tell what they are; one that hangs takes ANSWER of it.
_LOOKING_S = 90.0


@dataclass(frozen=True)
class FoundPhone:
    """A phone on a server, and what it is where it answers."""

    server: Server
    attached: Attached
    device: Device | None
    # Why there is no ``device``.
    problem: str = ""

    @property
    def label(self) -> str:
        """``Pixel 4 (pixel4), serial 99071FFAZ``."""
        what = f"{self.device.title} ({self.device.profile})" if self.device else self.attached.state
        return f"{what}, serial {self.attached.serial}" + (f" at {self.server}" if self.server.arguments else "")


def find(servers: Sequence[Server] = (Server(),), connect: Sequence[str] = ()) -> list[FoundPhone]:
    """Every phone on the ``servers``, with ``connect`` (host:port) attached to the first of them before.

    Raises AdbError when a server or an address cannot be reached.
    """
    found, until = [], time.monotonic() + _LOOKING_S
    for i, server in enumerate(servers):
        adb = Adb(server)
        adb.attached()
        for address in connect if i == 0 else ():
            adb.connect(address)
        found += [_look(adb, one, until) for one in adb.attached()]
    return found


def choose(found: Sequence[FoundPhone], device: str, serials: Sequence[str] = ()) -> list[FoundPhone]:
    """The phones to measure on, all different: those with ``serials``, the one that is a ``device`` (name of a
    profile), or all that can be used (any).

    Raises DataError for an unknown name, AdbError naming what is attached when none fits, or more than one does.
    """
    profile = None if device == ANY else find_profile(device).name
    if serials:
        return [_only([one for one in found if one.attached.serial == serial], found, f"serial {serial}", profile)
                for serial in dict.fromkeys(serials)]
    usable = [one for one in found if one.device is not None]
    if profile is None and usable:
        return usable
    fitting = [one for one in usable if one.device is not None and one.device.profile == profile]
    return [_only(fitting, found, "phone" if profile is None else find_profile(device).title, profile)]


def attached_phones(device: str, serials: Sequence[str], servers: Sequence[str], connect: Sequence[str]
                    ) -> list[Phone]:
    """The phones asked for. Raises DataError, AdbError, as ``choose``."""
    chosen = choose(find(parse_servers(servers), connect), ANY if device == HOST else device, serials)
    return [Phone(Adb(one.server), one.attached.serial) for one in chosen]


def parse_servers(servers: Sequence[str]) -> list[Server]:
    """``host:port`` or ``host`` of each, or ``:port`` of this machine's; without any, this machine's server. Raises
    DataError."""
    found = []
    for one in servers:
        host, _, port = one.partition(":")
        if not (host or port) or (port and not (port.isdecimal() and 0 < int(port) < 1 << 16)):
            raise DataError(f"adb server {one!r}: give HOST or HOST:PORT")
        found.append(Server(host or None, int(port) if port else None))
    return found or [Server()]


def _only(fitting: Sequence[FoundPhone], found: Sequence[FoundPhone], wanted: str, profile: str | None) -> FoundPhone:
    usable = [one for one in fitting if one.device is not None]
    if len(usable) > 1:
        raise AdbError(f"more than one {wanted} is attached: {_list(usable)}; choose with --serial")
    if not usable:
        if fitting:
            raise AdbError(f"{fitting[0].attached.serial}: {fitting[0].problem}")
        raise AdbError(_none(found, wanted))
    [one] = usable
    if profile is not None and one.device is not None and one.device.profile != profile:
        raise AdbError(f"{one.attached.serial} is a {one.device.title} ({one.device.profile}), not {profile}; use "
                       f"--device {one.device.profile}, or --device any")
    return one


def _none(found: Sequence[FoundPhone], wanted: str) -> str:
    if not found:
        other = "" if wanted == "phone" else ", and no other phone"
        return (f"no {wanted} is attached{other}; plug one in with USB debugging allowed (Settings > Developer "
                "options), or --connect HOST:PORT")
    usable = [one.device.profile for one in found if one.device]
    use = f"use --device {usable[0]} or --device any" if usable else f"make that one usable ({found[0].problem})"
    return f"no {wanted} is attached; attached: {_list(found)}. Attach one, or {use}"


def _list(found: Sequence[FoundPhone]) -> str:
    return "; ".join(one.label for one in found)


def _look(adb: Adb, attached: Attached, until: float) -> FoundPhone:
    left = until - time.monotonic()
    if attached.usable and left <= 0:
        return FoundPhone(adb.server, attached, None, "not asked, because others took too long to answer; unplug those")
    if not attached.usable:
        return FoundPhone(adb.server, attached, None, f"{attached.state}; {attached.advice}")
    try:
        return FoundPhone(adb.server, attached,
                          phone_state.identify(Phone(adb, attached.serial), min(ANSWER, left)))
    except AdbError as error:
        return FoundPhone(adb.server, attached, None, str(error))


def state(found: FoundPhone) -> Snapshot | None:
    """How a phone is now; None where it does not answer."""
    if found.device is None:
        return None
    try:
        return phone_state.snapshot(Phone(Adb(found.server), found.attached.serial))
    except AdbError:
        return None
