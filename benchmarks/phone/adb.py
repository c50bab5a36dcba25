"""Android's own ``adb`` client as a subprocess: servers, attached phones, commands known to have ended, files.

What the client does not promise is made up for here: `adb shell` exits with 0 when the phone goes away in the middle
and `adb connect` always does, so an end is believed only when the phone itself has said so.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mobilebert_lite.benchmarks.measuring.process import MB, Contained, Flood, Limits, Silent, completed
from mobilebert_lite.benchmarks.measuring.runner import RunnerError
from mobilebert_lite.common.files import sha256_of
from mobilebert_lite.errors import DependencyError

# Seconds for commands that answer at once, and for a connection over the network.
ANSWER, CONNECTION = 30.0, 30.0
# A program on a phone may print more than an answer is long, and take longer than its silence may: it ends some time.
RUN_BYTES, RUN_SILENCES, RUN_S = 16 * MB, 10, 60.0
# More phones than any server has. What is longer is no serial, and no reason.
_MOST_PHONES, _LONGEST_SERIAL, _LONGEST_REASON = 256, 200, 300
# The slowest transfer that is not yet a hanging one, in bytes a second.
SLOWEST = 1 << 20

# Names, IPv4 and IPv6 addresses, and the names that phones announce themselves by; with a port or without.
_ADDRESS = re.compile(r"[\w.%-]+(:\d{1,5})?|\[[0-9A-Fa-f:.%\w]+\](:\d{1,5})?")

# States other than "device", and how to go on.
ADVICE = {
    "unauthorized": "unlock the phone and allow this computer in the dialog that it shows",
    "authorizing": "unlock the phone and allow this computer in the dialog that it shows",
    "offline": "unplug the cable and plug it in again, or `adb reconnect offline`",
    "connecting": "wait a moment and try again",
    "bootloader": "start Android: `fastboot reboot`",
    "recovery": "start Android: `adb reboot`",
    "sideload": "start Android: `adb reboot`",
    "no permissions": "let your user open the USB device (group plugdev and Android's udev rules)",
}


class AdbError(RunnerError):
    """The phone or the server cannot be reached, or did not do what it was told."""


@dataclass(frozen=True)
class Server:
    """An adb server: that of this machine, which is started when needed, or another's (``-H``, ``-P``)."""

    host: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        return f"{self.host or 'localhost'}:{self.port or 5037}"

    @property
    def arguments(self) -> list[str]:
        """For the client."""
        return [*(["-H", self.host] if self.host else []), *(["-P", str(self.port)] if self.port else [])]


@dataclass(frozen=True)
class Attached:
    """A line of `adb devices`."""

    serial: str
    # "device" when it can be used; otherwise mostly a key of ADVICE.
    state: str
    # As adb knows it, with underscores for spaces; empty unless it can be used.
    model: str = ""

    @property
    def usable(self) -> bool:
        """Whether commands can be sent to it."""
        return self.state == "device"

    @property
    def advice(self) -> str:
        """What to do about its state."""
        return next((text for state, text in ADVICE.items() if self.state.startswith(state)), "attach it again")


