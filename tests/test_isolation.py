"""What a hostile file does to native code stays in the process that runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import need_old_runtime
from graphs import adding, endless, recursive

from mobilebert_lite.errors import DataError, ModelFileError
from mobilebert_lite.running.isolation import helper
from mobilebert_lite.running.isolation.contained import Excess, contained
from mobilebert_lite.running.isolation.session import SECONDS, IsolatedSession, time_limit
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tflite.soundness import check_tflite

X = {"x": np.arange(6, dtype=np.float32).reshape(2, 3)}


def pid_of(session: IsolatedSession) -> int:
    assert session._connection._helper is not None
    return session._connection._helper._process.pid


def test_as_in_this_process() -> None:
    content = adding().bytes()
    here, there = Session(content), IsolatedSession(content)
    assert (there.runtime, there.signatures) == (here.runtime, here.signatures)
    for _ in range(2):
        np.testing.assert_array_equal(there.run("add", X)["y"], X["x"] + [0, 1, 2])
    nodes = IsolatedSession(content).nodes()
    assert nodes == Session(content).nodes()
    assert [node["name"] for node in nodes["nodes"]] == ["ADD", "DELEGATE"]


def test_one_process_after_the_other_interpreter() -> None:
    """A process is used again, and two interpreters at a time are in two."""
    first = IsolatedSession(adding().bytes())
    pid = pid_of(first)
    second = IsolatedSession(adding([4, 3]).bytes())
    assert pid_of(second) != pid
    first.close()
    again = IsolatedSession(adding([5, 3]).bytes())
    assert pid_of(again) == pid
    assert again.run("add", {"x": np.ones((5, 3), np.float32)})["y"].shape == (5, 3)
    with pytest.raises(ModelFileError, match="has ended"):
        first.run("add", X)


def test_errors_are_those_of_a_session() -> None:
    with pytest.raises(ModelFileError, match="refuses the model"):
        IsolatedSession(b"\0\0\0\0TFL3")
    session = IsolatedSession(adding().bytes())
    with pytest.raises(ModelFileError, match="no signature 'sub'; it has add"):
        session.run("sub", X)
    with pytest.raises(ModelFileError, match="cannot run add"):
        session.run("add", {"y": X["x"]})
    assert session.run("add", X), "an error ends nothing"


def test_a_crash() -> None:
    """Offsets that lead nowhere, which tflite-runtime follows: the reason for the verifier, and for the process."""
    need_old_runtime()
    content = bytearray(adding().bytes())
    content[:4] = b"\xf0\xff\xff\x7f"
    with pytest.raises(ModelFileError, match=r"crashed on this model \(SIG(SEGV|BUS)\)"):
        IsolatedSession(bytes(content), runtime="tflite-runtime")
    with pytest.raises(ModelFileError, match="leads outside the file"):
        check_tflite(bytes(content))


def test_a_recursion() -> None:
    """A loop whose body is that loop: no runtime looks for it."""
    content = recursive().bytes()
    with pytest.raises(ModelFileError, match="crashed on this model"):
        IsolatedSession(content).run("loop", {"x": np.ones(1, np.float32)})
    with pytest.raises(ModelFileError, match="calls itself"):
        check_tflite(content)


def test_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MBL_TIME_LIMIT", "1.5")
    content = endless().bytes()
    check_tflite(content)
    session = IsolatedSession(content)
    started = time.monotonic()
    with pytest.raises(ModelFileError, match=r"did not come to an end .* MBL_TIME_LIMIT"):
        session.run("loop", {"x": np.ones(1, np.float32)})
    assert 1.4 < time.monotonic() - started < 60


def test_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer for larger files; ten seconds at most for one of 20 MB."""
    monkeypatch.delenv("MBL_TIME_LIMIT", raising=False)
    assert time_limit(b"") == SECONDS < time_limit(bytes(20_000_000)) <= 10
    for nonsense in ("soon", "-1", "0", "nan"):
        monkeypatch.setenv("MBL_TIME_LIMIT", nonsense)
        with pytest.raises(DataError, match="must be a number of seconds"):
            time_limit(b"")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is limited where the system tells its size")
def test_too_much_memory() -> None:
    """Three tensors of 1.5 GB each, of a file of 1 kB."""
    content = adding([1 << 27, 3]).bytes()
    check_tflite(content)
    session = IsolatedSession(content)
    with pytest.raises(ModelFileError):
        session.nodes()


def test_killed_from_outside() -> None:
    session = IsolatedSession(adding().bytes())
    pid = pid_of(session)
    [fork] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(int(fork), signal.SIGKILL)
    with pytest.raises(ModelFileError, match="ended from outside"):
        session.run("add", X)
    assert IsolatedSession(adding().bytes()).run("add", X), "another takes its place"


def test_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the midst of an answer: the process goes at once."""
    session = IsolatedSession(endless().bytes())
    process = session._connection._helper._process  # type: ignore[union-attr]
    before = signal.signal(signal.SIGUSR1, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    try:
        subprocess.Popen(["sh", "-c", f"sleep 1; kill -USR1 {os.getpid()}"])
        with pytest.raises(KeyboardInterrupt):
            session.run("loop", {"x": np.ones(1, np.float32)})
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert process.poll() is not None


def test_orphans_end() -> None:
    """When its owner is killed, nothing stays."""
    code = ("import time; from graphs import adding\n"
            "from mobilebert_lite.running.isolation.session import IsolatedSession\n"
            "session = IsolatedSession(adding().bytes()); print(session._connection._helper._process.pid, flush=True)\n"
            "time.sleep(60)")
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
                             cwd=Path(__file__).parent)
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    owner.kill()
    owner.communicate()
    deadline = time.monotonic() + 30
    while _lives(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_not_the_code_that_lies_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A numpy.py in the working folder is not what the process imports."""
    (tmp_path / "numpy.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    fresh = helper.Helper()
    try:
        assert fresh.ask({"do": "close"}) == ({}, [])
    finally:
        fresh.kill()


def _much() -> bytes:
    return bytes(200 << 20)


def _wrong() -> None:
    raise DataError("it is wrong")


def _endless() -> None:
    while True:
        pass


def _ended() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(("work", "kind", "message"), [
    (_much, Excess, "more memory than a file of its size may"), (_wrong, DataError, "it is wrong"),
    (_endless, Excess, "more than 0 s.* MBL_TIME_LIMIT"), (_ended, Excess, "ended by SIGKILL"),
    (lambda: 1 // 0, RuntimeError, "ZeroDivisionError")])
def test_contained(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object], kind: type[Exception],
                   message: str) -> None:
    """What our own readers do with a file may cost no more than the file may, whatever they overlook."""
    monkeypatch.setenv("MBL_TIME_LIMIT", "0.3")
    with pytest.raises(kind, match=message):
        contained(work, 1000)
    assert contained(lambda: {"a": (1, 2)}, 1000) == {"a": (1, 2)}
    assert contained(lambda: len(_much()), 30 << 20) == 200 << 20


def test_contained_ends_with_ctrl_c(tmp_path: Path) -> None:
    """The fork ends before the one that waits for it goes on."""
    mark = tmp_path / "began"

    def work() -> None:
        mark.write_text(str(os.getpid()))
        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        contained(work, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)
