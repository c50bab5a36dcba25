"""Android packages (APK, AAR, AAB): page size of native libraries, and how models are stored.

Sources: "Support 16 KB page sizes" of the Android developers' guide; elf(5); PKWARE's APPNOTE, 4.3.7.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mobilebert_lite.doctor.findings import ERROR, NOTE, WARNING, Problem
from mobilebert_lite.errors import ModelFileError

PAGE = 16 << 10
# lib/arm64-v8a/ in an APK, jni/ in an AAR, base/lib/ in an AAB.
_LIBRARY = re.compile(r"(?:^|/)(?:lib|jni)/([^/]+)/[^/]+\.so$")
# Devices with pages of 16 KB run 64-bit code only.
_ABIS = ("arm64-v8a", "x86_64", "riscv64")
_PT_LOAD = 1
_LARGEST_MODEL = 1 << 30
_MOST_HEADERS = 1 << 12
# A header table lies right behind the ELF header, within the first pages.
_LARGEST_HEAD = 1 << 20


@dataclass(frozen=True)
class ArchiveEntry:
    """One file in a package."""

    name: str
    stored: bool
    # Where its data begin in the package.
    offset: int


class Package:
    """A package that is open for reading. Raises ModelFileError when it is no zip archive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise ModelFileError(f"{path} is no Android package: {error}") from None
        # An AAR is unpacked and an AAB packed anew at build time, so offsets in them mean nothing.
        self.is_final = path.suffix.lower() not in (".aar", ".aab")

    def __enter__(self) -> Package:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def entries(self, pattern: str) -> list[ArchiveEntry]:
        """Those whose name ends as ``pattern`` says."""
        with self.path.open("rb") as stream:
            return [ArchiveEntry(info.filename, info.compress_type == zipfile.ZIP_STORED, _offset(stream, info))
                    for info in self._archive.infolist() if re.search(pattern, info.filename)]

    def read(self, name: str, limit: int = _LARGEST_MODEL) -> bytes:
        """At most ``limit`` bytes of an entry. Raises ModelFileError when it is damaged."""
        try:
            with self._archive.open(name) as stream:
                return stream.read(limit)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
            raise ModelFileError(f"{self.path}: {name} is damaged: {error}") from None


def is_package(path: Path) -> bool:
    """Whether the file begins as a zip does. A ``.tflite`` may end with one, but never begins so."""
    try:
        with path.open("rb") as stream:
            return stream.read(4) == b"PK\x03\x04"
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error.strerror}") from None


def libraries(package: Package) -> Iterator[Problem]:
    """LOAD segments aligned to 16 KB, and, where the library is mapped from the package, its offset too."""
    for entry in package.entries(_LIBRARY.pattern):
        found = _LIBRARY.search(entry.name)
        if found is None or found.group(1) not in _ABIS:
            continue
        align = _load_alignment(package.read(entry.name, _LARGEST_HEAD))
        if align is None:
            yield Problem(ERROR, entry.name, "it is no ELF library with LOAD segments", "build it again")
        elif align < PAGE:
            yield Problem(ERROR, entry.name, f"its LOAD segments are aligned to {align} bytes; devices with pages of "
                          "16 KB cannot load it", "use a version built for 16 KB pages, or link with "
                          "-Wl,-z,max-page-size=16384 (NDK r28 does)")
        if package.is_final and entry.stored and entry.offset % PAGE:
            yield Problem(ERROR, entry.name, f"it is stored at offset {entry.offset}, no multiple of {PAGE}; a device "
                          "with pages of 16 KB cannot map it", "zipalign -P 16 -f 4 IN.apk OUT.apk, then sign again")


def models(package: Package) -> Iterator[Problem]:
    """Models stored uncompressed, so that they can be mapped."""
    found = package.entries(r"\.tflite$")
    for entry in found if package.is_final else ():
        if not entry.stored:
            yield Problem(ERROR, entry.name, "it is compressed: openFd() fails, and so do Task Library, MediaPipe and "
                          "mapping it", 'androidResources { noCompress += "tflite" } (aapt: -0 tflite)')
        elif entry.offset % 4:
            yield Problem(WARNING, entry.name, f"it is stored at offset {entry.offset}, no multiple of 4, so its "
                          "tables are read unaligned", "zipalign -P 16 -f 4 IN.apk OUT.apk, then sign again")
    if not found:
        yield Problem(NOTE, package.path.name, "there is no .tflite in it", "put it into assets")


def _offset(stream: IO[bytes], info: zipfile.ZipInfo) -> int:
    """Where the data of an entry begin: behind its local header, whose extra field may differ from the central one."""
    stream.seek(info.header_offset)
    header = stream.read(30)
    if len(header) < 30:
        raise ModelFileError(f"{info.filename} is damaged: its local header lies outside the package")
    name, extra = struct.unpack_from("<HH", header, 26)
    return int(info.header_offset + 30 + name + extra)


def _load_alignment(head: bytes) -> int | None:
    """The least alignment of the LOAD segments of a 64-bit ELF; None where there are none."""
    if head[:6] != b"\x7fELF\x02\x01" or len(head) < 64:
        return None
    start, = struct.unpack_from("<Q", head, 32)
    size, count = struct.unpack_from("<HH", head, 54)
    places = [start + size * number for number in range(min(count, _MOST_HEADERS))]
    if size < 56 or any(place + 56 > len(head) for place in places):
        return None
    return min((struct.unpack_from("<Q", head, place + 48)[0] for place in places
                if struct.unpack_from("<I", head, place)[0] == _PT_LOAD), default=None)
