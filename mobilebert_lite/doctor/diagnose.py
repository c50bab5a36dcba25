"""Whether a file does what its clients ask, point by point. No interpreter runs for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobilebert_lite.doctor import gpu, hexagon, litert, mediapipe, mlperf, npu, packages, task_library
from mobilebert_lite.doctor.facts import Facts
from mobilebert_lite.doctor.findings import ERROR, SEVERITIES, Check, Finding, Problem
from mobilebert_lite.errors import ModelFileError, RequestError
from mobilebert_lite.npu.socs import find_soc
from mobilebert_lite.running.model import read_tflite
from mobilebert_lite.tflite.flatbuffer import is_tflite
from mobilebert_lite.tflite.op_versions import as_tuple
from mobilebert_lite.tflite.soundness import check_tflite


@dataclass(frozen=True)
class Client:
    """Whoever loads a file."""

    name: str
    title: str
    checks: tuple[Check, ...]
    # What it takes, by Facts.kind; empty: everything.
    kinds: tuple[str, ...] = ()


CLIENTS = {client.name: client for client in (
    Client("task-library", "TFLite Task Library: BertQuestionAnswerer, BertNLClassifier", task_library.CHECKS,
           task_library.KINDS),
    Client("mediapipe", "MediaPipe: TextClassifier, TextEmbedder", mediapipe.CHECKS, mediapipe.KINDS),
    Client("mlperf", "MLPerf Mobile app", mlperf.CHECKS, mlperf.KINDS),
    Client("litert", "LiteRT or TFLite on the CPU", litert.CHECKS, litert.KINDS),
    Client("gpu", "GPU delegate, LiteRT GPU accelerator", gpu.CHECKS, gpu.KINDS),
    Client("npu", "NPUs that compute with integers", npu.CHECKS, npu.KINDS),
)}
# Before the name of a processor whose compiler is asked: npu:sm8750.
NPU = "npu:"
ALL = "all"
# All clients but those a file is made for on purpose.
_COMMON = ("task-library", "mediapipe", "mlperf", "litert", "gpu")
# The client whose contract is a package's own.
ANDROID = "android"
# Whatever can be asked for.
KNOWN = (*CLIENTS, ANDROID, ALL)
PACKAGE_CHECKS: dict[str, tuple[str, Callable[[packages.Package], Iterator[Problem]]]] = {
    "page-size": ("64-bit native libraries: LOAD segments aligned to 16 KB, and stored at multiples of 16 KB",
                  packages.libraries),
    "models": ("models stored uncompressed, at multiples of 4 bytes", packages.models),
}


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    path: the file.
    kind: what the file is for (Facts.kind), or "package".
    runtime: the TFLite version asked about; None: the current one.
    fits: client -> whether it has no error; None: it does not take files of this kind.
    findings: the most severe first.
    """

    path: str
    kind: str
    runtime: str | None
    fits: dict[str, bool | None]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Those that keep a client from working."""
        return tuple(one for one in self.findings if one.severity == ERROR)

    @property
    def fixable(self) -> tuple[Finding, ...]:
        """Those that ``--fix`` mends."""
        return tuple(one for one in self.findings if one.fix)

    def to_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"path": self.path, "kind": self.kind, "runtime": self.runtime, "fits": self.fits,
                "findings": [one.to_json() for one in self.findings]}


def diagnose(path: Path, clients: Iterable[str] = (ALL,), runtime: str | None = None) -> Diagnosis:
    """Check ``path``, a ``.tflite`` or an Android package with some in it.

    ``runtime`` is the TFLite version it must run in, such as 2.14. Raises ModelFileError when the file cannot be read,
    RequestError for an unknown client or version.
    """
    asked = tuple(dict.fromkeys(clients))
    for name in asked:
        check_client(name)
    if runtime is not None:
        as_tuple(runtime)
    if packages.is_package(path):
        return _of_package(path, asked, runtime)
    return diagnose_content(read_tflite(path), str(path), asked, runtime)


def check_client(name: str) -> None:
    """Raise RequestError for an unknown client."""
    if name.startswith(NPU):
        find_soc(name.removeprefix(NPU))
    elif name not in KNOWN:
        raise RequestError(f"unknown client {name!r}; known are {', '.join(KNOWN)}, and {NPU}sm8750 and the like")


def find_client(name: str) -> Client:
    """The client that checks a ``.tflite``. Raises RequestError for an unknown one."""
    if not name.startswith(NPU):
        return CLIENTS[name]
    soc = find_soc(name.removeprefix(NPU))
    return Client(name, str(soc), hexagon.checks(soc))


def diagnose_content(content: bytes, path: str, asked: Sequence[str], runtime: str | None = None) -> Diagnosis:
    """``diagnose`` for the bytes of a ``.tflite``; ``path`` is for messages."""
    findings: list[Finding] = []
    fits: dict[str, bool | None] = {}
    try:
        facts = Facts(content, runtime)
        for name in _expand(asked):
            client = find_client(name)
            if client.kinds and facts.kind not in client.kinds:
                fits[name] = None
                if name in asked:
                    findings.append(Finding(
                        name, "kind", ERROR, "file", f"the file is for {facts.kind}; {client.title} takes "
                        f"{' and '.join(client.kinds)}", "choose another client, or convert with another --task", None))
                continue
            found = [Finding(name, check.name, one.severity, one.where, one.what, one.mend, one.fix)
                     for check in client.checks for one in check.find(facts)]
            findings += sorted(found, key=lambda one: SEVERITIES.index(one.severity))
            fits[name] = all(one.severity != ERROR for one in found)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from None
    except Exception as error:  # the generated reader fails in any way on a damaged flatbuffer
        raise ModelFileError(f"{path} is a damaged .tflite: {type(error).__name__} while reading its tables") from error
    return Diagnosis(path, facts.kind, runtime, fits, tuple(findings))


def _expand(asked: Sequence[str]) -> tuple[str, ...]:
    """The clients that check a ``.tflite``; ``all`` are the common ones, to which others may be added by name."""
    names = [name for one in asked for name in (_COMMON if one == ALL else (one,))]
    return (*(name for name in CLIENTS if name in names),
            *dict.fromkeys(name for name in names if name.startswith(NPU)))


def _of_package(path: Path, asked: Sequence[str], runtime: str | None) -> Diagnosis:
    with packages.Package(path) as package:
        findings = [Finding(ANDROID, name, one.severity, one.where, one.what, one.mend, None)
                    for name, (_, find) in PACKAGE_CHECKS.items() for one in find(package)]
        fits: dict[str, bool | None] = {ANDROID: all(one.severity != ERROR for one in findings)}
        for entry in package.entries(r"\.tflite$"):
            content = package.read(entry.name)
            if not is_tflite(content):
                findings.append(Finding(ANDROID, "models", ERROR, entry.name, "it is no .tflite (no identifier TFL3)",
                                        "put the right file into assets", None))
                fits[ANDROID] = False
                continue
            try:
                check_tflite(content)
            except ModelFileError as error:
                raise ModelFileError(f"{path}: {entry.name}: {error}") from None
            inner = diagnose_content(content, f"{path}: {entry.name}", asked, runtime)
            findings += [Finding(one.client, one.check, one.severity, f"{entry.name}: {one.where}", one.what, one.mend,
                                 None) for one in inner.findings]
            for name, fit in inner.fits.items():
                known = fits.get(name)
                fits[name] = fit if known is None else known and fit is not False
    return Diagnosis(str(path), "package", runtime, fits, tuple(findings))
