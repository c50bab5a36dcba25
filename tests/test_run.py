"""``mbl run`` and ``mbl convert`` for every task, as a user calls them; on tiny checkpoints."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from commands import mbl
from heads import save

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.running.model import Model
from mobilebert_lite.tasks import TASKS
from mobilebert_lite.tflite import container as metadata

FileOf = Callable[[str, str], Path]

TEXT = ("--text", "the battery [MASK] last")
# Checkpoint of HEADS -> what is asked, and the fields of one result.
ASKED: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "token-classification": (TEXT, {"label", "text", "start", "end", "probability"}),
    "multiple-choice": ((*TEXT, "--choice", "one day", "--choice", "two"), {"text", "index", "probability"}),
    "next-sentence": ((*TEXT, "--pair", "one day"), {"name", "probability"}),
    "fill-mask": (TEXT, {"token", "probability", "text"}),
    "pretraining": ((*TEXT, "--pair", "a [MASK] day"), {"token", "probability", "text"}),
    "regression": (TEXT, {"name", "value"}),
    "raw logits": (TEXT, {"name", "probability"}),
}


@pytest.mark.parametrize("name", ASKED)
def test_answers(file_of: FileOf, name: str) -> None:
    """As JSON and as lines; the numbers in both are those of the library."""
    arguments, expected = ASKED[name]
    done, printed = (mbl("run", file_of(name, "none"), *arguments, *more) for more in (("--json",), ()))
    assert (done.returncode, done.stderr, printed.returncode) == (0, "", 0), done.stderr + printed.stderr
    found: Any = json.loads(done.stdout)
    assert found
    rows = found[0] if isinstance(found[0], list) else found
    assert {key for row in rows for key in row} == expected
    lines = printed.stdout.splitlines()
    for row, line in zip(rows, lines, strict=False):
        assert any(isinstance(value, str) and value in line for value in row.values())
        number = row.get("probability", row.get("value"))
        assert f"{number:.4f}" in line or f"{number:.3f}" in line
    if isinstance(found[0], list):
        assert lines.count("") == len(found) - 1 == TEXT[1].count("[MASK]") + ("--pair" in arguments) - 1
        assert len(rows) == 5
    else:
        assert len(lines) == len(rows)


def test_top(file_of: FileOf) -> None:
    for name, arguments in (("fill-mask", TEXT), ("raw logits", TEXT)):
        everything = mbl("run", file_of(name, "none"), *arguments).stdout.splitlines()
        assert mbl("run", file_of(name, "none"), *arguments, "--top", 2).stdout.splitlines() == everything[:2]
    assert len(mbl("run", file_of("fill-mask", "none"), *TEXT, "--top", 7).stdout.splitlines()) == 7


def test_vectors(file_of: FileOf) -> None:
    path = file_of("features", "none")
    found = json.loads(mbl("run", path, "--text", "the battery", "--json").stdout)
    expected = Model(path).embed("the battery")
    assert len(found["sequence_output"]) == len(expected["sequence_output"]) == 4  # [CLS] the battery [SEP]
    assert found["pooled_output"] == pytest.approx(expected["pooled_output"].tolist())
    assert "sequence_output [4, 64], of length" in mbl("run", path, "--text", "the battery").stdout


@pytest.mark.parametrize(("name", "arguments", "code", "message"), [
    ("fill-mask", ("--text", "no gap"), 1, "the text has no [MASK]; put one where a word is to be filled in"),
    ("fill-mask", ("--question", "x", "--context", "y"), 1, "this model is for fill-mask; give it --text"),
    ("multiple-choice", (*TEXT, "--choice", "one"), 2, "give --choice twice or more"),
    ("multiple-choice", (*TEXT, *("--choice", "x") * 5), 1, "5 choices: this file takes 2 to 4"),
    ("next-sentence", TEXT, 2, "whether --pair follows --text; give both"),
])
def test_what_is_asked_wrongly(file_of: FileOf, name: str, arguments: tuple[str, ...], code: int,
                               message: str) -> None:
    done = mbl("run", file_of(name, "none"), *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert done.stderr.splitlines()[-1].startswith("Error: ")


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_whole(name: str) -> None:
    """Its package has the parts that it says it has."""
    task = TASKS[name]
    parts = ["head", "printer", *["scorer"] * task.scored, *["training"] * task.trainable]
    for part in parts:
        importlib.import_module(f"{type(task).__module__}.{part}")
    assert task.purpose
    assert all(task.describe(output) and task.axes(output)[0] == "batch" for output in task.outputs)


def test_options_of_a_conversion(tiny_config: MobileBertConfig, tiny_vocabulary: Sequence[str], tmp_path: Path) -> None:
    checkpoint = save("fill-mask", tiny_config, tiny_vocabulary, tmp_path)
    done = mbl("convert", "--weights", checkpoint, "--seq-len", 16, "--quantize", "none", "--positions", 2, "-o",
               tmp_path / "file.tflite")
    assert done.returncode == 0, done.stderr
    assert metadata.read_provenance((tmp_path / "file.tflite").read_bytes())["form"]["positions"] == 2
    shown = " ".join(mbl("inspect", tmp_path / "file.tflite", "--all").stdout.split())
    assert "segment_ids int32 [1, 16], positions int32 [1, 2]" in shown
    assert "outputs logits float32 [1, 2, 270]" in shown
    for option in ("--logits", "--num-choices=2"):
        refused = mbl("convert", "--weights", checkpoint, option, "-o", tmp_path / "no.tflite")
        assert refused.returncode == 1
        assert f"{option.split('=')[0]} is for" in refused.stderr
    assert not (tmp_path / "no.tflite").exists()


def test_a_cased_checkpoint_reads_cases(tiny_config: MobileBertConfig, tmp_path: Path) -> None:
    """What tokenizer_config.json says goes into the file and comes back out of it."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters), "Paris",
             *(f"[unused{i}]" for i in range(tiny_config.vocab_size - 6 - 2 * len(letters)))]
    huggingface.save(random_weights(tiny_config, seed=3), tmp_path / "cased", vocabulary=words, lower_case=False)
    convert(ConvertRequest(tmp_path / "cased.tflite", str(tmp_path / "cased"), lengths=(32,), quantize="dynamic"))
    model = Model(tmp_path / "cased.tflite")
    assert model.tokenizer.words(model.tokenizer.encode("Paris paris").ids) == [
        "Paris", "p", "##a", "##r", "##i", "##s"]


def test_closed_and_foreign_standard_input(converted: Callable[[str, str], Path]) -> None:
    """One line; a text is UTF-8 whatever the locale."""
    command = [Path(sys.executable).with_name("mbl"), "run", converted("classification", "fp16"), "--text", "-"]
    closed = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *map(str, command)], capture_output=True, text=True)
    assert (closed.returncode, closed.stderr) == (
        1, "Error: standard input is closed; give the text itself in place of -\n")
    foreign = subprocess.run(command, input=b"caf\xe9", capture_output=True)
    assert (foreign.returncode, foreign.stderr) == (1, b"Error: standard input is not UTF-8 text (byte 3)\n")
    locale = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ascii_ = subprocess.run(command, input="café".encode(), capture_output=True, env=locale)
    assert (ascii_.returncode, ascii_.stderr) == (0, b"")