def find_adb() -> str:
    """The client: in PATH, or in the SDK that ANDROID_HOME or ANDROID_SDK_ROOT names. Raises DependencyError."""
    sdks = [os.environ[name] for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT") if os.environ.get(name)]
    for found in (shutil.which("adb"), *(shutil.which(str(Path(sdk) / "platform-tools" / "adb")) for sdk in sdks)):
        if found:
            return found
    raise DependencyError("adb is neither in PATH nor under ANDROID_HOME; install Android's platform tools (on Debian "
                          "and Ubuntu: apt install adb)")


class Adb:
    """The client, speaking to one server."""

    def __init__(self, server: Server | None = None, executable: str | None = None) -> None:
        """Raises DependencyError when there is no adb here."""
        self.server, self.executable = server or Server(), executable or find_adb()

    def run(self, *arguments: str, timeout: float = ANSWER) -> subprocess.CompletedProcess[str]:
        """One command to its end, whatever that is. Raises AdbError when it takes longer than ``timeout``, or prints
        more than a megabyte."""
        try:
            return completed(self.command(arguments), Limits(timeout))
        except Silent:
            raise AdbError(f"`adb {_named(arguments)}` did not end within {timeout:.0f} s; restart the server: "
                           "adb kill-server") from None
        except Flood as error:
            raise AdbError(f"`adb {_named(arguments)}` printed more than {error}, which no answer has; unplug what is "
                           "attached, or restart the server: adb kill-server") from None
        except OSError as error:
            raise AdbError(f"{self.executable} cannot be started: {error.strerror}") from None

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The client with ``arguments``, for this server."""
        return [self.executable, *self.server.arguments, *arguments]

    def attached(self) -> list[Attached]:
        """Every phone this server knows, in any state. Starts a server of this machine. Raises AdbError."""
        if not self.server.host:
            started = self.run("start-server")
            if started.returncode:
                raise AdbError(f"the adb server does not start: {_last(started.stderr)}")
        listed = self.run("devices", "-l")
        if listed.returncode:
            raise AdbError(f"no adb server at {self.server}: {_last(listed.stderr)}")
        found = [one for line in listed.stdout.split("\n") if (one := _attached(line))]
        if len(found) > _MOST_PHONES:
            raise AdbError(f"the adb server at {self.server} lists {len(found)} phones; more than {_MOST_PHONES} are "
                           "not believed: restart it (adb kill-server)")
        return found

    def connect(self, address: str) -> str:
        """Attach the phone at ``host:port`` over the network; its serial. Raises AdbError."""
        if not _ADDRESS.fullmatch(address):
            raise AdbError(f"{address!r} is no address; give HOST:PORT as the phone shows it under wireless debugging")
        said = self.run("connect", address, timeout=CONNECTION)
        text = (said.stdout + said.stderr).strip()
        found = re.match(r"(?:already )?connected to (\S+)", text)
        if not found:
            raise AdbError(f"cannot connect to {address}: {_last(text)}; allow wireless debugging on the phone, or "
                           "`adb pair` it first")
        return found[1]


@dataclass(frozen=True)
class Phone:
    """One phone that can be used."""

    adb: Adb
    serial: str

    def shell(self, script: str, timeout: float = ANSWER) -> str:
        """What ``script`` (for the phone's sh) prints. Raises AdbError when it fails, as ``lines``; it has to end
        within ``timeout`` seconds, after a megabyte at most."""
        return "".join(f"{line}\n" for line in self.lines(script, Limits(timeout)))

    def lines(self, script: str, limits: Limits) -> Iterator[str]:
        """The lines that ``script`` prints, errors among them, as they come.

        Raises AdbError when the script ends with a status other than 0, when it exceeds its ``limits``, and when the
        phone goes away before it has told the status.
        """
        mark = f"mbl-{secrets.token_hex(8)}"
        process = self.contained(f"(\n{script}\n) 2>&1; printf '\\n%s %s\\n' {mark} $?", limits)
        last = ""
        said: list[str] = []
        try:
            for line in _held_back(process.lines(), mark):
                if line.startswith(mark):
                    last = line
                    break
                said.append(line)
                yield line
                process.hear()
            else:
                raise self._lost(process.errors)
        except Silent as error:
            raise AdbError(f"{self.serial} has been silent for {error}; the phone hangs, or the connection does: look "
                           "at its screen" if error.seconds != limits.seconds or limits.silence is None else
                           f"{self.serial} did not end within {error}; end what runs on it, or give it longer with "
                           "--timeout") from None
        except Flood as error:
            raise AdbError(f"{self.serial} printed more than {error}, which no answer has; unplug it: the phone is "
                           "broken, or it is no phone") from None
        finally:
            process.close()
        status = last.removeprefix(mark).strip()
        if status != "0":
            reason = _last("\n".join(said[-100:])) or f"exit status {status[:20]}"
            raise CommandError(f"{self.serial}: {reason}", int(status) if re.fullmatch(r"\d{1,9}", status) else -1,
                               said)

    def contained(self, script: str, limits: Limits, stdin: int = subprocess.DEVNULL) -> Contained:
        """``script`` in a shell of the phone. Raises AdbError when there is no client to start."""
        try:
            return Contained(self.adb.command(["-s", self.serial, "shell", script]), limits, stdin)
        except OSError as error:
            raise AdbError(f"{self.adb.executable} cannot be started: {error.strerror}") from None

    def push(self, local: Path, remote: str) -> bool:
        """``local`` on the phone as ``remote``, in a folder that is there; False when the same file was there already.

        Raises AdbError, also when what arrived is not what was sent.
        """
        digest = sha256_of([local])
        if self._digest(remote) == digest:
            return False
        size = local.stat().st_size
        said = self.adb.run("-s", self.serial, "push", str(local.resolve()), remote,
                            timeout=ANSWER + size / SLOWEST)
        if said.returncode:
            # A summary of nothing sent stands below the reason.
            lines = [line for line in (said.stderr + said.stdout).splitlines() if "error" in line]
            raise self._not_pushed(local, size, remote, _last("\n".join(lines)) or _last(said.stderr))
        if self._digest(remote) != digest:
            raise AdbError(f"{local.name} arrived on {self.serial} damaged; check the cable and try again")
        return True

    def holds(self, local: Path, remote: str) -> bool:
        """Whether ``remote`` is there with the content of ``local``. Raises AdbError."""
        return self._digest(remote) == sha256_of([local])

    def _digest(self, remote: str) -> str:
        return self.shell(f"sha256sum {shlex.quote(remote)} 2>/dev/null || true", timeout=120).split(" ")[0].strip()

    def _not_pushed(self, local: Path, size: int, remote: str, reason: str) -> AdbError:
        if "No space left" in reason:
            free = self.shell(f"df -k {shlex.quote(str(Path(remote).parent))} | tail -n 1").split()
            left = f"{int(free[3]) / 1024:.0f} MB" if len(free) > 3 and free[3].isdecimal() else "too little"
            return AdbError(f"{self.serial} is full: {local.name} takes {size / 2**20:.0f} MB and {left} is free; "
                            "delete something on the phone")
        if _is_gone(reason):
            return self._lost(reason)
        return AdbError(f"cannot push {local.name} to {self.serial}: {reason}")

    def _lost(self, reason: str) -> AdbError:
        """Why there was no end: asked of the server, which may be another one by now."""
        try:
            state = {one.serial: one for one in self.adb.attached()}.get(self.serial)
        except AdbError as error:
            return error
        said = f" ({_last(reason)})" if reason.strip() else ""
        if state is None:
            return AdbError(f"{self.serial} is gone{said}: unplugged, or the adb server was restarted; attach it again")
        if not state.usable:
            return AdbError(f"{self.serial} is {state.state}{said}; {state.advice}")
        return AdbError(f"the connection to {self.serial} broke off{said}; it is back now: try again")


class CommandError(AdbError):
    """A command on the phone ended with a status other than 0."""

    def __init__(self, message: str, status: int, output: Sequence[str]) -> None:
        super().__init__(message)
        self.status, self.output = status, tuple(output)


def _held_back(lines: Iterator[str], mark: str) -> Iterator[str]:
    """``lines`` without the empty one that ends the last line before the mark."""
    held: str | None = None
    for line in lines:
        if held is not None and not (held == "" and line.startswith(mark)):
            yield held
        held = line
    if held is not None:
        yield held


def _attached(line: str) -> Attached | None:
    """A line such as ``8A2X0  device usb:1-1 product:flame model:Pixel_4 device:flame transport_id:1``."""
    # Every part is short, so that no line, however long, is searched again and again.
    found = re.match(rf"(\S[^\t]{{0,{_LONGEST_SERIAL}}}?)\s{{1,100}}(no permissions|\S{{1,40}})(?:\s|$)", line[:1000])
    if not found or line.startswith(("*", "List of devices")):
        return None
    if not found[1].isprintable():
        return Attached(ascii(found[1])[1:-1], "without a name that can be called")
    model = re.search(r"\smodel:(\S{1,100})", line[:1000])
    return Attached(found[1], found[2], model[1] if model else "")


def _named(arguments: Sequence[str]) -> str:
    """The command among ``arguments``, without the phone that it is for."""
    return arguments[2] if arguments[0] == "-s" else arguments[0]


def _is_gone(reason: str) -> bool:
    return any(text in reason for text in ("not found", "offline", "closed", "connect", "EOF", "protocol fault",
                                           "unauthorized", "Broken pipe", "read failed"))


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("* daemon")]
    return lines[-1].removeprefix("adb: ").removeprefix("error: ")[:_LONGEST_REASON] if lines else ""
