"""SIGINT and SIGTERM: both raise KeyboardInterrupt, so that temporary files are removed."""

from __future__ import annotations

import os
import signal

_caught: list[int] = []


def watch() -> None:
    """Make SIGTERM raise KeyboardInterrupt, as SIGINT does unless this process ignores it.

    The signal is remembered, because TensorFlow's native code turns an exception raised in a callback into a
    SystemError, or swallows it.
    """
    _caught.clear()
    signal.signal(signal.SIGTERM, _raise)
    if signal.getsignal(signal.SIGINT) in (signal.default_int_handler, signal.SIG_DFL):
        signal.signal(signal.SIGINT, _raise)


def interrupted() -> bool:
    """Whether one of the signals was received."""
    return bool(_caught)


def outcome() -> tuple[str, int]:
    """The message and the exit code of a command that a signal ended."""
    return ("ended by SIGTERM", 143) if signal.SIGTERM in _caught else ("interrupted", 130)


def again() -> None:
    """Raise KeyboardInterrupt if a signal was received and swallowed."""
    if _caught:
        raise KeyboardInterrupt


def rest() -> None:
    """Leave the signals to the system again: a command that ends has nothing more to clean up."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is _raise:
            signal.signal(number, signal.SIG_DFL)


def hand_on(child: int) -> None:
    """Give the process ``child`` the signals that reach this process alone; a terminal sends its own to both."""
    signal.signal(signal.SIGTERM, lambda number, frame: os.kill(child, number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _raise(number: int, frame: object) -> None:
    _caught.append(number)
    raise KeyboardInterrupt
