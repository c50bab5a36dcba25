"""Models for the demo app's assets: what is written, and what is refused with a reason."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from heads import HEADS, save

from mobilebert_lite import android
from mobilebert_lite.cli import cli
from mobilebert_lite.config import MobileBertConfig
from mobilebert_lite.errors import MblError, ModelFileError
from mobilebert_lite.model import Model
from mobilebert_lite.pipeline import Request, convert

MBL = Path(sys.executable).with_name("mbl")
DEMO = Path(__file__).parents[1] / "android_demo"


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A folder that is a demo as far as it matters here."""
    manifest = tmp_path / "demo/app/src/main/AndroidManifest.xml"
    manifest.parent.mkdir(parents=True)
    shutil.copyfile(DEMO / "app/src/main/AndroidManifest.xml", manifest)
    return tmp_path / "demo"


@pytest.mark.parametrize("task", ["qa", "classification"])
def test_model_and_what_it_answers_become_assets(converted: Callable[[str, str], Path], demo: Path, task: str) -> None:
    path = converted(task, "none")
    done = CliRunner().invoke(cli, ["android", "assets", str(path), "--demo", str(demo), "--examples", "3", "--json"],
                              catch_exceptions=False)
    model, examples = map(Path, json.loads(done.stdout))
    assert model.parent == demo / "app/src/main/assets"
    assert model.read_bytes() == path.read_bytes()
    assert examples.name == f"{path.stem}.examples.json"
    written = json.loads(examples.read_text())
    assert written["task"] == task
    assert len(written["examples"]) == 3
    asked = Model(path)
    for one in written["examples"]:
        expected = (asked.answer(one["question"], one["context"])[0].text if task == "qa"
                    else asked.classify(one["text"], one.get("pair"))[0].name)
        assert one["expected"]["name"] == expected
        assert 0 < one["expected"]["probability"] <= 1


def test_same_model_again_and_in_its_place(converted: Callable[[str, str], Path], demo: Path) -> None:
    first = android.put_assets([converted("qa", "none")], demo, 1)
    content = first[0].read_bytes()
    assert android.put_assets([first[0]], demo, 2) == first
    assert first[0].read_bytes() == content
    assert len(json.loads(first[1].read_text())["examples"]) == 2


def test_what_is_refused(converted: Callable[[str, str], Path], demo: Path, tmp_path: Path) -> None:
    """One line that says what is wrong; nothing is copied."""
    good = converted("qa", "none")
    broken, other = tmp_path / "broken.tflite", tmp_path / "other" / good.name
    broken.write_bytes(good.read_bytes()[:5000])
    other.parent.mkdir()
    shutil.copyfile(good, other)
    named = tmp_path / "my model.tflite"
    shutil.copyfile(good, named)
    for paths, folder, runtime, reason in [
            ((good, tmp_path / "none.tflite"), demo, None, "cannot read .*none.tflite"),
            ((good, broken), demo, None, "broken.tflite"),
            ((good, other), demo, None, f"two models are called {good.name}"),
            ((good, named), demo, None, "my model.tflite is no name for an asset"),
            ((good,), tmp_path / "elsewhere", None, "elsewhere holds no Android demo"),
            ((converted("qa", "dynamic"),), demo, "2.14", r"FULLY_CONNECTED v12 needs runtime ≥ 2.17.0; 2.14 refuses the file")]:
        with pytest.raises(MblError, match=reason):
            android.put_assets(paths, folder, 1, runtime)
    assert not (demo / android.ASSETS).exists()


def test_refusal_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "notes.tflite"
    path.write_text("no model")
    done = subprocess.run([MBL, "android", "assets", path, "--demo", DEMO], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line == f"Error: {path} is not a .tflite file (it does not carry the identifier TFL3)"


@pytest.mark.parametrize(("head", "kind"), [("regression", "regression"), ("next-sentence", "next-sentence")])
def test_model_without_a_screen(tiny_config: MobileBertConfig, tiny_vocabulary: tuple[str, ...], tmp_path: Path,
                                head: str, kind: str) -> None:
    path = tmp_path / "model.tflite"
    config = replace(tiny_config, num_hidden_layers=1)
    convert(Request(path, str(save(head, config, tiny_vocabulary, tmp_path)), lengths=(16,), quantize="none",
                    logits=HEADS[head].logits))
    with pytest.raises(ModelFileError, match=f"is for {kind}; the app has screens for qa and classification"):
        android.check_model(path)
