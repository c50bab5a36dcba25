"""Processes that hold interpreters, seen from the side that asks. Imports little: it is what a command starts first."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from mobilebert_lite import errors
from mobilebert_lite.errors import MblError, ModelFileError
from mobilebert_lite.running.isolation import frames

_SERVER = "mobilebert_lite.running.isolation.server"
# Those that wait for work.
_idle: list[Helper] = []


class Helper:
    """One process, with one interpreter at a time."""

    def __init__(self, module: str = _SERVER) -> None:
        """``module`` of ours answers on standard input and output."""
        self._process = subprocess.Popen(
            python_module(module), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=environment(), start_new_session=True)
        atexit.register(self.kill)

    def ask(self, header: Mapping[str, Any], blocks: Sequence[bytes | memoryview] = ()) -> frames.Message:
        """The answer. Raises ModelFileError when the process ended over it."""
        try:
            # Popen types its pipes as IO[Any].
            with suppress(BrokenPipeError):  # why is known when its end is read
                frames.write(cast(BinaryIO, self._process.stdin), header, blocks)
            return frames.read(cast(BinaryIO, self._process.stdout), frames.LARGEST_ANSWER)
        except (EOFError, ValueError):
            raise ModelFileError(self._reason()) from None
        except BaseException:  # Ctrl-C: nobody will read the answer
            self.kill()
            raise

    def _reason(self) -> str:
        with suppress(subprocess.TimeoutExpired):  # one that talks nonsense need not end by itself
            self._process.wait(1)
        code = self._process.poll() or 0
        self.kill()
        if code == -signal.SIGALRM:
            return ("the runtime did not come to an end with this model in time; on a very slow machine allow more "
                    "with MBL_TIME_LIMIT=SECONDS")
        if code == -signal.SIGKILL:
            return "the process that ran the model was ended from outside (out of memory?)"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"code {code}"
        return f"the runtime crashed on this model ({name}); the file is damaged, or made to do so"

    def kill(self) -> None:
        """End it, and what it has started."""
        atexit.unregister(self.kill)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not yet sent has no reader any more
                cast(BinaryIO, pipe).close()


class Connection:
    """What a session asks its process, until one of the two ends."""

    def __init__(self, helper: Helper, what: str) -> None:
        """``what`` the process is, for errors."""
        self._helper: Helper | None = helper
        self._what = what

    def ask(self, header: Mapping[str, Any], blocks: Sequence[bytes | memoryview] = ()) -> frames.Message:
        """The answer. Raises the error that the process answers with, ModelFileError when it has ended."""
        if self._helper is None:
            raise ModelFileError(f"{self._what} has ended")
        try:
            answer, packed = self._helper.ask(header, blocks)
        except BaseException:
            self._helper = None
            raise
        if "error" in answer:
            raise getattr(errors, answer["kind"], MblError)(answer["error"])
        return answer, packed

    def leave(self) -> Helper | None:
        """The process, which is not asked any more; None where it has ended, or was left before."""
        left, self._helper = self._helper, None
        return left


def python_module(name: str) -> list[str]:
    """The command that runs a module of ours. Not from the folder it happens to be called in (-P): that may be where
    hostile files come from."""
    return [sys.executable, "-P", "-m", name]


def environment() -> dict[str, str]:
    """For ``python_module``: the paths of this process, without relative ones."""
    package = Path(__file__).resolve().parents[3]
    paths = [path for path in dict.fromkeys([*sys.path, str(package)]) if os.path.isabs(path)]
    # BLAS is not used, and its threads do not survive the fork.
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"}


def prepare() -> None:
    """Start a process that will be wanted soon, so that it gets ready while this one does other things."""
    if not _idle:
        _idle.append(Helper())


def take() -> Helper:
    """One that is free, or a new one."""
    return _idle.pop() if _idle else Helper()


def give_back(helper: Helper) -> None:
    """Free for the next interpreter."""
    _idle.append(helper)
