"""`mbl export`: weights travel between ecosystems, and come back as they were."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from conftest import LABELS
from safetensors.numpy import load_file

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import Weights, random_weights
from mobilebert_lite.converters import formats
from mobilebert_lite.converters.export import ExportRequest, export
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.converters.tensorflow import tensorflow1
from mobilebert_lite.errors import ConfigError, ConversionError, OutputError

HUGGINGFACE = ["uncased/base", "uncased/mlm", "uncased/nsp", "uncased/pretraining", "uncased/question_answering",
               "uncased/sequence_classification", "nopool/sequence_classification", "tiny/question_answering"]
TF1 = ["question_answering", "question_answering_train", "classification", "classification_pooler", "pretraining"]
OTHERS = ["model_garden/pretrainer", "model_garden/pretrainer_pooler", "model_garden/span_labeler",
          "model_garden/classifier_pooler", "model_garden/saved_model", "tf1_hub/module"]
# Of training alone.
SLOTS = ("/adam_m", "/adam_v", "global_step")


def variables(folder: Path) -> dict[str, np.ndarray]:
    """What TensorFlow itself reads, without what training keeps."""
    reader = tf.train.load_checkpoint(str(folder / "model.ckpt"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()
            if not name.endswith(SLOTS)}


def same(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> None:
    """The same names, types, shapes and bytes."""
    assert set(after) == set(before)
    different = [name for name in before if before[name].dtype != after[name].dtype
                 or before[name].shape != after[name].shape or before[name].tobytes() != after[name].tobytes()]
    assert different == []


def send(source: Path, target: str, output: Path, **options: Any) -> Path:
    """Export and return the folder."""
    export(ExportRequest(str(source), target, output, **options))
    return output


@pytest.mark.parametrize("case", HUGGINGFACE)
def test_huggingface_by_way_of_tf1(shared: Callable[..., Path], tmp_path: Path, case: str) -> None:
    """Every tensor and every setting is as transformers wrote it."""
    folder = shared("checkpoints", "hf", *case.split("/"))
    tf1 = send(folder, "tf1", tmp_path / "tf1")
    again = send(tf1, "huggingface", tmp_path / "huggingface")
    same(load_file(folder / huggingface.SAFETENSORS), load_file(again / huggingface.SAFETENSORS))
    assert huggingface.load(again).config == huggingface.load(folder).config
    before, after = (json.loads((place / "config.json").read_text()) for place in (folder, again))
    assert after["architectures"] == before["architectures"]


@pytest.mark.parametrize(("case", "task"), [("hf/uncased/token_classification", "token-classification"),
                                            ("model_garden/token_classifier", "token-classification"),
                                            ("hf/uncased/multiple_choice", "multiple-choice")])
def test_heads_that_tf1_has_not(shared: Callable[..., Path], tmp_path: Path, case: str, task: str) -> None:
    """They are refused there, where they would come back as classifiers of texts, and keep their kind elsewhere."""
    folder = shared("checkpoints", *case.split("/"))
    with pytest.raises(ConfigError, match=f"TF1 has no head for {task}, and would take it for classification"):
        send(folder, "tf1", tmp_path / "tf1")
    after = huggingface.load(send(folder, "huggingface", tmp_path / "huggingface"))
    assert after.config.task == task
    same(dict(formats.find(folder).load().tensors), dict(after.tensors))


@pytest.mark.parametrize("case", TF1)
def test_tf1_and_back(shared: Callable[..., Path], tmp_path: Path, case: str) -> None:
    """Straight, and by way of Hugging Face."""
    folder = shared("checkpoints", "tf1", case)
    straight = send(folder, "tf1", tmp_path / "straight")
    detour = send(send(folder, "huggingface", tmp_path / "huggingface"), "tf1", tmp_path / "detour")
    for after in (straight, detour):
        same(variables(folder), variables(after))
        before, config = (json.loads((place / "bert_config.json").read_text()) for place in (folder, after))
        assert {**config, **before} == config
    assert Path(tf.train.latest_checkpoint(str(straight))) == straight / "model.ckpt"


@pytest.mark.parametrize("case", OTHERS)
def test_what_can_only_be_read_travels_too(shared: Callable[..., Path], tmp_path: Path, case: str) -> None:
    folder = shared("checkpoints", *case.split("/"))
    before = formats.find(folder).load()
    for target in ("huggingface", "tf1"):
        after = formats.find(send(folder, target, tmp_path / target)).load()
        same(dict(before.tensors), dict(after.tensors))
        assert (tmp_path / target / "vocab.txt").exists() == (folder / "assets" / "vocab.txt").exists()


def test_vocabulary_labels_and_settings_go_along(tiny_classifier: Path, tiny_vocabulary: tuple[str, ...],
                                                 tmp_path: Path) -> None:
    tf1 = send(tiny_classifier, "tf1", tmp_path / "tf1")
    assert (tf1 / "labels.txt").read_text().splitlines() == list(LABELS)
    again = send(tf1, "huggingface", tmp_path / "again")
    for name in ("config.json", "vocab.txt", "tokenizer_config.json", huggingface.SAFETENSORS):
        assert (again / name).read_bytes() == (tiny_classifier / name).read_bytes()
    assert (tf1 / "vocab.txt").read_text().splitlines() == list(tiny_vocabulary)


def test_labels_and_vocabulary_given(shared: Callable[..., Path], tiny_config: MobileBertConfig,
                                     tiny_vocabulary: tuple[str, ...], tmp_path: Path) -> None:
    """And where there are no labels, transformers is told how many classes there are."""
    tensorflow1.save(random_weights(replace(tiny_config, classifier_activation=False), {"classifier": 4}),
                     tmp_path / "source")
    (tmp_path / "labels").write_text("\n".join(LABELS))
    cased = [*tiny_vocabulary[:-1], "Zürich"]
    (tmp_path / "words").write_text("".join(f"{word}\n" for word in cased), encoding="utf-8")
    bare = send(tmp_path / "source", "huggingface", tmp_path / "bare")
    assert json.loads((bare / "config.json").read_text())["num_labels"] == 4
    full = send(tmp_path / "source", "huggingface", tmp_path / "full", labels=tmp_path / "labels",
                vocabulary=tmp_path / "words")
    config = json.loads((full / "config.json").read_text())
    assert config["id2label"] == {str(i): label for i, label in enumerate(LABELS)}
    assert "num_labels" not in config
    # A vocabulary with capitals is a cased one.
    assert json.loads((full / "tokenizer_config.json").read_text())["do_lower_case"] is False


@pytest.fixture
def save(tiny_config: MobileBertConfig, tmp_path: Path) -> Callable[..., Path]:
    """A Hugging Face folder of a configuration and heads of one's own."""
    def write(heads: dict[str, int], **changes: Any) -> Path:
        folder = tmp_path / "odd"
        huggingface.save(random_weights(replace(tiny_config, **changes), heads), folder)
        return folder

    return write


