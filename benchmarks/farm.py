"""Jobs for device farms: files and commands that are ready to run. Nothing is sent from here.

Firebase Test Lab takes its arguments from a YAML file (`gcloud topic arg-files`), pushes files beside the app and
pulls folders afterwards (`gcloud firebase test android run`: --other-files, --directories-to-pull). The test APK finds
the models in FOLDER as model-0.tflite, model-1.tflite, …, its arguments in the instrumentation's bundle, and leaves a
report (result.py's schema) in FOLDER/out.

Google AI Edge Portal takes models from Google Cloud Storage and a JSON body over HTTPS; both are as LiteRT's own
command line (`litert benchmark --gcp`) sends them. What it answers is not documented.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mobilebert_lite.benchmarks.profiles import Profile, find_profile
from mobilebert_lite.benchmarks.result import SCHEMA, Report, parse, read
from mobilebert_lite.errors import DataError, MblError
from mobilebert_lite.files import write_atomically

# On the phone; Firebase allows letters, digits and _-./+ in it.
FOLDER = "/sdcard/mbl"
_GROUP = "mbl"
# The runtime that the portal offers by that name (litert-cli 0.3.0), and its only region.
_PORTAL_RUNTIME, _PORTAL_REGION = "litert-v2.0.3", "us-central1"
_PORTAL = "https://aiedgeportal.googleapis.com/v1alpha"
# Beyond it Firebase ends a test on a phone.
_MOST_MINUTES = 45


def firebase(models: Sequence[Path], devices: Sequence[str], app: Path, test: Path, runs: int, seconds: float,
             threads: Sequence[int], folder: Path) -> list[str]:
    """Write ``folder``/firebase.yaml; the commands that run it and fetch what it gives.

    Raises DataError for a device without a codename, and for a file that is not there.
    """
    _check([*models, app, test])
    minutes = 5 + len(models) * len(threads) * (seconds / 60 + 1)
    if minutes > _MOST_MINUTES:
        raise MblError(f"the job would take {minutes:.0f} minutes; Firebase ends tests on phones after "
                       f"{_MOST_MINUTES}: give fewer models, --threads or --seconds")
    pushed = {f"{FOLDER}/model-{i}.tflite": path for i, path in enumerate(models)}
    job: dict[str, Any] = {
        "type": "instrumentation", "app": str(app), "test": str(test), "timeout": f"{minutes:.0f}m",
        "record-video": False, "performance-metrics": False, "num-flaky-test-attempts": 0,
        "device": [{"model": _codename(profile)} for profile in map(find_profile, devices)],
        "other-files": {place: str(path) for place, path in pushed.items()},
        "directories-to-pull": [f"{FOLDER}/out"],
        "environment-variables": {"models": str(len(models)), "folder": FOLDER, "runs": str(runs),
                                  "seconds": f"{seconds:g}", "threads": " ".join(map(str, threads))}}
    file = folder / "firebase.yaml"
    _write(file, _yaml({_GROUP: job}))
    results = folder / "results"
    return [shlex.join(["gcloud", "firebase", "test", "android", "run", f"{file}:{_GROUP}",
                        "--results-bucket=YOUR_BUCKET", "--results-dir=mbl-bench"]),
            shlex.join(["gcloud", "storage", "cp", "--recursive", "gs://YOUR_BUCKET/mbl-bench", str(results)]),
            shlex.join(["mbl", "bench", "--import", str(results)])]


def portal(models: Sequence[Path], devices: Sequence[str], accelerators: Sequence[str], folder: Path) -> list[str]:
    """Write one ``folder``/portal-N.json for each model; the commands that upload and submit them.

    Raises DataError for a file that is not there, MblError for a device that is none, and for NPUs, which need a choice
    of chip for each phone.
    """
    _check(models)
    if "npu" in accelerators:
        raise MblError("accelerator npu needs a chip for each phone, which only the portal's own page offers; give cpu "
                       "or gpu")
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


def read_results(paths: Iterable[Path]) -> list[Report]:
    """The reports in files, and in folders at any depth, where other JSON files are passed over.

    Raises DataError for a file that is no report, and for a folder without one.
    """
    found: list[Report] = []
    for path in paths:
        if not path.is_dir():
            found.append(read(path))
            continue
        raw = {file: _json(file) for file in sorted(path.rglob("*.json"))}
        ours = {file: one for file, one in raw.items() if isinstance(one, dict) and one.get("schema") == SCHEMA}
        found += [parse(one, str(file)) for file, one in ours.items()]
        if not ours:
            raise DataError(f"{path} holds no report; the demo app's benchmark leaves one for each phone, and "
                            "`mbl bench --json` writes them")
    return found


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
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
