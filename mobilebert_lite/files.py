"""Files and folders appear whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mobilebert_lite.errors import ConversionError, DataError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well, and vanishes otherwise.

    Also on Ctrl-C. Raises ConversionError when the folder cannot be written or the disk is full.
    """
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        # mkstemp makes private files; an output has the permissions of any other new file.
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise ConversionError(f"cannot write {path}: {error.strerror or error}; nothing was left behind") from error
    finally:
        if temporary is not None:
            with suppress(FileNotFoundError):
                temporary.unlink()


@contextmanager
def making_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` that becomes it when the block ends well, and vanishes otherwise.

    Also on Ctrl-C. Raises ConversionError when ``path`` is there already (unless it is an empty folder), or when it
    cannot be written.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise ConversionError(f"{path} is there already, and not empty; give a new folder, or remove it")
    temporary: Path | None = None
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        yield temporary
        os.chmod(temporary, 0o777 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise ConversionError(f"cannot write {path}: {error.strerror or error}; nothing was left behind") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def write_atomically(path: Path, content: bytes) -> None:
    """``path`` with ``content``, or as it was before. Raises ConversionError when it cannot be written."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read_text(path: Path) -> str:
    """A text in UTF-8 without the byte order mark that Windows editors write; lines end with a newline alone.

    Raises DataError when it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from None


def read_lines(path: Path) -> tuple[str, ...]:
    """The lines of a UTF-8 text, such as labels, without blank ones at its end. Raises DataError as ``read_text``."""
    text = read_text(path).rstrip()
    return tuple(text.split("\n")) if text else ()


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """A report, in the order of ``value``. Raises as ``write_atomically``."""
    write_atomically(path, json_bytes(value, sort_keys=False))


def json_bytes(value: Mapping[str, Any], sort_keys: bool = True) -> bytes:
    """``value`` as a JSON file."""
    # Names of files may hold bytes that are no UTF-8; JSON has an escape for what Python makes of them.
    text = json.dumps(value, indent=2, sort_keys=sort_keys, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


def sha256_of(files: Iterable[Path]) -> str:
    """SHA-256 of the files one after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