@pytest.mark.parametrize(("heads", "changes", "message"), [
    ({}, {"hidden_act": "gelu"}, r"hidden_act 'gelu' \(exact erf\) has no name in bert_config\.json"),
    ({}, {"normalization_type": "layer_norm", "layer_norm_eps": 1e-5},
     r"layer_norm_eps 1e-05 has no place in bert_config\.json; TF1 computes with 1e-12"),
    ({"mlm": 0}, {"layer_norm_eps": 1e-5}, r"layer_norm_eps 1e-05 has no place"),
])
def test_what_tf1_cannot_express(save: Callable[..., Path], tmp_path: Path, heads: dict[str, int],
                                 changes: dict[str, Any], message: str) -> None:
    folder = save(heads, **changes)
    with pytest.raises(ConfigError, match=message):
        send(folder, "tf1", tmp_path / "tf1")
    assert [path.name for path in tmp_path.iterdir()] == ["odd"]


def test_what_changes_no_output_is_left_out_and_named(save: Callable[..., Path], tmp_path: Path) -> None:
    """An epsilon that nothing uses is no reason to refuse."""
    said: list[str] = []
    folder = save({"qa": 2}, problem_type="regression", pad_token_id=3, layer_norm_eps=1e-5)
    export(ExportRequest(str(folder), "tf1", tmp_path / "tf1"), said.append)
    assert [line for line in said if line.startswith("left out")] == [
        "left out, for bert_config.json has no place for it: pad_token_id 3",
        "left out, for bert_config.json has no place for it: problem_type regression"]


