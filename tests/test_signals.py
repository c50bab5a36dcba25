"""Interruptions that native code does not pass on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mobilebert_lite import cli
from mobilebert_lite.cli.output import stage


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``main`` in this process, whose handlers are put back."""
    monkeypatch.setattr(cli.streams, "hide_internals", lambda: None)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def as_another_error() -> None:
    raise SystemError("bad argument to internal function")


def swallowed() -> None:
    stage("verifying")


@pytest.mark.parametrize("after", [as_another_error, swallowed])
@pytest.mark.parametrize(("number", "code", "message"), [
    (signal.SIGINT, 130, "Error: interrupted; nothing was written\n"),
    (signal.SIGTERM, 143, "Error: ended by SIGTERM; nothing was written\n")])
def test_it_ends_all_the_same(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int,
                              code: int, message: str, after: Callable[[], None]) -> None:
    def work(*_: object, **__: object) -> None:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        after()

    monkeypatch.setattr(cli.cli, "main", work)
    with pytest.raises(SystemExit) as end:
        cli.main([])
    assert end.value.code == code
    assert capsys.readouterr().err == message


@pytest.mark.parametrize("debug", [False, True])
def test_an_error_of_our_own_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                                         debug: bool) -> None:
    """Of at most 2,000 characters, with its beginning and what to do; a traceback comes with --debug alone."""
    def work(*_: object, **__: object) -> None:
        raise SystemError("bad argument\n\x1b[31m" + 9000 * "x")

    monkeypatch.setattr(cli.cli, "main", work)
    with pytest.raises(SystemExit) as end:
        cli.main(["--debug"] if debug else [])
    said = capsys.readouterr().err
    assert end.value.code == 1
    assert ("Traceback" in said) is debug
    line = said.splitlines()[-1]
    assert line.startswith("Error: SystemError: bad argument \ufffd[31mxxx")
    assert line.endswith(f"{cli.FAULT}; run the command again with --debug, and report what it prints")
    assert len(line) <= 2000


def test_an_ignored_interrupt_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the shell wants it of commands in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    monkeypatch.setattr(cli.cli, "main", lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(SystemExit) as end:
        cli.main([])
    assert end.value.code == 0


def test_an_interrupt_while_python_starts_prints_nothing(tmp_path: Path) -> None:
    """The command line is not loaded yet: the process ends as any other does."""
    (tmp_path / "click.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n", encoding="utf-8")
    for command in ([Path(sys.executable).with_name("mbl")], [sys.executable, "-m", "mobilebert_lite"]):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": str(tmp_path)})
        assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
