"""Files and folders that only a command at work needs: they vanish with it, however it ends.

The process that makes one holds a lock on it. A janitor (``Janitor``), where the command line has started one, removes
them when the process is killed; where there is none, the next command that makes one beside them does: what nobody
holds is what a killed command left.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mobilebert_lite.errors import OutputError

SUFFIX = ".mbl-part"
_OURS = re.compile(rf".*\.[a-z0-9_]{{8}}{re.escape(SUFFIX)}", re.DOTALL)
# Characters of an output's name that its temporary file shows; a name may have 255 bytes.
_SHOWN = 40
_DESCRIPTORS = 1 << 16


@contextmanager
def scratch_folder(where: Path | None = None) -> Iterator[Path]:
    """A folder for files of the block alone, in ``where`` or where temporary files go.

    Raises OutputError for what cannot be written there.
    """
    with temporary(where or Path(tempfile.gettempdir()), "scratch", is_folder=True) as folder:
        try:
            yield folder
        except OSError as error:
            if error.filename is not None and not str(error.filename).startswith(str(folder)):
                raise
            raise OutputError(f"cannot write temporary files in {folder.parent}: {error.strerror or error}; make room, "
                              "or set TMPDIR to another folder") from error


@contextmanager
def temporary(where: Path, name: str, is_folder: bool = False) -> Iterator[Path]:
    """A new file or folder in ``where`` that shows ``name``; it is gone after the block, unless it was renamed.

    Raises OSError when it cannot be made.
    """
    sweep(where)
    path, lock = _claimed(where, name, is_folder)
    watched = _janitor  # a fork has none
    if watched is not None:
        watched.watch(path)
    try:
        yield path
    finally:
        remove(path)
        os.close(lock)
        if watched is not None:
            watched.forget(path)


def sweep(where: Path) -> None:
    """Remove what killed commands of this user left in ``where``."""
    with suppress(OSError), os.scandir(where) as entries:
        for entry in [one for one in entries if _OURS.fullmatch(one.name)]:
            with suppress(OSError):
                if entry.stat(follow_symlinks=False).st_uid == os.getuid() and not entry.is_symlink():
                    _remove_unheld(Path(entry.path))


def remove(path: Path) -> None:
    """Remove a file or a folder that need not be there."""
    with suppress(OSError):
        os.unlink(path)
        return
    shutil.rmtree(path, ignore_errors=True)


def _remove_unheld(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(path)
    finally:
        os.close(handle)


def _claimed(where: Path, name: str, is_folder: bool) -> tuple[Path, int]:
    """A new file or folder, and the descriptor that holds its lock."""
    prefix = f".{name[:_SHOWN]}."
    make = tempfile.mkdtemp if is_folder else _made
    while True:
        path = Path(make(SUFFIX, prefix, where))
        try:
            lock = os.open(path, os.O_RDONLY)
        except FileNotFoundError:  # another command took it for a leftover
            continue
        with suppress(OSError):  # a file system without locks keeps what a killed command leaves
            fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return path, lock
        os.close(lock)


def _made(suffix: str, prefix: str, where: Path) -> str:
    handle, name = tempfile.mkstemp(suffix, prefix, where)
    os.close(handle)
    return name


class Janitor:
    """A process that does nothing until this one has ended, in whatever way, and then removes what it left."""

    def __init__(self) -> None:
        """Fork it; to be called while this process has one thread. Raises OSError when no process is to be had."""
        self._owner = os.getpid()
        reading, self._writing = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            try:
                self._wait(reading)
            finally:
                os._exit(0)
        os.close(reading)

    def watch(self, path: Path) -> None:
        """Remove ``path`` at the end, unless it is gone by then."""
        self._say(b"+", path)

    def forget(self, path: Path) -> None:
        """``path`` is gone."""
        self._say(b"-", path)

    def dismiss(self) -> None:
        """End it, and wait until it has ended."""
        if os.getpid() == self._owner:
            os.close(self._writing)
            with suppress(ChildProcessError):
                os.waitpid(self._process, 0)

    def _say(self, what: bytes, path: Path) -> None:
        if os.getpid() == self._owner:
            with suppress(OSError):  # it was killed; the next command cleans up
                os.write(self._writing, what + os.fsencode(path.absolute()) + b"\0")

    def _wait(self, reading: int) -> None:
        os.setsid()  # what ends the group of the command must not end this one
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.dup2(reading, 0)
        os.closerange(1, _DESCRIPTORS)  # whoever reads the command's output waits for its end
        said = bytearray()
        while block := os.read(0, 1 << 16):
            said += block
        left: dict[bytes, bool] = {}
        for message in bytes(said).split(b"\0"):
            if message[:1] == b"+":
                left[message[1:]] = True
            else:
                left.pop(message[1:], False)
        for path in left:
            remove(Path(os.fsdecode(path)))


_janitor: Janitor | None = None


@contextmanager
def janitor() -> Iterator[None]:
    """A janitor for the temporary files of the block."""
    global _janitor
    with suppress(OSError):
        _janitor = Janitor()
    try:
        yield
    finally:
        found, _janitor = _janitor, None
        if found is not None:
            found.dismiss()
