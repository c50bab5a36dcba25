"""What the path of an output stands for: a file that is replaced, or what is written to in place."""

from __future__ import annotations

import fcntl
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mobilebert_lite.errors import OutputError

# Links that are followed, as the system does.
_LINKS = 40
# What is written to as it is: a rename would put a file in its place.
_STREAMS = (stat.S_ISCHR, stat.S_ISFIFO)
_REFUSED = {stat.S_ISDIR: "it is a folder; give a file name", stat.S_ISSOCK: "it is a socket; give a file name",
            stat.S_ISBLK: "it is a block device, whose content would be lost; give a file name"}


@dataclass(frozen=True)
class Target:
    """Where an output goes.

    file: the regular file, new or old, that is replaced in one step; None: it is written to in place.
    descriptor: the open file of this process that the path names, which goes on where it stands.
    """

    path: Path
    file: Path | None = None
    descriptor: int | None = None

    def open(self) -> BinaryIO:
        """What is written to in place. Raises OSError."""
        if self.descriptor is not None:
            return os.fdopen(os.dup(self.descriptor), "wb")
        return os.fdopen(os.open(self.path, os.O_WRONLY | os.O_TRUNC), "wb")


def target_of(path: Path) -> Target:
    """What ``path`` stands for, links followed.

    Raises OutputError for what is never written, OSError for what cannot be looked at or is not open for writing.
    """
    number = descriptor(path)
    status = None
    if number is not None:
        status = os.fstat(number)
        if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OutputError(f"cannot write {path}: it is open for reading only")
    else:
        try:
            status = path.stat()
        except FileNotFoundError:
            return Target(path, Path(os.path.realpath(path)))
    for is_kind, reason in _REFUSED.items():
        if is_kind(status.st_mode):
            raise OutputError(f"cannot write {path}: {reason}")
    if number is not None or any(is_kind(status.st_mode) for is_kind in _STREAMS):
        if number is None and not os.access(path, os.W_OK):
            raise OutputError(f"cannot write {path}: Permission denied")
        return Target(path, None, number)
    return Target(path, Path(os.path.realpath(path)))


def descriptor(path: Path) -> int | None:
    """The number of the open file of this process that ``path`` names, also through links, such as 1 for /dev/stdout;
    None for other paths."""
    for _ in range(_LINKS):
        folder = os.path.realpath(path.parent)
        if folder in (f"/proc/{os.getpid()}/fd", "/dev/fd") and path.name.isdecimal():
            return int(path.name)
        if not path.is_symlink():
            return None
        path = Path(folder, os.readlink(path))
    return None
