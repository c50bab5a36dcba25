"""Interruptions that native code does not pass on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from mobilebert_lite import cli
from mobilebert_lite.cli.output import stage


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``main`` in this process, whose handlers are put back."""
    monkeypatch.setattr(cli, "hide_native_logs", lambda: None)
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


def test_errors_without_one_are_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.cli, "main", lambda *_, **__: as_another_error())
    with pytest.raises(SystemError):
        cli.main([])


def test_an_ignored_interrupt_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the shell wants it of commands in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    monkeypatch.setattr(cli.cli, "main", lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(SystemExit) as end:
        cli.main([])
    assert end.value.code == 0
