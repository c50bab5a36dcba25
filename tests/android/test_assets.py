"""``mbl android assets``: what stands in the app's assets afterwards, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from mobilebert_lite.cli import cli
from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.model import Model


@pytest.fixture
def classifier(converted: Callable[[str, str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(converted("classification", "dynamic"), tmp_path / "texts.tflite"))


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    manifest = tmp_path / "demo/app/src/main/AndroidManifest.xml"
    manifest.parent.mkdir(parents=True)
    manifest.touch()
    return tmp_path / "demo"


def _assets(*arguments: object) -> object:
    result = CliRunner().invoke(cli, ["android", "assets", *map(str, arguments), "--json"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_model_and_examples_with_its_answers(classifier: Path, demo: Path) -> None:
    folder = demo / "app/src/main/assets"
    written = _assets(classifier, "--demo", demo, "--examples", 5)
    assert written == [str(folder / "texts.tflite"), str(folder / "texts.examples.json")]
    assert (folder / "texts.tflite").read_bytes() == classifier.read_bytes()
    found = json.loads((folder / "texts.examples.json").read_text())
    assert found["task"] == "classification"
    assert len({one["text"] for one in found["examples"]}) == 5
    model = Model(classifier)
    for one in found["examples"]:
        best = model.classify(one["text"], one.get("pair"))[0]
        assert one["expected"] == {"name": best.name, "probability": pytest.approx(best.probability, abs=1e-6)}


def test_again_in_place(classifier: Path, demo: Path) -> None:
    _assets(classifier, "--demo", demo)
    inside = demo / "app/src/main/assets/texts.tflite"
    _assets(inside, "--demo", demo)
    assert inside.read_bytes() == classifier.read_bytes()


def test_refused(classifier: Path, demo: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(classifier.read_bytes()[:2000])
    spaces = tmp_path / "my model.tflite"
    spaces.write_bytes(classifier.read_bytes())
    for paths, where, said in (
        ([classifier], tmp_path, "holds no Android demo"),
        ([classifier, tmp_path / "other" / "texts.tflite"], demo, "two models are called texts.tflite"),
        ([spaces], demo, "is no name for an asset"),
        ([classifier, broken], demo, "broken.tflite"),
    ):
        with pytest.raises(ModelFileError, match=said):
            _assets(*paths, "--demo", where)
    assert not (demo / "app/src/main/assets").exists(), "something was copied before all were checked"
