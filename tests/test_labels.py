"""Names of classes: what is read, what is refused, and what a file carries."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import mbl

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.converters.checkpoints import load_checkpoint
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.errors import DataError
from mobilebert_lite.running.model import Model
from mobilebert_lite.tasks import labels

NAMES = ("add to playlist", "book", "weather")

Save = Callable[..., Path]


@pytest.fixture
def save(tiny_config: MobileBertConfig, tiny_vocabulary: Sequence[str], tmp_path: Path) -> Save:
    """A narrow classifier of three classes whose configuration gets the ``keys`` given."""
    def make(task: str = "classification", outputs: int = 3, **keys: Any) -> Path:
        config = replace(tiny_config, num_hidden_layers=1, task=task, classifier_activation=False)
        folder = tmp_path / "checkpoint"
        huggingface.save(random_weights(config, {"classifier": outputs}), folder, vocabulary=tiny_vocabulary)
        raw = json.loads((folder / "config.json").read_text())
        raw.pop("num_labels", None)
        (folder / "config.json").write_text(json.dumps({**raw, **keys}))
        return folder

    return make


def numbered(names: Sequence[Any]) -> dict[str, Any]:
    """``names`` as an ``id2label``."""
    return {str(i): name for i, name in enumerate(names)}


@pytest.mark.parametrize("task", ["classification", "token-classification"])
@pytest.mark.parametrize("keys", [
    {"id2label": numbered([f"{name}\n" for name in NAMES])},
    {"id2label": numbered([f"\ufeff{NAMES[0]}\r\n", f" {NAMES[1]}\t", f"{NAMES[2]}\u2028"])},
    {"label2id": {f"{name}\n": i for i, name in enumerate(NAMES)}},
    {"id2label": {"2": NAMES[2], "0": NAMES[0], "1": NAMES[1]}, "label2id": {"another": 0}},
])
def test_line_ends_are_no_part_of_a_name(save: Save, task: str, keys: dict[str, Any]) -> None:
    assert load_checkpoint(str(save(task, **keys))).labels == NAMES


@pytest.mark.parametrize("task", ["classification", "token-classification"])
@pytest.mark.parametrize(("keys", "message"), [
    ({"id2label": numbered(["a", "b\n", "b"])}, "class 2 has the name of class 1, 'b'"),
    ({"id2label": numbered(["a", " ", "b"])}, "class 1 has no name"),
    ({"id2label": numbered(["a", "b\nc", "d"])}, r"class 1, 'b\\nc', is several lines"),
    ({"id2label": numbered(["a", "b\u2028c", "d"])}, "class 1, .* is several lines"),
    ({"id2label": numbered(["a", "b\x85c", "d"])}, "class 1, .* is several lines"),
    ({"id2label": numbered(["a", "b", "\ud83d"])}, "class 2, .* half a surrogate pair"),
    ({"id2label": {"0": "a", "2": "c"}}, "class 1 has no name"),
    ({"id2label": {"1": "a", "2": "b", "3": "c"}}, "class 0 has no name"),
    ({"id2label": {"2": "c"}}, "class 0 has no name, class 1 has no name"),
    ({"label2id": {"a": 0, "b": 0, "c": 2}}, "class 0 has no name, class 1 has no name"),
    ({"id2label": numbered(["a", "b"])}, "the checkpoint names 2 labels, but the classifier has 3 outputs"),
])
def test_names_that_cannot_be_told_apart(save: Save, task: str, keys: dict[str, Any], message: str) -> None:
    folder = save(task, **keys)
    with pytest.raises(DataError, match=f"{message}.*--labels FILE"):
        load_checkpoint(str(folder))
    # The names of another file stand in for all of them.
    (folder / "names").write_text("\n".join(NAMES))
    assert load_checkpoint(str(folder), labels=folder / "names").labels == NAMES
    # No other task needs them.
    assert load_checkpoint(str(folder), "features").labels == ()


@pytest.mark.parametrize("content", [
    "\ufeff" + "\r\n".join(NAMES) + "\r\n",        # Notepad
    "\n".join(NAMES),
    "\r".join(NAMES) + "\r",
    "\n".join(f"  {name}\t" for name in NAMES) + "\n\n \n",
])
def test_files_of_names(tmp_path: Path, content: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content.encode())
    assert labels.read_file(path) == NAMES


@pytest.mark.parametrize(("content", "message"), [
    (b"a\n\nb\n", "line 2 has no name"), (b"\na\n", "line 1 has no name"),
    (b"a\nb\na\n", "line 3 has the name of line 1, 'a'"), (b"a\nb\xe2\x80\xa8c\n", "line 2, .* is several lines"),
    (b"a\n\xff\n", "cannot read .*labels.txt"), (None, "cannot read .*labels.txt"),
])
def test_files_that_hold_no_names(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "labels.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        labels.read_file(path)


@pytest.mark.parametrize(("outputs", "names", "task"), [
    (1, ("LABEL_0", "LABEL_1"), "multiple-choice"), (1, ("one", "two"), "multiple-choice"),
    (1, ("LABEL_0", "LABEL_1"), "classification"), (3, (), "classification")])
def test_names_of_no_use(save: Save, outputs: int, names: Sequence[str], task: str) -> None:
    """transformers writes two by default; the choices of a question have none."""
    assert load_checkpoint(str(save(task, outputs, id2label=numbered(names)))).labels == ()


def test_a_file_carries_one_name_a_line(save: Save, tmp_path: Path) -> None:
    """Names with line ends; then none at all, which is said."""
    output = tmp_path / "out.tflite"
    options = ("--quantize", "none", "--seq-len", 16, "-o", output)
    done = mbl("convert", "--weights", save(id2label=numbered([f"{name}\n" for name in NAMES])), *options)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(output) as archive:
        assert archive.read("labels.txt").decode() == "".join(f"{name}\n" for name in NAMES)
    assert sorted(label.name for label in Model(output).classify("the battery")) == sorted(NAMES)
    done = mbl("convert", "--weights", save("token-classification"), *options)
    assert done.returncode == 0, done.stderr
    assert "the classes have no names: the file calls them LABEL_0, LABEL_1, LABEL_2 (--labels" in done.stderr
    assert Model(output).labels == ("LABEL_0", "LABEL_1", "LABEL_2")


@pytest.mark.parametrize("head", ["classifier", "qa"])
def test_an_export_reads_what_it_writes(tiny_config: MobileBertConfig, tiny_vocabulary: Sequence[str], tmp_path: Path,
                                        head: str) -> None:
    """TF1 has a line for each class; heads without classes have no such file."""
    config = replace(tiny_config, num_hidden_layers=1, hidden_act="relu", classifier_activation=False)
    folder, output = tmp_path / "checkpoint", tmp_path / "tf1"
    huggingface.save(random_weights(config, {head: 2}), folder, vocabulary=tiny_vocabulary)
    raw = json.loads((folder / "config.json").read_text())
    names = ["a\n", "b\n"] if head == "classifier" else ["a\nb", ""]
    (folder / "config.json").write_text(json.dumps({**raw, "id2label": numbered(names)}))
    done = mbl("export", folder, "--to", "tf1", "-o", output)
    assert done.returncode == 0, done.stderr
    assert (output / "labels.txt").exists() is (head == "classifier")
    again = load_checkpoint(str(output))
    assert again.labels == (("a", "b") if head == "classifier" else ())
    assert all(np.array_equal(tensor, again.weights.tensors[name])
               for name, tensor in huggingface.load(folder).tensors.items())
