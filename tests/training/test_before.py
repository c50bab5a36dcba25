"""What is wrong with a request is said at once: before TensorFlow is imported, and before the long part begins."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from mobilebert_lite import cli
from mobilebert_lite.errors import MblError

# Without TensorFlow, as in an environment that lacks it.
WITHOUT = "import sys; sys.modules['tensorflow'] = None; from mobilebert_lite.cli import main; main(sys.argv[1:])"
# Seconds of the processor, which other work does not change; importing TensorFlow takes three.
MOMENT = 1.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data.csv").write_text("text,label\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(20)))
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.txt").write_text("mine")
    return tmp_path


@pytest.mark.parametrize(("arguments", "code", "message"), [
    ("train", 2, "--data and --output are needed"),
    ("train --task classification --data nowhere.csv -o out", 1, "no data file at nowhere.csv"),
    ("train --task classification --data data.csv --eval gone.csv -o out", 1, "no data file at gone.csv"),
    ("train --task classification --data data.csv --weights ./no/checkpoint -o out", 1,
     "no checkpoint folder at ./no/checkpoint"),
    ("train --task classification --data data.csv -o used", 1, "used is there already, and not empty"),
    ("convert --weights ./no/checkpoint -o out.tflite", 1, "no checkpoint folder at ./no/checkpoint"),
    ("convert --eval gone.csv --search -o out.tflite", 1, "no data file at gone.csv"),
    ("convert --task qa -o no/folder/out.tflite", 1, "cannot write no/folder/out.tflite"),
    ("bench gone.tflite", 1, "no model at gone.tflite"),
])
def test_at_once(folder: Path, arguments: str, code: int, message: str) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-m", "mobilebert_lite", *arguments.split()], cwd=folder, text=True,
                          capture_output=True, timeout=100)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == code
    assert message in done.stderr
    assert done.stderr.count("Error: ") == 1
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < MOMENT


@pytest.mark.parametrize("arguments", ["train --task classification --data data.csv -o out", "convert -o out.tflite"])
def test_without_tensorflow(folder: Path, arguments: str) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT, *arguments.split()], cwd=folder, text=True,
                          capture_output=True, timeout=100)
    assert done.returncode == 1
    assert done.stderr == ("Error: converting and training need TensorFlow (it is not installed): "
                           "pip install 'mobilebert-lite[convert]'\n")
    assert not (folder / "out").exists()


def run_here(*command: object) -> None:
    cli.cli.main(list(map(str, command)), prog_name="mbl", standalone_mode=False)


def test_what_a_model_is_compared_with(converted: Callable[[str, str], Path], tmp_path: Path,
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the model itself is scored."""
    from mobilebert_lite.evaluation import evaluate

    def scored(*arguments: object) -> None:
        raise AssertionError("the model was scored")

    monkeypatch.setattr(evaluate, "evaluate", scored)
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps({"question": "what?", "context": "a cat.", "answer": "cat"}))
    model = converted("qa", "int8")
    for other, message in ((converted("classification", "int8"), "that file is for classification"),
                           ("./no/checkpoint", "no checkpoint folder at ./no/checkpoint")):
        with pytest.raises((MblError, click.UsageError), match=message):
            run_here("eval", model, "--data", questions, "--against", other)
    with pytest.raises(MblError, match="there is no folder"):
        run_here("eval", model, "--data", questions, "--report", tmp_path / "no" / "report.json")
