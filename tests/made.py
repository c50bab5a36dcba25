"""Models that several suites need, made by the first that asks.

They lie in ``build/models``, under a digest of everything that they are made from: this repository's code and data, and
the versions of the packages that convert. Whatever changes there, all of them are made anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_CODE = ("mobilebert_lite", "converters")
_HERE = ("conftest.py", "heads.py")
_PACKAGES = ("tensorflow", "ai-edge-quantizer", "ai-edge-litert", "numpy", "tokenizers")
# Seconds after which the models of another state of the code are thrown away.
_OLD = 86_400


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """The file ``name``: that of an earlier session, or what ``make(path)`` writes.

    Two sessions at a time may both make it; the last one's stays. ``name`` must tell all that ``make`` depends on,
    checkpoints outside of this repository apart from their contents. The file is shared: nobody may change it.
    """
    path = _folder() / name
    if not path.exists():
        new = path.with_name(f"{os.getpid()}-{name}")
        make(new)
        new.replace(path)
    return path


@cache
def _folder() -> Path:
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(f"{path.relative_to(ROOT)} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    digest.update(" ".join(map(_version, _PACKAGES)).encode())
    folder = ROOT / "build" / "models" / digest.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.parent.iterdir():
        if other != folder and time.time() - other.stat().st_mtime > _OLD:
            shutil.rmtree(other, ignore_errors=True)
    return folder


def _sources() -> Iterator[Path]:
    for folder in _CODE:
        yield from sorted(path for path in (ROOT / folder).rglob("*")
                          if path.is_file() and "__pycache__" not in path.parts)
    yield from (ROOT / "tests" / name for name in _HERE)


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} absent"
