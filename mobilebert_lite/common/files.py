"""Files and folders appear whole or not at all."""

from __future__ import annotations

import codecs
import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mobilebert_lite.common.targets import target_of
from mobilebert_lite.common.temporary import temporary
from mobilebert_lite.errors import UNPRINTABLE, CheckpointError, DataError, OutputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path whose content becomes that of ``path`` when the block ends well, and vanishes otherwise.

    A regular file is replaced in one step; behind a symbolic link, the file that the link names. Character devices,
    pipes, FIFOs and open files (/dev/stdout) are written to, since a rename would put a file in their place. Also on
    Ctrl-C.

    Raises OutputError for a folder, a socket or a block device, when the folder cannot be written, and when the
    disk is full.
    """
    with _blamed(path) as mine:
        target = target_of(path)
        folder = target.file.parent if target.file else Path(tempfile.gettempdir())
        with temporary(folder, path.name) as unfinished:
            mine.append(unfinished)
            yield unfinished
            if target.file is None:
                with unfinished.open("rb") as content, target.open() as stream:
                    shutil.copyfileobj(content, stream)
            else:
                # Temporary files are private; an output has the permissions of any other new file.
                os.chmod(unfinished, 0o666 & ~_umask())
                os.replace(unfinished, target.file)


@contextmanager
def _blamed(path: Path) -> Iterator[list[Path]]:
    """Blame what cannot be written on ``path``, unless the error names a file that is neither it nor in the list."""
    mine = [path]
    try:
        yield mine
    except OSError as error:
        named = error.filename2 or error.filename
        if named is not None and not any(str(named).startswith(str(one)) for one in (*mine, mine[-1].parent)):
            raise
        raise OutputError(f"cannot write {path}: {error.strerror or error}; nothing was left behind") from error


def check_output(path: Path) -> None:
    """Fail now rather than after minutes of work. Raises OutputError where ``replacing`` would."""
    try:
        file = target_of(path).file
        if file is not None:
            if not file.parent.is_dir():
                raise OutputError(f"cannot write {path}: there is no folder {file.parent}")
            tempfile.TemporaryFile(dir=file.parent).close()
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from None


def folder_for(path: Path) -> Path:
    """Where files that may become ``path`` are made: in its file system, or in that of temporary files.

    Raises OutputError as ``replacing``.
    """
    try:
        file = target_of(path).file
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from None
    return file.parent if file else Path(tempfile.gettempdir())


def check_folder(path: Path) -> Path:
    """The folder that ``path`` names, which can be made or is empty, links followed.

    Raises OutputError when it is there already, or cannot be made.
    """
    try:
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise OutputError(f"{path} is there already, and not empty; give a new folder, or remove it")
        folder = Path(os.path.realpath(path, strict=path.is_symlink() and path.exists()))
        if path.is_symlink() and folder.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if not folder.parent.is_dir():
            raise OutputError(f"cannot write {path}: there is no folder {folder.parent}")
        tempfile.TemporaryFile(dir=folder.parent).close()
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from None
    return folder


@contextmanager
def making_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` that becomes it when the block ends well, and vanishes otherwise.

    Also on Ctrl-C. Raises OutputError as ``check_folder``, and when the disk is full.
    """
    target = check_folder(path)
    with _blamed(path) as mine, temporary(target.parent, path.name, is_folder=True) as unfinished:
        mine.append(unfinished)
        yield unfinished
        os.chmod(unfinished, 0o777 & ~_umask())
        os.replace(unfinished, target)


def write_atomically(path: Path, content: bytes) -> None:
    """``path`` with ``content``, or as it was before. Raises OutputError when it cannot be written."""
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)


# How a file begins that Git LFS keeps elsewhere; the first line of its specification.
_POINTER = b"version https://git-lfs.github.com/spec/v1"


def is_pipe(path: Path) -> bool:
    """Whether ``path`` is a pipe without a name, such as ``<(…)`` of a shell: somebody writes into it, and it can be
    read once."""
    with suppress(OSError):
        return stat.S_ISFIFO(path.stat().st_mode) and os.path.realpath(path).startswith("/proc/")
    return False


def is_special(path: Path) -> bool:
    """Whether ``path`` is there, and neither a file nor a folder."""
    return path.exists() and not (path.is_file() or path.is_dir())


def refuse_endless(path: Path) -> None:
    """Raise DataError for a device that is no terminal, such as /dev/zero: it would be read without end."""
    with suppress(OSError):
        if path.is_char_device():
            with path.open("rb", buffering=0) as device:
                if not device.isatty():
                    raise DataError(f"{path} is a device; give a file, or a pipe")


def refuse_pointer(path: Path) -> None:
    """Raise CheckpointError where ``path`` is what Git LFS leaves in place of a file that it has not fetched, and where
    it is a device, a socket or a FIFO, which is not even opened: it might never end, or never begin."""
    if is_pipe(path):
        return
    if is_special(path):
        raise CheckpointError(f"{path} is a device, a FIFO or a socket, not a file; put the file itself there")
    try:
        with path.open("rb") as file:
            start = file.read(len(_POINTER))
    except OSError:
        return  # whoever reads it says so
    if start == _POINTER:
        raise CheckpointError(f"{path} is a Git LFS pointer, not the file itself; fetch it with: git lfs pull")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read_lines(path: Path) -> tuple[str, ...]:
    """The lines of a text, such as labels, without blank ones at its end; old editors end them with CR. Raises as
    ``read_text``."""
    return without_blank_end([line if line.strip() else "" for line in read_text(path).replace("\r", "\n").split("\n")])


def read_text(path: Path) -> str:
    """A text that lies beside weights (vocabulary, labels, configuration), as ``decode_text`` reads it.

    Raises DataError with the path when it cannot be read, CheckpointError for a Git LFS pointer.
    """
    refuse_pointer(path)
    try:
        return decode_text(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except DataError as error:
        raise DataError(f"cannot read {path}: {error}") from None


def decode_text(data: bytes) -> str:
    """UTF-8, or UTF-16 that begins with a byte order mark; without the mark, and with ``\\n`` for CR LF.

    Windows editors write the mark and CR LF; neither is a part of the text. Raises DataError for other bytes.
    """
    marked = len(data) > 2 and data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if marked else "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"not {encoding.upper()} at byte {error.start}; save it as UTF-8 text") from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def without_blank_end(lines: Sequence[str]) -> tuple[str, ...]:
    """``lines`` up to the last one that is not empty."""
    count = len(lines)
    while count and not lines[count - 1]:
        count -= 1
    return tuple(lines[:count])


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """A report, in the order of ``value``. Raises as ``write_atomically``."""
    write_atomically(path, json_bytes(value, sort_keys=False))


def json_bytes(value: Mapping[str, Any], sort_keys: bool = True) -> bytes:
    """``value`` as a JSON file."""
    return (to_json(value, indent=2, sort_keys=sort_keys) + "\n").encode()


def to_json(value: Any, indent: int | None = None, sort_keys: bool = False) -> str:
    """``value`` as JSON that a terminal may show: characters that ``printable`` replaces are escaped, and so are halves
    of surrogate pairs. Whoever reads it gets the same strings."""
    text = json.dumps(value, indent=indent, sort_keys=sort_keys, ensure_ascii=False)
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode("utf-8", "backslashreplace").decode()


def sha256_of(files: Iterable[Path]) -> str:
    """SHA-256 of the files one after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
