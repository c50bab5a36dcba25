"""Jobs for device farms: files and commands that are ready to run. Nothing is sent from here.

Firebase Test Lab takes its arguments from a YAML file (`gcloud topic arg-files`), pushes files beside the app (`gcloud
firebase test android run`: --other-files) and hands environment variables to the instrumentation as `am instrument -e`
does. A job is one run of the demo app's instrumentation, so there is one for each model and setting. What it printed
comes back as instrumentation.results, a folder for each phone.

Google AI Edge Portal takes models from Google Cloud Storage and a JSON body over HTTPS; both are as LiteRT's own
command line (`litert benchmark --gcp`) sends them. What it answers is not documented.
"""

from __future__ import annotations

import json
import logging
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from mobilebert_lite.android.assets import examples, usable_model
from mobilebert_lite.benchmarks.app.report import report_of
from mobilebert_lite.benchmarks.app.request import AppRequest
from mobilebert_lite.benchmarks.measuring.runner import RunnerError
from mobilebert_lite.benchmarks.measuring.texts import MIXED, read_texts
from mobilebert_lite.benchmarks.phone.profiles import Profile, find_profile
from mobilebert_lite.benchmarks.reports.result import CPU, SCHEMA, BenchReport, parse, read
from mobilebert_lite.common.fields import parse_json
from mobilebert_lite.common.files import write_atomically
from mobilebert_lite.datasets.options import DataOptions
from mobilebert_lite.errors import DataError, RequestError

# On the phone, where the app may read. Firebase allows letters, digits and _-./+ in it.
FOLDER = "/data/local/tmp/mbl"
# Of files that a farm brings home.
RESULTS = "instrumentation.results"
# Inferences before those that are timed: nobody watches there whether the latency is stable.
_WARM_UP = 20
# The runtime that the portal offers by that name (litert-cli 0.3.0), and its only region.
_PORTAL_RUNTIME, _PORTAL_REGION = "litert-v2.0.3", "us-central1"
_PORTAL = "https://aiedgeportal.googleapis.com/v1alpha"
# Beyond it Firebase ends a test on a phone.
_MOST_MINUTES = 45
_NAME = re.compile(r"[A-Za-z0-9_.+-]+\.tflite")


@dataclass(frozen=True)
class Measurement:
    """What the jobs of a farm measure: every combination."""

    runs: int
    seconds: float
    threads: Sequence[int] = (1,)
    accelerators: Sequence[str] = (CPU,)
    # In tokens; MIXED: each text in the shortest signature that holds it; empty: the longest of each file.
    lengths: Sequence[int] = ()
    # Texts, as read_texts takes them.
    data: Path | None = None
    # What of them stands where.
    reading: DataOptions | None = None


def firebase(models: Sequence[Path], devices: Sequence[str], app: Path, test: Path, wanted: Measurement,
             *, folder: Path) -> list[str]:
    """Write ``folder``/firebase.yaml and the texts with the answers of this machine; the commands that run the jobs and
    fetch what they give.

    Raises DataError for a device without a codename, and for a file that is not there; ModelFileError for a model that
    the app cannot use.
    """
    _check([*models, app, test])
    minutes = 5 + wanted.seconds / 60
    if minutes > _MOST_MINUTES:
        raise RequestError(f"a job would take {minutes:.0f} minutes; Firebase ends tests on phones after "
                           f"{_MOST_MINUTES}: give fewer --seconds")
    phones = [{"model": _codename(profile)} for profile in map(find_profile, devices)]
    jobs: dict[str, Any] = {}
    for i, path in enumerate(models):
        texts, requests = _asked(path, i, wanted, folder)
        for request in requests:
            jobs[f"mbl-{len(jobs)}"] = {
                "type": "instrumentation", "app": str(app), "test": str(test), "timeout": f"{minutes:.0f}m",
                "use-orchestrator": False, "record-video": False, "performance-metrics": False,
                "num-flaky-test-attempts": 0, "device": phones,
                "other-files": {request.model: str(path), request.expected: str(texts)},
                "environment-variables": request.arguments()}
    file = folder / "firebase.yaml"
    _write(file, _yaml(jobs))
    results = folder / "results"
    return [*(shlex.join(["gcloud", "firebase", "test", "android", "run", f"{file}:{name}",
                          "--results-bucket=YOUR_BUCKET", f"--results-dir=mbl-bench/{name}"]) for name in jobs),
            shlex.join(["gcloud", "storage", "cp", "--recursive", "gs://YOUR_BUCKET/mbl-bench", str(results)]),
            shlex.join(["mbl", "bench", "--import", str(results)])]


