"""The program that runs models on phones: the official build of ``benchmark_model``, kept in a cache, or one's own."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from mobilebert_lite.benchmarks.measuring.runner import RunnerError
from mobilebert_lite.common.fields import parse_json
from mobilebert_lite.common.files import json_bytes, replacing, sha256_of, write_atomically

NAME = "benchmark_model"
# Where the LiteRT project publishes its builds, one folder for each version of the Python package.
ADDRESS = "https://storage.googleapis.com/litert/binaries/{version}/android_arm64/benchmark_model"
VARIABLE = "MBL_BENCHMARK_MODEL"
_SECONDS = 60
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


def find_binary(given: Path | None = None) -> Binary:
    """``given``, or the one MBL_BENCHMARK_MODEL names, or the official one of the installed LiteRT, fetched if it is
    not in the cache. Raises RunnerError."""
    path = given or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if path is None:
        return _official(importlib.metadata.version("ai-edge-litert"))
    if not path.is_file():
        raise RunnerError(f"{path} is no file; --runner-binary and {VARIABLE} take the {NAME} to run on the phone")
    return Binary(path.resolve(), "", sha256_of([path]))


def cache() -> Path:
    """The folder that programs are kept in, by version."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "mobilebert-lite" / NAME


def _official(version: str) -> Binary:
    """Size and SHA-256 are written down when it is fetched; every later use compares."""
    folder = cache() / version
    path, record = folder / NAME, folder / f"{NAME}.json"
    if not (path.is_file() and record.is_file()):
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(ADDRESS.format(version=version), path)
        write_atomically(record, json_bytes({"bytes": path.stat().st_size, "sha256": sha256_of([path]),
                                             "address": ADDRESS.format(version=version)}))
    try:
        known = parse_json(record.read_bytes())
        expected = (known["bytes"], known["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        raise RunnerError(f"{record} is damaged; delete {folder} to fetch the program again") from None
    digest = sha256_of([path])
    if (path.stat().st_size, digest) != expected:
        raise RunnerError(f"{path} is not what was fetched (SHA-256 {digest[:16]}…, not {str(expected[1])[:16]}…); "
                          f"delete {folder} to fetch it again")
    return Binary(path, version, digest)


def _fetch(address: str, path: Path) -> None:
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer, replacing(path) as temporary:
            with temporary.open("wb") as stream:
                shutil.copyfileobj(answer, stream)
            expected = answer.headers.get("Content-Length")
            if expected is not None and int(expected) != temporary.stat().st_size:
                raise RunnerError(f"{address} broke off after {temporary.stat().st_size} of {expected} bytes; try "
                                  "again")
            with temporary.open("rb") as stream:
                if stream.read(4) != b"\x7fELF":
                    raise RunnerError(f"{address} gave something that is no program; {_ADVICE}")
    except urllib.error.HTTPError as error:
        raise RunnerError(f"{address} answers {error.code}: perhaps there is no {NAME} of this version; "
                          f"{_ADVICE}") from None
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise RunnerError(f"cannot fetch {address}: {getattr(error, 'reason', error)}; {_ADVICE}") from None
