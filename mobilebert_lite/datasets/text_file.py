"""The lines of a text file, as often as they are asked for, and never the whole file at once."""

from __future__ import annotations

import codecs
import io
import shutil
import stat
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mobilebert_lite.common.files import refuse_endless, refuse_pointer
from mobilebert_lite.errors import DataError

# Bytes at the beginning of a file that tell its encoding and how its lines end.
_HEAD = 1 << 16
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
          (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# A UTF-8 text has hardly any NUL; every second byte of English in UTF-16 is one.
_FEW_NULS = 0.1
# Of one row, or of one text that has a word on each line.
MOST_LINES = 100_000
# Bytes of a pipe that are kept in memory.
_SPOOL = 1 << 24


class TextFile:
    """A file of text in UTF-8, UTF-16 or UTF-32, whose lines end with LF, CR LF or (throughout) CR."""

    def __init__(self, stream: BinaryIO, where: str) -> None:
        """``stream`` can seek; ``where`` names it in errors. Raises DataError for bytes that are no text."""
        self.where, self._stream = where, stream
        # In bytes.
        self.size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        # Line, from 1 -> the first of its bytes that is not UTF-8.
        self.damaged: dict[int, int] = {}
        head = stream.read(_HEAD)
        self._start, self._encoding = next(((len(mark), name) for mark, name in _MARKS if head.startswith(mark)),
                                           (0, _unmarked(head)))
        # The beginning, without regard to damage.
        self.head = head[self._start:].decode(self._encoding, "replace")
        self._end = "\n" if "\n" in self.head or "\r" not in self.head else "\r"

    def lines(self) -> Iterator[str]:
        """Each line with ``\\n`` at its end, where it has an end; from the first one on.

        Bytes that are not UTF-8 become lone surrogates, and their lines are listed in ``damaged``.
        Raises DataError for other encodings' errors.
        """
        self._stream.seek(self._start)
        if self._encoding == "utf-8" and self._end == "\n":
            return self._utf8_lines()
        return self._other_lines()

    def chunks(self, size: int) -> Iterator[str]:
        """The file in pieces of ``size`` characters, wherever its lines end. Raises DataError where it is damaged."""
        self._stream.seek(self._start)
        with self._wrapped("") as wrapper:
            while chunk := wrapper.read(size):
                yield chunk

    def text(self) -> str:
        """The whole file. Raises DataError where it is damaged."""
        text = "".join(self.lines())
        for line, byte in self.damaged.items():
            raise self.damage(line, byte)
        return text

    def damage(self, line: int, byte: int) -> DataError:
        """What is wrong with a damaged line."""
        return DataError(f"{self.where}, line {line}: not UTF-8 at byte {byte}; save the file as UTF-8 text")

    def _utf8_lines(self) -> Iterator[str]:
        place = self._start
        for number, raw in enumerate(self._stream, 1):
            try:
                yield raw.decode()
            except UnicodeDecodeError as error:
                self.damaged[number] = place + error.start
                yield raw.decode("utf-8", "surrogateescape")
            place += len(raw)

    def _other_lines(self) -> Iterator[str]:
        with self._wrapped(self._end) as wrapper:
            for line in wrapper:
                yield line.replace("\r", "\n") if self._end == "\r" else line

    @contextmanager
    def _wrapped(self, newline: str) -> Iterator[io.TextIOWrapper]:
        """The stream as text; it stays open. Raises DataError where it is damaged."""
        wrapper = io.TextIOWrapper(self._stream, self._encoding, newline=newline)
        try:
            yield wrapper
        except UnicodeDecodeError:
            raise self._undecodable() from None
        finally:
            if not self._stream.closed:
                wrapper.detach()

    def _undecodable(self) -> DataError:
        self._stream.seek(self._start)
        try:
            self._stream.read().decode(self._encoding)
        except UnicodeDecodeError as error:
            place = self._start + error.start
            return DataError(f"{self.where}: not {self._encoding.upper()} at byte {place}; save it as UTF-8 text")
        return DataError(f"{self.where}: not {self._encoding.upper()}; save it as UTF-8 text")


@contextmanager
def opened(path: Path) -> Iterator[TextFile]:
    """``path``, which may also be a pipe.

    Raises DataError when it cannot be read, CheckpointError for a Git LFS pointer.
    """
    refuse_endless(path)
    try:
        with path.open("rb") as stream:
            if stat.S_ISREG(path.stat().st_mode):
                refuse_pointer(path)
                yield TextFile(stream, str(path))
            else:
                with tempfile.SpooledTemporaryFile(_SPOOL) as kept:
                    shutil.copyfileobj(stream, kept)
                    kept.seek(0)
                    yield TextFile(kept, str(path))  # type: ignore[arg-type]
    except FileNotFoundError:
        raise DataError(f"no data file at {path}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def _unmarked(head: bytes) -> str:
    """The encoding of a text without a byte order mark: UTF-8, unless it can only be UTF-16."""
    if b"\0" not in head:
        return "utf-8"
    if head.count(0) < _FEW_NULS * len(head) and _decoded(head, "utf-8") is not None:
        return "utf-8"
    possible = [name for name in ("utf-16-le", "utf-16-be") if _is_text(_decoded(head, name))]
    return possible[0] if len(possible) == 1 else "utf-8"


def _decoded(head: bytes, encoding: str) -> str | None:
    try:
        # The last character may be cut.
        return codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return None


def _is_text(text: str | None) -> bool:
    return text is not None and not any(unicodedata.category(one) in ("Cc", "Cn", "Co") and one not in "\t\n\r\f"
                                        for one in text)