def test_layer_norm_scope(save: Callable[..., Path], tmp_path: Path) -> None:
    """TF1 calls a NoNorm FakeLayerNorm."""
    folder = save({"mlm": 0}, normalization_type="layer_norm")
    tf1 = send(folder, "tf1", tmp_path / "tf1")
    names = variables(tf1)
    assert "bert/encoder/layer_1/attention/output/LayerNorm/gamma" in names
    assert not any("FakeLayerNorm" in name for name in names)
    same(dict(huggingface.load(folder).tensors), dict(tensorflow1.load(tf1 / "model.ckpt",
                                                                       tf1 / "bert_config.json").tensors))


def test_the_folder_appears_whole_or_not_at_all(tiny_qa: Path, tmp_path: Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not read back is not written; a folder with something in it is not touched."""
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "note").write_text("mine")
    with pytest.raises(OutputError, match=r"taken is there already, and not empty"):
        send(tiny_qa, "tf1", taken)
    with pytest.raises(OutputError, match=r"cannot write .*there is no folder .*absent"):
        send(tiny_qa, "tf1", tmp_path / "absent" / "folder")

    def careless(weights: Weights, folder: Path, *rest: Any) -> None:
        changed = {**weights.tensors, "qa.bias": np.nextafter(weights.tensors["qa.bias"], np.float32(9))}
        write(weights.with_tensors(changed), folder, *rest)

    write = tensorflow1.save
    monkeypatch.setattr(tensorflow1, "save", careless)
    with pytest.raises(ConversionError, match=r"^qa\.bias would not come back"):
        send(tiny_qa, "tf1", tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    assert (taken / "note").read_text() == "mine"


def test_from_the_command_line_without_tensorflow(tiny_qa: Path, tmp_path: Path) -> None:
    """From and to Hugging Face nothing needs TensorFlow."""
    code = ("import sys; sys.modules['tensorflow'] = None\nfrom mobilebert_lite.cli import main\n"
            f"main(['export', {str(tiny_qa)!r}, '--to', 'huggingface', '-o', {str(tmp_path / 'out')!r}, '--json'])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["format"], report["source"]["format"]) == ("huggingface", "huggingface")
    assert report["files"] == ["config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"]
    same(load_file(tiny_qa / huggingface.SAFETENSORS), load_file(tmp_path / "out" / huggingface.SAFETENSORS))


def test_without_tensorflow_the_others_say_what_they_need(tiny_qa: Path, tmp_path: Path) -> None:
    code = ("import sys; sys.modules['tensorflow'] = None\nfrom mobilebert_lite.cli import main\n"
            f"main(['export', {str(tiny_qa)!r}, '--to', 'tf1', '-o', {str(tmp_path / 'out')!r}])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "Error: reading and writing TensorFlow checkpoints needs TensorFlow" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_command_line(tiny_qa: Path, tmp_path: Path) -> None:
    from mobilebert_lite.cli.export import command

    done = CliRunner().invoke(command, [str(tiny_qa), "--to", "tf1", "-o", str(tmp_path / "tf1")])
    assert done.exit_code == 0, done.output
    assert "from huggingface" in done.output
    assert "model.ckpt.index" in done.output
    assert CliRunner().invoke(command, [str(tiny_qa), "--to", "keras", "-o", str(tmp_path / "k")]).exit_code == 2
