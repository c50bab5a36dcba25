"""Phones and servers that flood, drip, hang or lie: each call of adb costs no more than it may, and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from mobilebert_lite.benchmarks.measuring.process import MB, Limits
from mobilebert_lite.benchmarks.phone import phones
from mobilebert_lite.benchmarks.phone import state as phone_state
from mobilebert_lite.benchmarks.phone.adb import Adb, AdbError, Phone

# What a client does in place of an answer; each runs forever where nobody ends it.
HOSTILE = {
    "floods": "exec cat /dev/zero",
    "floods lines": "exec yes a line of a log",
    "floods errors": "exec yes >&2",
    "one line without end": "exec tr '\\0' x < /dev/zero",
    "drips": "while :; do printf x; sleep 0.2; done",
    "drips lines": "while :; do echo x; sleep 0.2; done",
    "drips errors": "while :; do echo x >&2; sleep 0.2; done",
    "never ends": "exec sleep 1000",
    "closes its output": "exec sleep 1000 >&- 2>&-",
    "closes stdout": "exec sleep 1000 >&-",
    "ignores signals": "trap '' TERM INT HUP PIPE; while :; do sleep 0.2; done",
    "children keep the pipes": "sleep 1000 & sleep 1000 & wait",
    "children outlive it": "(trap '' HUP; sleep 1000) & exit 0",
    "children drip after it": "(while :; do echo x; sleep 0.03; done) & exit 0",
}


@pytest.fixture
def adb(tmp_path: Path) -> Callable[[str], Adb]:
    """A client that does what a script says."""
    def make(script: str) -> Adb:
        program = tmp_path / f"adb{len(list(tmp_path.iterdir()))}"
        program.write_text(f"#!/bin/sh\necho >> {tmp_path}/started\n{script}\n")
        program.chmod(0o755)
        return Adb(executable=str(program))
    return make


def group_of(folder: Path) -> list[int]:
    """Processes that were started by a program of ``folder`` or by its children."""
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        try:
            ours = str(folder) in (one / "environ").read_text(errors="replace")
            if ours and (one / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                found.append(int(one.name))
        except OSError:
            continue
    return [one for one in found if one != os.getpid()]


@pytest.fixture
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    monkeypatch.setenv("MBL_TEST_FOLDER", str(tmp_path))

    def check() -> None:
        until = time.monotonic() + 1
        while (left := group_of(tmp_path)) and time.monotonic() < until:
            time.sleep(0.02)
        assert left == []
    return check


@pytest.mark.parametrize("how", HOSTILE)
def test_a_call_ends(how: str, adb: Callable[[str], Adb], nothing_left: Callable[[], None]) -> None:
    """With an error, or with what it said until the phone's part ended; in time and in memory."""
    client, began = adb(HOSTILE[how]), time.monotonic()
    tracemalloc.start()
    # What its children do after it is no part of the answer.
    with (suppress(AdbError) if "children" in how
          else pytest.raises(AdbError, match=r"did not end within 1 s|more than 1 MB")):
        client.run("shell", "x", timeout=1)
    took, (_, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took < 3
    assert peak < 8 * MB
    nothing_left()


@pytest.mark.parametrize("how", HOSTILE)
def test_a_program_on_the_phone_ends(how: str, adb: Callable[[str], Adb], nothing_left: Callable[[], None]) -> None:
    began = time.monotonic()
    client = adb(f'case "$1" in start-server|devices) exit 0;; esac; {HOSTILE[how]}')
    with pytest.raises(AdbError, match=r"silent for|did not end within|more than|is gone"):
        for _ in Phone(client, "X").lines("x", Limits(1.5, 4 * MB, 0.8)):
            pass
    assert time.monotonic() - began < 4
    nothing_left()


def test_words_that_are_no_utf8(adb: Callable[[str], Adb]) -> None:
    said = adb(r"printf '\377\376 ok\n'; printf '\200' >&2").run("shell")
    assert said.stdout == "\ufffd\ufffd ok\n"
    assert said.stderr == "\ufffd"


@pytest.mark.parametrize(("listing", "said"), [
    ("yes 'S device model:X' | head -n 1000000", "more than 1 MB"),
    ("i=0; while [ $i -lt 300 ]; do echo \"S$i device\"; i=$((i+1)); done", "lists 300 phones")])
def test_a_million_phones(listing: str, said: str, adb: Callable[[str], Adb]) -> None:
    with pytest.raises(AdbError, match=said):
        adb(f'case "$*" in *devices*) {listing};; esac').attached()


def test_names_that_cannot_be_called(adb: Callable[[str], Adb]) -> None:
    listing = r"""printf 'A\033[31mB device\n'; head -c 5000 /dev/zero | tr '\0' y; echo ' device'; echo 'C device'"""
    found = adb(f'case "$*" in *devices*) {listing};; esac').attached()
    assert [one.serial for one in found if one.usable] == ["C"]
    assert all(one.serial.isprintable() and len(one.serial) < 300 for one in found)


LONG = "head -c 400000 /dev/zero | tr '\\0' 9"


@pytest.mark.parametrize("name", ["ro.product.model", "ro.build.version.release", "machine", "cores", "memory"])
def test_values_of_megabytes(name: str, adb: Callable[[str], Adb]) -> None:
    """Cut, or no number; beyond a megabyte, no answer."""
    answer = """for word; do script=$word; done; mark=$(echo "$script" | sed -n 's/.*\\(mbl-[0-9a-f]*\\).*/\\1/p')
echo @{name}; printf 'MemTotal: '; {value}; printf ' kB\\n'; printf '\\n%s 0\\n' $mark"""
    device = phone_state.identify(Phone(adb(answer.format(name=name, value=LONG)), "X"))
    assert all(len(str(value)) < 200 for value in vars(device).values())
    with pytest.raises(AdbError, match="more than 1 MB"):
        phone_state.identify(Phone(adb(answer.format(name=name, value=f"{LONG}; {LONG}; {LONG}")), "X"))


@pytest.mark.parametrize("line", ["temperature: ", " ", "x: " * 10, "Thermal Status: ", "MemTotal: ", "/cpu1/cpufreq/",
                                  "/cpu1/cpufreq/a 1", "mWakefulness=", "\n", "\t \n", "9", "@battery", "1-", "9-9,"])
def test_reading_a_megabyte_takes_no_time(line: str) -> None:
    """No expression is searched again from every place."""
    began = time.process_time()
    for name in ("battery", "thermal", "power", "current", "load", "frequency"):
        phone_state.read_state(f"@{name}\n" + line * (MB // len(line)))
    phone_state._count(line * (MB // len(line)))
    assert time.process_time() - began < 5


def test_phones_that_hang_one_after_another(adb: Callable[[str], Adb], monkeypatch: pytest.MonkeyPatch) -> None:
    """All phones together have a time."""
    monkeypatch.setattr(phones, "_LOOKING_S", 1.0)
    listing = "printf 'S%d device\\n' 1 2 3 4"
    client = adb(f'case "$1" in devices) {listing};; start-server) ;; *) exec sleep 99;; esac')
    monkeypatch.setattr(phones, "Adb", lambda server: client)
    began = time.monotonic()
    found = phones.find()
    assert [one.device for one in found] == [None] * 4
    assert "not asked" in found[-1].problem
    assert time.monotonic() - began < 5


# Floods end by themselves, and an end of the client is one even where its children go on.
LASTING = [how for how in HOSTILE if not how.startswith(("floods", "one line", "children outlive", "children drip"))]
# A phone that says what it is, takes a folder, and is never heard of again.
STALLS = r"""case "$1" in devices) echo 'S device'; exit;; start-server) exit;; esac
for word; do script=$word; done
case "$script" in
  *'echo ready'*) echo ready;;
  *@machine*) printf '@machine\nx\n\n%s 0\n' $(echo "$script" | sed -n 's/.*\(mbl-[0-9a-f]*\).*/\1/p'); exit;;
  *) echo >> {folder}/stalled;;
esac
exec sleep 1000"""


def test_sigterm_ends_mbl(tmp_path: Path) -> None:
    """Within 2 s, whatever adb does, and with whatever adb has started."""
    model = tmp_path / "model.tflite"
    model.write_bytes(b"never read")
    bench = ("bench", model, "--device", "any", "--runner-binary", sys.executable)
    commands = {how: (("devices",), HOSTILE[how], "started") for how in LASTING}
    commands["stalls"] = (bench, STALLS, "stalled")
    running = {}
    for how, (words, script, ready) in commands.items():
        folder = tmp_path / how.replace(" ", "-")
        folder.mkdir()
        program = folder / "adb"
        program.write_text(f"#!/bin/sh\necho >> {folder}/started\n{script.replace('{folder}', str(folder))}\n")
        program.chmod(0o755)
        environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "MBL_TEST_FOLDER": str(folder)}
        running[folder / ready] = subprocess.Popen([sys.executable, "-m", "mobilebert_lite", *words], env=environment,
                                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not all(ready.exists() for ready in running) and time.monotonic() < until:
        time.sleep(0.05)
    took = {}
    for ready, process in running.items():
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=10)
        took[ready.parent.name] = time.monotonic() - began
        assert process.returncode == 143, (ready, error)
        assert b"Traceback" not in error
    assert max(took.values()) < 2, took
    assert [one for ready in running for one in group_of(ready.parent)] == []
