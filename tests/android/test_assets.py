"""``mbl android assets``: what stands in the app's assets afterwards, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from heads import save

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.cli import cli
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.running.model import Model


@pytest.fixture
def classifier(converted: Callable[[str, str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(converted("classification", "dynamic"), tmp_path / "texts.tflite"))


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    manifest = tmp_path / "demo/app/src/main/AndroidManifest.xml"
    manifest.parent.mkdir(parents=True)
    manifest.touch()
    return tmp_path / "demo"


def _assets(*arguments: object) -> Any:
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
        ([classifier, tmp_path / "none.tflite"], demo, "cannot read .*none.tflite"),
        ([classifier, "--min-runtime", "2.14"], demo,
         "FULLY_CONNECTED v12 needs runtime ≥ 2.17.0; 2.14 refuses the file"),
    ):
        with pytest.raises(ModelFileError, match=said):
            _assets(*paths, "--demo", where)
    assert not (demo / "app/src/main/assets").exists(), "something was copied before all were checked"


def test_questions(converted: Callable[[str, str], Path], demo: Path) -> None:
    written = _assets(converted("qa", "none"), "--demo", demo, "--examples", 3)
    model = Model(Path(written[0]))
    examples = json.loads(Path(written[1]).read_text())["examples"]
    assert [one["expected"]["name"] for one in examples] == [
        model.answer(one["question"], one["context"])[0].text for one in examples]


@pytest.mark.parametrize("head", ["regression", "next-sentence"])
def test_model_without_a_screen(tiny_config: MobileBertConfig, tiny_vocabulary: tuple[str, ...], demo: Path,
                                tmp_path: Path, head: str) -> None:
    path = tmp_path / "model.tflite"
    checkpoint = save(head, replace(tiny_config, num_hidden_layers=1), tiny_vocabulary, tmp_path)
    convert(ConvertRequest(path, str(checkpoint), lengths=(16,), quantize="none"))
    with pytest.raises(ModelFileError, match=f"is for {head}; the app has screens for qa and classification"):
        _assets(path, "--demo", demo)


def test_refusal_is_one_line(demo: Path, tmp_path: Path) -> None:
    path = tmp_path / "notes.tflite"
    path.write_text("no model")
    mbl = Path(sys.executable).with_name("mbl")
    done = subprocess.run([mbl, "android", "assets", path, "--demo", demo], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: {path} is not a .tflite file (it does not carry the identifier TFL3)\n"
