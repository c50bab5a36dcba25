"""Phones that are none: the real adb daemon in network, mount and process namespaces of its own, and a network that
the real adb client reaches it over. All of it goes away with the rig.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from image import files

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ADBD = ROOT / "build" / "adbd" / "root"
# In Debian's daemon authentication is switched off by one jump: "if it is needed, ask" is skipped. In place of the
# jump, two instructions that do nothing.
_NO_AUTHENTICATION = bytes.fromhex("740a4c89f7e8")
# Machines that test are busy.
_WAIT_S = 60.0

_BOOT = """set -e
root=$1 size=$2
mkdir -p "$root"
mount -t tmpfs -o size=32m rig "$root"
for entry in /*; do
  case $entry in /data|/proc|/system) continue;; esac
  if [ -L "$entry" ]; then cp -P "$entry" "$root/"; elif [ -d "$entry" ]; then
    mkdir "$root$entry"; mount --rbind "$entry" "$root$entry"; fi
done
mkdir -p "$root/proc" "$root/system/bin" "$root/data"
mount -t proc proc "$root/proc"
mount -t tmpfs -o "size=$size" data "$root/data"
mkdir -p "$root/data/local/tmp"
cp "$3"/* "$root/system/bin/"
ip link set lo up
echo ready
exec sleep infinity"""


class Namespace:
    """A process that holds namespaces, and commands in them. Ends with everything that it started."""

    def __init__(self, flags: Sequence[str], script: str, *arguments: str) -> None:
        command = ["unshare", *flags, "--kill-child", "sh", "-c", script, "rig", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line == "ready\n", f"the namespace does not start: {line}"
        # unshare --fork waits; the namespaces are its child's.
        self.pid = int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0])

    def command(self, words: Sequence[str]) -> list[str]:
        """``words`` as a command inside."""
        return ["nsenter", "--target", str(self.pid), "--net", "--", *words]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Host(Namespace):
    """Where the adb server and `mbl` run: a network of its own."""

    def __init__(self, home: Path) -> None:
        super().__init__(["--net", "--fork"], "ip link set lo up; echo ready; exec sleep infinity")
        self.environment = {**os.environ, "HOME": str(home), "TMPDIR": str(home), "XDG_CACHE_HOME": str(home / "cache"),
                            "ADB_LOCAL_TRANSPORT_MAX_PORT": "5553"}
        for name in ("ANDROID_SERIAL", "ADB_SERVER_SOCKET", "ANDROID_ADB_SERVER_PORT", "MBL_BENCHMARK_MODEL"):
            self.environment.pop(name, None)

    def start(self, *words: str, **options: object) -> subprocess.Popen[str]:
        """A program inside, with pipes."""
        settings: dict[str, object] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
                                       "stdin": subprocess.DEVNULL, "env": self.environment, **options}
        return subprocess.Popen(self.command(words), **settings)  # type: ignore[call-overload, no-any-return]

    def run(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """A program inside, to its end."""
        process = self.start(*words)
        out, error = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(words, process.returncode, out, error)

    def adb(self, *words: str) -> str:
        """The real client."""
        return self.run("adb", *words).stdout

    def mbl(self, *words: str, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        """The command under test."""
        return self.run(*self.mbl_command(*words), timeout=timeout)

    @staticmethod
    def mbl_command(*words: str) -> list[str]:
        return [str(Path(sys.executable).with_name("mbl")), *words]

    def server(self) -> int:
        """The process of the adb server."""
        [pid] = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/comm") if _is_server(path, self.pid)]
        return pid

    def close(self) -> None:
        self.adb("kill-server")
        super().close()


def _is_server(comm: Path, namespace: int) -> bool:
    try:
        return (comm.read_text().strip() == "adb" and b"fork-server" in (comm.parent / "cmdline").read_bytes()
                and os.readlink(comm.parent / "ns/net") == os.readlink(f"/proc/{namespace}/ns/net"))
    except OSError:  # it has just ended
        return False


class Phone(Namespace):
    """One phone: a root of its own with a /data of ``size``, the commands of image/, and the daemon."""

    def __init__(self, host: Host, number: int, properties: Mapping[str, str], folder: Path,
                 size: str = "400m") -> None:
        self.host, self.number, self.root = host, number, folder / f"phone{number}"
        super().__init__(["--net", "--mount", "--pid", "--fork"], _BOOT, str(self.root), size, str(HERE / "image"))
        self.serial = f"10.77.{number}.2:5555"
        self.first = self.properties = properties
        # Whether the daemon is another one than repair() starts.
        self.changed = False
        self.say()
        self._link()
        self._daemon: subprocess.Popen[bytes] | None = None
        self.boot()

    def command(self, words: Sequence[str]) -> list[str]:
        root = f"/proc/{self.pid}/root{self.root}"
        return ["nsenter", "--target", str(self.pid), "--net", "--mount", "--pid", f"--root={root}", "--wd=/", "--",
                *words]

    def sh(self, script: str) -> str:
        """What ``script`` prints, run on the phone without adb."""
        return subprocess.run(self.command(["sh", "-c", script]), capture_output=True, text=True, timeout=30,
                              env=self._environment()).stdout

    def say(self, **state: int | bool) -> None:
        """Change what the phone says of itself: image.files."""
        found = files(self.properties, **state)  # type: ignore[arg-type]
        self.sh("\n".join(f"mkdir -p $(dirname /system/{name}); cat > /system/{name}.new <<'END'\n{content}END\n"
                          f"mv /system/{name}.new /system/{name}" for name, content in found.items()))

    def boot(self, authentication: bool = False) -> None:
        """Start the daemon, and wait until it listens."""
        program, self.changed = "/system/adbd", authentication
        original = ADBD / "usr/lib/android-sdk/platform-tools/adbd"
        content = original.read_bytes()
        if authentication:
            assert content.count(_NO_AUTHENTICATION) == 1, "another build of adbd: find its jump anew"
            content = content.replace(_NO_AUTHENTICATION, b"\x90\x90" + _NO_AUTHENTICATION[2:])
        target = Path(f"/proc/{self.pid}/root{self.root}{program}")
        target.unlink(missing_ok=True)
        target.write_bytes(content)
        target.chmod(0o755)
        self._daemon = subprocess.Popen(self.command([program]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env=self._environment())
        until(lambda: ":5555" in self.sh("ss -ltn"), "the daemon listens")

    def kill(self, signal: str = "KILL") -> None:
        """Send the daemon a signal."""
        self.sh(f"kill -{signal} $(pidof adbd)")
        if signal == "KILL" and self._daemon:
            self._daemon.wait()

    def attach(self) -> None:
        """Connect the host's server to it."""
        self.host.adb("connect", self.serial)
        until(lambda: f"{self.serial}\tdevice" in self.host.adb("devices"), f"{self.serial} is attached")

    def cable(self, state: str) -> None:
        """Plug it in (``up``) or pull it (``down``), which neither side is told of."""
        subprocess.run(self.host.command(["ip", "link", "set", f"phone{self.number}", state]), check=True)

    def repair(self) -> None:
        """As new: the cable in, the daemon running and attached, cool."""
        self.cable("up")
        self.properties = self.first
        self.say()
        self.sh("rm -f /data/filler")
        if self.changed or not self.sh("pidof adbd"):
            self.sh("kill -KILL $(pidof adbd)")
            self.boot()
            self.changed = False
        self.sh("kill -CONT $(pidof adbd)")
        if f"{self.serial}\tdevice" not in self.host.adb("devices"):
            self.host.adb("disconnect", self.serial)
            self.attach()

    def left(self) -> list[str]:
        """What is in /data/local/tmp, and programs that still run."""
        running = [line for line in self.sh("ps -eo args=").splitlines()
                   if ("benchmark_model" in line or "demo_app" in line) and "ps -eo" not in line]
        return self.sh("ls -A /data/local/tmp").split() + running

    def assert_empty(self, seconds: float = _WAIT_S) -> None:
        """Nothing is left within ``seconds``."""
        deadline = time.monotonic() + seconds
        while (found := self.left()) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not found, f"left on the phone after {seconds:.0f} s: {found}"

    def close(self) -> None:
        super().close()
        shutil.rmtree(self.root, ignore_errors=True)

    def _link(self) -> None:
        """A cable: a pair of network interfaces, one end in each namespace."""
        name, net = f"phone{self.number}", f"10.77.{self.number}"
        for where, words in ((self.host, f"ip link add {name} type veth peer name usb0 netns {self.pid}"),
                             (self.host, f"ip address add {net}.1/24 dev {name}"),
                             (self.host, f"ip link set {name} up"),
                             (self, f"ip address add {net}.2/24 dev usb0"), (self, "ip link set usb0 up")):
            subprocess.run(where.command(words.split()), check=True, capture_output=True)

    def _environment(self) -> dict[str, str]:
        libraries = ADBD / f"usr/lib/{os.uname().machine}-linux-gnu"
        return {"PATH": "/system/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "LD_LIBRARY_PATH": f"{libraries}/android:{libraries}"}


def until(condition: object, what: str, seconds: float = _WAIT_S) -> None:
    """Wait for ``condition()``."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def phones(folder: Path, *which: Mapping[str, str], size: str = "400m") -> Iterator[tuple[Host, list[Phone]]]:
    """A host and its phones, attached."""
    home = folder / "home"
    home.mkdir()
    host, made = Host(home), list[Phone]()
    try:
        for number, properties in enumerate(which, 1):
            made.append(Phone(host, number, properties, folder, size))
            made[-1].attach()
        yield host, made
    finally:
        for phone in made:
            phone.close()
        host.close()
