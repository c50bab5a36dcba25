"""Ctrl-C and a polite kill: one way out for both, on which temporary files are removed."""

from __future__ import annotations

import signal

_caught: list[int] = []


def watch() -> None:
    """From now on SIGTERM raises KeyboardInterrupt, as SIGINT does unless this process was told to ignore it.

    That there was one is remembered: TensorFlow's native code makes a SystemError of an exception that comes while it
    calls Python, or swallows it.
    """
    _caught.clear()
    signal.signal(signal.SIGTERM, _raise)
    if signal.getsignal(signal.SIGINT) in (signal.default_int_handler, signal.SIG_DFL):
        signal.signal(signal.SIGINT, _raise)


def interrupted() -> bool:
    """Whether there was either."""
    return bool(_caught)


def outcome() -> tuple[str, int]:
    """How a command that one ended says so, and its exit code."""
    return ("ended by SIGTERM", 143) if signal.SIGTERM in _caught else ("interrupted", 130)


def again() -> None:
    """Raise KeyboardInterrupt if there was either and it was swallowed."""
    if _caught:
        raise KeyboardInterrupt


def _raise(number: int, frame: object) -> None:
    _caught.append(number)
    raise KeyboardInterrupt
