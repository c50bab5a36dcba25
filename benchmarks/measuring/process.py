"""A process whose output may be anybody's: read within limits of bytes and time, and ended together with its children.

A phone that floods, drips or never ends costs what its ``Limits`` say. Nothing here knows of adb.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

MB = 1 << 20
# A line is a status, a sample, or an error: one that is longer is no line.
LONGEST_LINE = MB
# Of stderr, the end is kept: there is the reason.
_KEPT = 1 << 16
# Between two looks at whether the process has ended, or this one shall: children may keep its pipes open.
_TICK_S = 0.1
# For what a process that has closed stdout has left to say on stderr.
_REST_S = 0.5

_stopping = threading.Event()


@dataclass(frozen=True)
class Limits:
    """What a process may cost."""

    # From its start to its end.
    seconds: float
    # Of both its outputs together.
    most: int = MB
    # Between two lines; None: as long as ``seconds``.
    silence: float | None = None


class Silent(Exception):
    """Nothing came, or no end, within ``seconds``."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.0f} s")
        self.seconds = seconds


class Flood(Exception):
    """It printed more than it may."""

    def __init__(self, most: int) -> None:
        super().__init__(f"{most / MB:.0f} MB")
        self.most = most


class Contained:
    """A running process, in a session of its own: Ctrl-C is ours to handle, in order."""

    def __init__(self, command: Sequence[str], limits: Limits, stdin: int = subprocess.DEVNULL) -> None:
        self.limits = limits
        with _signals_held():
            self.process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                            start_new_session=True)
        assert self.process.stdout
        assert self.process.stderr
        self._out, self._error = self.process.stdout.fileno(), self.process.stderr.fileno()
        self._selector = selectors.DefaultSelector()
        for stream in (self._out, self._error):
            os.set_blocking(stream, False)
            self._selector.register(stream, selectors.EVENT_READ)
        self._read, self._errors = 0, b""
        self._end = time.monotonic() + limits.seconds
        self._quiet = self._end
        self.hear()

    def hear(self) -> None:
        """The time of silence begins anew."""
        self._quiet = min(self._end, time.monotonic() + (self.limits.silence or self.limits.seconds))

    @property
    def errors(self) -> str:
        """The end of what came on stderr so far."""
        return self._errors.decode("utf-8", "replace")

    def chunks(self) -> Iterator[bytes]:
        """What it prints to stdout, as it comes, until it closes that or ends. Raises Silent, Flood."""
        rest: float | None = None
        while self._out in (open_ := self._selector.get_map()) or self._error in open_:
            now = time.monotonic()
            if _stopping.is_set():
                raise KeyboardInterrupt
            if now >= self._quiet:
                raise Silent(self.limits.seconds if self._quiet >= self._end else self.limits.silence or 0.0)
            if rest is None and self._out not in open_:
                rest = now + _REST_S
            if rest is not None and now >= rest:
                return
            ready = self._selector.select(min(_TICK_S, self._quiet - now))
            if not ready and self.process.poll() is not None:
                return
            for key, _ in ready:
                if (chunk := self._take(key.fd)) and key.fd == self._out:
                    yield chunk

    def _take(self, stream: int) -> bytes:
        try:
            chunk = os.read(stream, 1 << 16)
        except BlockingIOError:
            return b""
        if not chunk:
            self._selector.unregister(stream)
        self._read += len(chunk)
        if stream == self._error:
            self._errors = (self._errors + chunk)[-_KEPT:]
        if self._read > self.limits.most:
            raise Flood(self.limits.most)
        return chunk

    def until(self, mark: bytes, seconds: float) -> str:
        """What it prints up to ``mark``, its end, or ``seconds``; raises nothing, and heeds no ``stop_all``."""
        said, end = b"", time.monotonic() + seconds
        while not said.endswith(mark) and self._out in self._selector.get_map() and self._read <= self.limits.most:
            ready = self._selector.select(max(0.0, end - time.monotonic()))
            if not ready:
                break
            with suppress(Flood):
                said += b"".join(chunk for key, _ in ready if (chunk := self._take(key.fd)) and key.fd == self._out)
        return said.decode("utf-8", "replace")

    def lines(self) -> Iterator[str]:
        """The lines of stdout, without their ends, as they come. Raises as ``chunks``."""
        rest = b""
        for chunk in self.chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line.decode("utf-8", "replace").rstrip("\r")
            if len(rest) > LONGEST_LINE:
                raise Flood(LONGEST_LINE)
            if whole:
                self.hear()
        if rest:
            yield rest.decode("utf-8", "replace")

    def wait(self) -> int:
        """The exit status, after its output was read. Raises Silent when it does not end."""
        while True:
            try:
                return self.process.wait(max(0.0, min(_TICK_S, self._end - time.monotonic())))
            except subprocess.TimeoutExpired:
                if time.monotonic() >= self._end:
                    raise Silent(self.limits.seconds) from None
                if _stopping.is_set():
                    raise KeyboardInterrupt from None

    def close(self) -> None:
        """Kill it and whatever it has started, and close its pipes."""
        with suppress(ProcessLookupError):  # none of them lives
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._selector.close()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                with suppress(OSError):  # flushed into a pipe that nobody reads
                    stream.close()


def completed(command: Sequence[str], limits: Limits) -> subprocess.CompletedProcess[str]:
    """``command`` to its end, whatever that is. Raises Silent, Flood."""
    process = Contained(command, limits)
    try:
        out = b"".join(process.chunks())
        status = process.wait()
    finally:
        process.close()
    return subprocess.CompletedProcess(command, status, out.decode("utf-8", "replace"), process.errors)


def stop_all() -> None:
    """Let whoever waits for a process, in any thread, give up at once: KeyboardInterrupt is raised there."""
    _stopping.set()


def go_on() -> None:
    """Undo ``stop_all``."""
    _stopping.clear()


def hurried() -> bool:
    """Whether this process is being ended: by ``stop_all``, or by the KeyboardInterrupt that is on its way up."""
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None or _stopping.is_set()


@contextmanager
def _signals_held() -> Iterator[None]:
    """A signal that comes while a process is being started is handled after that: else nobody would own the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for signum in came:
            signal.raise_signal(signum)
