"""Files and folders appear whole or not at all."""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from mobilebert_lite.errors import UNPRINTABLE, CheckpointError, DataError, OutputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path whose content becomes that of ``path`` when the block ends well, and vanishes otherwise.

    A regular file is replaced in one step; behind a symbolic link, the file that the link names. Character devices,
    pipes and FIFOs are written to, since a rename would put a file in their place. Also on Ctrl-C.

    Raises OutputError for a folder, a socket or a block device, when the folder cannot be written, and when the
    disk is full.
    """
    temporary: Path | None = None
    try:
        target = _target(path)
        folder = target.parent if target else None
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=folder)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        if target is None:
            with temporary.open("rb") as content, _opened(path) as stream:
                shutil.copyfileobj(content, stream)
        else:
            # mkstemp makes private files; an output has the permissions of any other new file.
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, target)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; nothing was left behind") from error
    finally:
        if temporary is not None:
            with suppress(FileNotFoundError):
                temporary.unlink()


def check_output(path: Path) -> None:
    """Fail now rather than after minutes of work. Raises OutputError where ``replacing`` would."""
    try:
        target = _target(path)
        if target is not None:
            if not target.parent.is_dir():
                raise OutputError(f"cannot write {path}: there is no folder {target.parent}")
            tempfile.TemporaryFile(dir=target.parent).close()
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from None


def folder_for(path: Path) -> Path:
    """Where files that may become ``path`` are made: in its file system, or in that of temporary files.

    Raises OutputError as ``replacing``.
    """
    try:
        target = _target(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from None
    return target.parent if target else Path(tempfile.gettempdir())


# Files that are written to as they are, whatever stands in them.
_STREAMS = (stat.S_ISCHR, stat.S_ISFIFO)
_REFUSED = {stat.S_ISDIR: "it is a folder; give a file name", stat.S_ISSOCK: "it is a socket; give a file name",
            stat.S_ISBLK: "it is a block device, whose content would be lost; give a file name"}


def _target(path: Path) -> Path | None:
    """The regular file that ``path`` stands for, new or old; None for what is written to in place.

    Raises OutputError for what is never written, OSError for what cannot be looked at.
    """
    real = Path(os.path.realpath(path))
    try:
        status = path.stat()
    except FileNotFoundError:
        return real
    for is_kind, reason in _REFUSED.items():
        if is_kind(status.st_mode):
            raise OutputError(f"cannot write {path}: {reason}")
    if any(is_kind(status.st_mode) for is_kind in _STREAMS):
        return None
    # /dev/stdout may name a file that has no name any more.
    return real if real.exists() and os.path.samestat(real.stat(), status) else None


def _opened(path: Path) -> BinaryIO:
    """``path`` for writing; it must be there."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_TRUNC), "wb")


@contextmanager
def making_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` that becomes it when the block ends well, and vanishes otherwise.

    Also on Ctrl-C. Raises OutputError when ``path`` is there already (unless it is an empty folder), or when it
    cannot be written.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise OutputError(f"{path} is there already, and not empty; give a new folder, or remove it")
    temporary: Path | None = None
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent))
        yield temporary
        os.chmod(temporary, 0o777 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; nothing was left behind") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def write_atomically(path: Path, content: bytes) -> None:
    """``path`` with ``content``, or as it was before. Raises OutputError when it cannot be written."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


# How a file begins that Git LFS keeps elsewhere; the first line of its specification.
_POINTER = b"version https://git-lfs.github.com/spec/v1"


def refuse_pointer(path: Path) -> None:
    """Raise CheckpointError where ``path`` is what Git LFS leaves in place of a file that it has not fetched."""
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
    return (json_text(value, indent=2, sort_keys=sort_keys) + "\n").encode()


def json_text(value: Any, indent: int | None = None, sort_keys: bool = False) -> str:
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
