"""The program that runs models on phones: the official build of ``benchmark_model``, kept in a cache, or one's own."""

from __future__ import annotations

import http.client
import importlib.metadata
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mobilebert_lite.benchmarks.measuring.runner import RunnerError
from mobilebert_lite.benchmarks.reports.result import GPU
from mobilebert_lite.common.files import json_bytes, replacing, sha256_of, write_atomically
from mobilebert_lite.common.json_text import decode

NAME = "benchmark_model"
# Where the LiteRT project publishes its builds, one folder for each version of the Python package.
ADDRESS = "https://storage.googleapis.com/litert/binaries/{version}/android_arm64/{name}"
VARIABLE = "MBL_BENCHMARK_MODEL"
# What the program loads for an accelerator, from its own folder. Some builds hold it themselves, and their version's
# folder has no such file.
LIBRARIES = {GPU: "libLiteRtClGlAccelerator.so"}
# "VERSION/NAME" -> {"bytes", "sha256"} of official files that somebody has looked at. Others are trusted when they are
# fetched first, and compared with that ever after.
KNOWN = Path(__file__).with_name("known_binaries.json")
# Larger than any build: what a server sends without end is not kept.
LARGEST = 512 << 20
_SECONDS, _SECONDS_TOGETHER = 60, 1800
_ADVICE = f"fetch it where there is a network, and give it as --runner-binary or in {VARIABLE}"


@dataclass(frozen=True)
class Binary:
    """A program for phones."""

    path: Path
    # Of LiteRT; empty for a program that was given.
    version: str
    sha256: str

    @property
    def libraries(self) -> list[Path]:
        """Shared libraries beside it, such as GPU accelerators, which it looks for in its own folder."""
        return sorted(self.path.parent.glob("*.so"))


def find_binary(given: Path | None = None, accelerators: Sequence[str] = (), pin: str | None = None,
                tell: Callable[[str], None] = lambda message: None) -> Binary:
    """``given``, or the one MBL_BENCHMARK_MODEL names, or the official one of the installed LiteRT, fetched if it is
    not in the cache, with the libraries of ``accelerators``. ``pin`` is the SHA-256 that it must have; ``tell`` hears
    of files that are trusted because they are the first of their name. Raises RunnerError."""
    path = given or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if path is None:
        found = _official(importlib.metadata.version("ai-edge-litert"), accelerators, tell)
    elif path.is_file():
        found = Binary(path.resolve(), "", sha256_of([path]))
    else:
        raise RunnerError(f"{path} is no file; --runner-binary and {VARIABLE} take the {NAME} to run on the phone")
    if pin is not None and found.sha256 != pin.lower():
        raise RunnerError(f"{found.path} has SHA-256 {found.sha256}, not {pin.lower()} as --runner-sha256 says; it is "
                          "another program: fetch it again, or correct the option")
    return found


def cache() -> Path:
    """The folder that programs are kept in, by version."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "mobilebert-lite" / NAME


def _official(version: str, accelerators: Sequence[str], tell: Callable[[str], None]) -> Binary:
    path, digest = _kept(version, NAME, tell)
    for library in (LIBRARIES[one] for one in accelerators if one in LIBRARIES):
        with suppress(_NotThere):
            _kept(version, library, tell)
    return Binary(path, version, digest)


def _kept(version: str, name: str, tell: Callable[[str], None]) -> tuple[Path, str]:
    """A file of the cache and its SHA-256. Size and SHA-256 are written down when it is fetched; every later use
    compares. Raises RunnerError, _NotThere."""
    folder, address = cache() / version, ADDRESS.format(version=version, name=name)
    path, record = folder / name, folder / f"{name}.json"
    if not (path.is_file() and record.is_file()):
        folder.mkdir(parents=True, exist_ok=True)
        known = _known(version, name)
        _fetch(address, path, known)
        digest = sha256_of([path])
        write_atomically(record, json_bytes({"bytes": path.stat().st_size, "sha256": digest, "address": address}))
        if known is None:
            tell(f"fetched {name} of LiteRT {version}, SHA-256 {digest}: trusted because it is the first; later ones "
                 "must be the same" + (", and --runner-sha256 pins it" if name == NAME else ""))
    try:
        recorded = decode(record.read_bytes())
        expected = (recorded["bytes"], recorded["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        raise RunnerError(f"{record} is damaged; delete {folder} to fetch the program again") from None
    digest = sha256_of([path])
    if (path.stat().st_size, digest) != expected:
        raise RunnerError(f"{path} is not what was fetched (SHA-256 {digest[:16]}…, not {str(expected[1])[:16]}…); "
                          f"delete {folder} to fetch it again")
    return path, digest


def _known(version: str, name: str) -> tuple[int, str] | None:
    """Size and SHA-256 of an official file, where they are known here."""
    one = json.loads(KNOWN.read_bytes()).get(f"{version}/{name}")
    return None if one is None else (int(one["bytes"]), str(one["sha256"]))


class _NotThere(RunnerError):
    """The server has no such file."""


def _fetch(address: str, path: Path, known: tuple[int, str] | None) -> None:
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer, replacing(path) as temporary:
            with temporary.open("wb") as stream:
                _copy(answer, stream, address)
            size, expected = temporary.stat().st_size, answer.headers.get("Content-Length", "")
            if expected.isdecimal() and len(expected) < 16 and int(expected) != size:
                raise RunnerError(f"{address} broke off after {size} of {expected} bytes; try again")
            with temporary.open("rb") as stream:
                if stream.read(4) != b"\x7fELF":
                    raise RunnerError(f"{address} gave something that is no program; {_ADVICE}")
            if known is not None and (size, sha256_of([temporary])) != known:
                raise RunnerError(f"{address} gave another file than the official one ({size} bytes, SHA-256 "
                                  f"{sha256_of([temporary])}; it has {known[0]} and {known[1]}); do not run it: "
                                  f"{_ADVICE}")
    except urllib.error.HTTPError as error:
        kind = _NotThere if error.code == 404 else RunnerError
        raise kind(f"{address} answers {error.code}: perhaps there is no {path.name} of this version; "
                   f"{_ADVICE}") from None
    except (OSError, http.client.HTTPException) as error:
        raise RunnerError(f"cannot fetch {address}: {getattr(error, 'reason', error)}; {_ADVICE}") from None


def _copy(answer: IO[bytes], stream: IO[bytes], address: str) -> None:
    """Raises RunnerError for what is larger, or slower, than any program."""
    size, until = 0, time.monotonic() + _SECONDS_TOGETHER
    while chunk := answer.read(1 << 16):
        size += stream.write(chunk)
        if size > LARGEST or time.monotonic() > until:
            raise RunnerError(f"{address} sends more than {LARGEST >> 20} MB, or for longer than "
                              f"{_SECONDS_TOGETHER // 60} minutes; {_ADVICE}")
