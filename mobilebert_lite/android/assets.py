"""Models for the demo app: into its assets, with texts to try them with."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mobilebert_lite.architecture.form import REGRESSION
from mobilebert_lite.common.files import replacing, to_json, write_atomically
from mobilebert_lite.datasets.reading import Example, builtin_examples, evenly
from mobilebert_lite.doctor.diagnose import diagnose
from mobilebert_lite.errors import DataError, ModelFileError
from mobilebert_lite.running.model import Model
from mobilebert_lite.text.examples import QuestionExample, TextExample

# Below the folder of the demo.
ASSETS = Path("app/src/main/assets")
# The screens that the app has.
TASKS = ("qa", "classification")
# Names that Android's resource compiler and shells take as they are.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.tflite")


def check_model(path: Path, runtime: str | None = None) -> Model:
    """As ``usable_model``, under a name that it can have in the app. Raises ModelFileError."""
    if not _NAME.fullmatch(path.name):
        raise ModelFileError(f"{path.name} is no name for an asset; letters, digits, '.', '_' and '-' make one, and "
                             ".tflite at its end")
    return usable_model(path, runtime)


def usable_model(path: Path, runtime: str | None = None) -> Model:
    """The model, if the app can show it and its ``runtime``, a TFLite version or the latest LiteRT, can load it.

    Raises ModelFileError with what keeps it from that.
    """
    found = diagnose(path, ("litert",), runtime)
    if found.errors:
        one = found.errors[0]
        raise ModelFileError(f"{path}: {one.where}: {one.what}; {one.mend}")
    model = Model(path, isolated=True)
    is_numbers = model.task.form.problem_type == REGRESSION
    if model.task.name not in TASKS or is_numbers:
        raise ModelFileError(f"{path} is for {REGRESSION if is_numbers else model.task.name}; the app has screens for "
                             f"{' and '.join(TASKS)}")
    return model


def own_examples(model: Model, count: int) -> dict[str, Any]:
    """``examples`` of ``count`` of the package's own texts."""
    return examples(model, evenly(builtin_examples(model.task.name), count))


def examples(model: Model, texts: Sequence[Example]) -> dict[str, Any]:
    """``texts`` with what ``model`` answers to them, as the app reads them."""
    return {"task": model.task.name, "examples": [_answered(model, one) for one in texts]}


def _answered(model: Model, one: Any) -> dict[str, Any]:
    if isinstance(one, QuestionExample):
        best = model.answer(one.question, one.context)[0]
        return {"question": one.question, "context": one.context,
                "expected": {"name": best.text, "probability": best.probability}}
    if isinstance(one, TextExample):
        label = model.classify(one.text, one.pair)[0]
        return {"text": one.text, **({"pair": one.pair} if one.pair else {}),
                "expected": {"name": label.name, "probability": label.probability}}
    raise DataError(f"no example for the app is made of a {type(one).__name__}")


def put_assets(paths: Sequence[Path], demo: Path, count: int, runtime: str | None = None) -> list[Path]:
    """Copy models into the demo's assets, each with ``count`` examples beside it; returns what was written.

    All are checked before the first is copied. Raises ModelFileError for a model that the app cannot use or a folder
    that holds no demo, ConversionError where it cannot be written.
    """
    if not (demo / "app/src/main/AndroidManifest.xml").is_file():
        raise ModelFileError(f"{demo} holds no Android demo (app/src/main/AndroidManifest.xml); give its folder with "
                             "--demo, android_demo in a checkout of this project")
    if twice := {path.name for path in paths if [other.name for other in paths].count(path.name) > 1}:
        raise ModelFileError(f"two models are called {min(twice)}; rename one")
    models = [(path, check_model(path, runtime)) for path in paths]
    folder = demo / ASSETS
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for path, model in models:
        target = folder / path.name
        if path.resolve() != target.resolve():
            with replacing(target) as temporary:
                shutil.copyfile(path, temporary)
        beside = target.with_suffix(".examples.json")
        content = to_json(own_examples(model, count), indent=1) + "\n"
        write_atomically(beside, content.encode())
        written += [target, beside]
    return written