def _asked(path: Path, number: int, wanted: Measurement, folder: Path) -> tuple[Path, list[AppRequest]]:
    """The file of texts for a model, written into ``folder``, and its requests."""
    model = usable_model(path)
    longest = (model.longest,)
    if missing := [one for one in wanted.lengths if one != MIXED and one not in model.lengths]:
        raise DataError(f"{path} has no length {missing[0]}; it has {', '.join(map(str, model.lengths))}")
    texts = folder / f"texts-{number}.examples.json"
    _write(texts, json.dumps(examples(model, read_texts(wanted.data, model.task, wanted.reading)),
                             ensure_ascii=False))
    name = path.name if _NAME.fullmatch(path.name) else f"model-{number}.tflite"
    return texts, [
        AppRequest(f"{FOLDER}/{name}", f"{FOLDER}/{texts.name}", accelerator, threads, _WARM_UP, wanted.runs,
                   wanted.seconds, None if length == MIXED else model.lengths[length])
        for length, accelerator, threads in product(wanted.lengths or longest, wanted.accelerators, wanted.threads)]


def portal(models: Sequence[Path], devices: Sequence[str], accelerators: Sequence[str], folder: Path) -> list[str]:
    """Write one ``folder``/portal-N.json for each model; the commands that upload and submit them.

    Raises DataError for a file that is not there, MblError for a device that is none, and for NPUs, which need a choice
    of chip for each phone.
    """
    _check(models)
    if "npu" in accelerators:
        raise RequestError("accelerator npu needs a chip for each phone, which only the portal's own page offers; "
                           "give cpu or gpu")
    phones = [{"deviceModel": _name(profile).lower()} for profile in map(find_profile, devices)]
    commands = []
    for i, path in enumerate(models):
        name = f"mbl-{i}-{'-'.join(accelerators)}"
        body = {"displayName": name, "modelPaths": [], "deviceConfigs": phones, "runSpecs": [
            {"accelerator": one.upper(), "id": one, "displayName": f"{one}_test", "runtimeVersion": _PORTAL_RUNTIME,
             "modelPath": f"YOUR_BUCKET/model-{i}.tflite"} for one in accelerators]}
        file = folder / f"portal-{i}.json"
        _write(file, json.dumps(body, indent=2) + "\n")
        address = (f"{_PORTAL}/projects/YOUR_PROJECT/locations/{_PORTAL_REGION}/benchmarks?benchmarkId={name}")
        commands += [
            shlex.join(["gcloud", "storage", "cp", str(path), f"gs://YOUR_BUCKET/model-{i}.tflite"]),
            'curl --fail -H "Authorization: Bearer $(gcloud auth application-default print-access-token)" '
            "-H 'Content-Type: application/json' -H 'X-Goog-User-Project: YOUR_PROJECT' "
            + shlex.join(["--data-binary", f"@{file}", address])]
    return commands


def read_results(paths: Iterable[Path]) -> list[BenchReport]:
    """The reports in files, and in folders at any depth: those that `mbl bench --report` wrote, and what the app
    printed (instrumentation.results). Other files of a folder are passed over, and with a warning runs that failed.

    Raises DataError for a file that is no report, and for a folder without one.
    """
    found: list[BenchReport] = []
    for path in paths:
        if not path.is_dir():
            found.append(read(path) if path.name != RESULTS else _printed(path))
            continue
        raw = {file: _json(file) for file in sorted(path.rglob("*.json"))}
        ours = [parse(one, str(file)) for file, one in raw.items()
                if isinstance(one, dict) and one.get("schema") == SCHEMA]
        printed = list(_those_that_ended(sorted(path.rglob(RESULTS))))
        found += ours + printed
        if not (ours or printed):
            raise DataError(f"{path} holds no report; the demo app's benchmark leaves {RESULTS} for each phone, and "
                            "`mbl bench --report` writes them")
    return found


def _those_that_ended(files: Iterable[Path]) -> Iterator[BenchReport]:
    for file in files:
        try:
            yield _printed(file)
        except DataError as error:
            logging.getLogger(__name__).warning("· warning: %s; it is left out", error)


def _printed(file: Path) -> BenchReport:
    try:
        return report_of(file.read_text(encoding="utf-8", errors="replace").splitlines())
    except (OSError, RunnerError) as error:
        raise DataError(f"{file}: {error}") from None


def _json(file: Path) -> Any:
    try:
        return parse_json(file.read_bytes())
    except (OSError, ValueError):
        return None


def _check(files: Iterable[Path]) -> None:
    for file in files:
        if not file.is_file():
            raise DataError(f"no file at {file}")
        if any(character in str(file) for character in ",=\n"):
            raise DataError(f"{file}: gcloud takes , and = in a path for its own; rename it")


def _codename(profile: Profile) -> str:
    if not profile.codename or profile.emulated:
        raise DataError(f"{profile.name} is no phone of Firebase Test Lab; give one such as pixel6")
    return profile.codename


def _name(profile: Profile) -> str:
    _codename(profile)
    return profile.model


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make {file.parent}: {error.strerror}") from None
    write_atomically(file, text.encode())


def _yaml(value: Any, indent: str = "") -> str:
    """Mappings and lists as blocks; scalars as JSON, which YAML holds."""
    if isinstance(value, dict):
        return "".join(f"{indent}{key}:{_below(one, indent)}" for key, one in value.items())
    return "".join(f"{indent}- {json.dumps(one)}\n" for one in value)


def _below(value: Any, indent: str) -> str:
    if isinstance(value, dict) or (isinstance(value, list) and value):
        return "\n" + _yaml(value, indent + "  ")
    return f" {json.dumps(value)}\n"
