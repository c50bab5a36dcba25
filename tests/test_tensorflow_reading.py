"""TensorFlow checkpoints as they are found: incomplete, of another model, several at once, amid training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.converters import formats
from mobilebert_lite.converters.checkpoints import load_checkpoint
from mobilebert_lite.converters.files import bundle
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.converters.tensorflow import tensorflow1
from mobilebert_lite.errors import CheckpointError, ConfigError, DataError, MblError, WeightsError

QUERY = "layer_with_weights-1/block_layers/attention/0/_query_dense/kernel"


@pytest.fixture
def tf1(tiny_config: MobileBertConfig, tiny_vocabulary: tuple[str, ...], tmp_path: Path) -> Path:
    """A question-answering folder without a pooler."""
    folder = tmp_path / "tf1"
    config = replace(tiny_config, classifier_activation=False)
    tensorflow1.save(random_weights(config, {"qa": 2}), folder, tiny_vocabulary)
    return folder


def change(folder: Path, **values: object) -> None:
    """Other values in the configuration."""
    path = folder / "bert_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def variables(folder: Path) -> dict[str, np.ndarray]:
    """All that the checkpoint holds."""
    reader = tf.train.load_checkpoint(str(folder / "model.ckpt"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def fails(folder: Path, kind: type[MblError], *parts: str, format: str | None = None) -> None:
    """Reading fails in one line that holds all of ``parts``."""
    with pytest.raises(kind) as error:
        formats.find(folder, format).load()
    assert "\n" not in str(error.value)
    for part in parts:
        assert part in str(error.value)


# Files

def test_index_missing(tf1: Path) -> None:
    """Whether the folder or the prefix is given."""
    (tf1 / "model.ckpt.index").unlink()
    for place in (tf1, tf1 / "model.ckpt"):
        fails(place, CheckpointError, "lacks model.ckpt.index",
              "without which model.ckpt.data-00000-of-00001 cannot be read")


def test_data_missing(tf1: Path) -> None:
    (tf1 / "model.ckpt.data-00000-of-00001").unlink()
    fails(tf1, CheckpointError, "lacks model.ckpt.data-00000-of-00001")


def test_shard_missing(tf1: Path) -> None:
    """Two of three parts."""
    for part in ("00000-of-00003", "00002-of-00003"):
        shutil.copy(tf1 / "model.ckpt.data-00000-of-00001", tf1 / f"model.ckpt.data-{part}")
    (tf1 / "model.ckpt.data-00000-of-00001").unlink()
    fails(tf1, CheckpointError, "lacks the shards model.ckpt.data-00001-of-00003")


@pytest.mark.parametrize("file", ["model.ckpt.index", "model.ckpt.data-00000-of-00001"])
@pytest.mark.parametrize("kept", [0, 1000])
def test_truncated(tf1: Path, file: str, kept: int) -> None:
    (tf1 / file).write_bytes((tf1 / file).read_bytes()[:kept])
    fails(tf1, CheckpointError, "model.ckpt.index and its data are no readable", "copy them again")


def test_damaged_in_the_middle(tf1: Path) -> None:
    """The checksum of each tensor tells."""
    path = tf1 / "model.ckpt.data-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    fails(tf1, CheckpointError, "model.ckpt.index and its data are no readable")


def test_labels_that_are_no_text(tf1: Path) -> None:
    (tf1 / "labels.txt").write_bytes(b"\xff\xfe")
    fails(tf1, DataError, "cannot read", "labels.txt")


def test_configuration_missing(tf1: Path) -> None:
    (tf1 / "bert_config.json").rename(tf1.parent / "elsewhere.json")
    fails(tf1, ConfigError, "no configuration beside the weights (bert_config.json or config.json)",
          "do not say num_attention_heads", "(uncased, multilingual, small, tiny) with --config", "hidden_size 64")
    assert formats.find(tf1).load(tf1.parent / "elsewhere.json").heads == ("qa",)


def test_nothing_there(tmp_path: Path) -> None:
    fails(tmp_path, CheckpointError, "no checkpoint in", "model.safetensors", "*.index", "SavedModel")


# Tensors

def test_problems_are_reported_together(tf1: Path) -> None:
    """A shape that does not fit, a tensor too few, a head too many."""
    stored = variables(tf1)
    del stored["bert/encoder/layer_0/output/bottleneck/dense/bias"]
    stored["bert/embeddings/word_embeddings"] = stored["bert/embeddings/word_embeddings"][:-1]
    stored["cls/ranking/output_weights"] = np.zeros((1, 64), np.float32)
    rows = len(stored["bert/embeddings/word_embeddings"])
    bundle.write(tf1 / "model.ckpt", stored)
    fails(tf1, WeightsError, "missing bert/encoder/layer_0/output/bottleneck/dense/bias",
          "unexpected cls/ranking/output_weights", f"wrong shape bert/embeddings/word_embeddings: found [{rows}, 16], "
          f"expected [{rows + 1}, 16] (vocab_size {rows + 1})", "(read as tf1, model.ckpt)")


@pytest.mark.parametrize(("values", "parts"), [
    ({"num_hidden_layers": 1}, ["unexpected bert/encoder/layer_1/", "the tensors have 2 blocks"]),
    ({"num_hidden_layers": 3}, ["missing bert/encoder/layer_2/bottleneck/input/dense/kernel"]),
    ({"num_feedforward_networks": 3}, ["missing bert/encoder/layer_0/ffn_layer_1/intermediate/dense/kernel"]),
    ({"num_feedforward_networks": 1}, ["unexpected bert/encoder/layer_0/intermediate/dense/bias"]),
    ({"hidden_size": 32}, ["bert/embeddings/position_embeddings: found [64, 64], expected [64, 32] (hidden_size 32)"]),
    ({"intra_bottleneck_size": 32}, ["bert/encoder/layer_0/bottleneck/input/dense/kernel: found [64, 16], expected "
                                      "[64, 32] (intra_bottleneck_size 32)"]),
    ({"trigram_input": False}, ["bert/embeddings/embedding_transformation/kernel: found [48, 64], expected "
                                 "[16, 64] (embedding_size 16, trigram_input false)"]),
])
def test_wrong_configuration(tf1: Path, values: dict[str, object], parts: list[str]) -> None:
    change(tf1, **values)
    with pytest.raises(WeightsError) as error:
        formats.find(tf1).load()
    assert all(part in str(error.value) for part in parts), error.value


def test_wrong_normalization(tf1: Path) -> None:
    """One reason instead of a hundred names."""
    change(tf1, normalization_type="layer_norm")
    fails(tf1, ConfigError, "was written with normalization_type no_norm", "bert_config.json says layer_norm")


def test_wrong_pooler(tf1: Path, tiny_config: MobileBertConfig) -> None:
    """Missing where a head reads it, present where the configuration denies it."""
    change(tf1, classifier_activation=True)
    assert formats.find(tf1).load().heads == ("qa",)
    tensorflow1.save(random_weights(tiny_config, {"classifier": 3}), tf1)
    fails(tf1, WeightsError, "missing bert/pooler/dense/kernel, bert/pooler/dense/bias",
          "classifier_activation is true")
    tensorflow1.save(random_weights(tiny_config, {"classifier": 3}, pooler=True), tf1)
    assert formats.find(tf1).load().has_pooler
    change(tf1, classifier_activation=False)
    fails(tf1, ConfigError, "has a pooler, but its configuration says classifier_activation false")


def test_another_model(tf1: Path) -> None:
    bundle.write(tf1 / "model.ckpt", {"resnet/conv1/kernel": np.zeros((3, 3), np.float32)})
    fails(tf1, CheckpointError, "is no MobileBERT of TF1: it has no bert/embeddings/word_embeddings",
          "1 variables, the first of which is resnet/conv1/kernel")


def test_what_training_keeps_is_skipped(tf1: Path) -> None:
    """Also under the scope that a TF1-Hub module puts before its names."""
    expected = formats.find(tf1).load().tensors
    stored = {f"module/{name}": tensor for name, tensor in variables(tf1).items()}
    for name in [*stored]:
        for slot in ("adam_m", "adam_v", "Adam", "Adam_1", "lamb_m"):
            stored[f"{name}/{slot}"] = stored[name]
    stored |= {name: np.array(1, np.int64) for name in ("global_step", "beta1_power", "beta2_power")}
    bundle.write(tf1 / "model.ckpt", stored)
    actual = formats.find(tf1).load().tensors
    assert actual.keys() == expected.keys()
    assert all(np.array_equal(actual[name], expected[name]) for name in expected)


# Several at once

def test_the_latest_checkpoint_is_taken_and_named(tf1: Path) -> None:
    """Also where the file says so with the path of the machine that wrote it."""
    last = {**variables(tf1), "cls/squad/output_bias": np.array([3, 4], np.float32)}
    bundle.write(tf1 / "model.ckpt-200", last)
    (tf1 / "checkpoint").write_text('model_checkpoint_path: "/home/me/run/model.ckpt-200"\n'
                                    'all_model_checkpoint_paths: "/home/me/run/model.ckpt"\n')
    said: list[str] = []
    checkpoint = load_checkpoint(str(tf1), progress=said.append)
    assert checkpoint.weights.tensors["qa.bias"].tolist() == [3, 4]
    assert said == ["reading the checkpoint (tf1, model.ckpt-200)"]
    # A prefix, or its index, names the other one.
    for place in ("model.ckpt", "model.ckpt.index"):
        assert formats.find(tf1 / place).load().tensors["qa.bias"].tolist() != [3, 4]


def test_several_without_a_latest(tf1: Path) -> None:
    bundle.write(tf1 / "model.ckpt-200", variables(tf1))
    (tf1 / "checkpoint").unlink()
    fails(tf1, CheckpointError, "holds several checkpoints: model.ckpt, model.ckpt-200", "give the prefix")
    (tf1 / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-300"\n')
    fails(tf1, CheckpointError, "names model.ckpt-300 as the latest checkpoint, but it is not in the folder")
    (tf1 / "checkpoint").write_text("nothing of use")
    fails(tf1, CheckpointError, "names no model_checkpoint_path")


def test_several_formats(tf1: Path, tiny_qa: Path) -> None:
    for name in ("config.json", huggingface.SAFETENSORS):
        shutil.copy(tiny_qa / name, tf1)
    fails(tf1, CheckpointError, "holds several checkpoints: huggingface (model.safetensors), tf1 (model.ckpt)",
          "say which with --format")
    assert formats.find(tf1, "huggingface").load().source.format == "huggingface"
    assert formats.find(tf1, "tf1").load().source.format == "tf1"
    # A configuration alone is no second format.
    (tf1 / huggingface.SAFETENSORS).unlink()
    assert formats.find(tf1).format == "tf1"


@pytest.mark.parametrize("format", ["huggingface", "model_garden", "saved_model"])
def test_another_format_than_asked_for(tf1: Path, format: str) -> None:
    fails(tf1, CheckpointError, f"is not {format}; it looks like tf1 (model.ckpt)", format=format)


def test_unknown_format(tf1: Path) -> None:
    fails(tf1, CheckpointError, "unknown format 'pytorch'; known are huggingface, tf1, model_garden", format="pytorch")


# Objects of TF2

def test_objects_of_another_model(tf1: Path) -> None:
    shutil.rmtree(tf1)
    tf1.mkdir()
    (tf1 / "bert_config.json").write_text('{"vocab_size": 9}')
    tf.train.Checkpoint(net=tf.Module(), weight=tf.Variable([1.0], name="dense/kernel")).save(str(tf1 / "ckpt"))
    fails(tf1, CheckpointError, "is no MobileBERT of the Model Garden: none of its 1 variables",
          "the first is dense/kernel")


def test_two_encoders() -> None:
    from mobilebert_lite.converters.tensorflow.garden_places import find_places

    with pytest.raises(CheckpointError, match="holds 2 encoders, at first/, second/"):
        find_places([f"first/{QUERY}", f"second/{QUERY}"])


@pytest.fixture
def garden(shared: Callable[..., Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of one of the Model Garden's checkpoints."""
    def copy(case: str) -> Path:
        folder = tmp_path / "garden"
        shutil.copytree(shared("checkpoints", "model_garden", case), folder)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755)
        return folder

    return copy


@pytest.mark.parametrize(("values", "parts"), [
    # The one format that keeps the heads apart, so that their number can be checked.
    ({"num_attention_heads": 2}, ["_query_dense/kernel: found [16, 4, 4], expected [16, 2, 8]"]),
    ({"num_hidden_layers": 2}, ["unexpected", "layer_with_weights-3/block_layers/", "the tensors have 3 blocks"]),
    ({"num_feedforward_networks": 5}, ["layer_with_weights-1/block_layers/ffn/4/0/kernel"]),
])
def test_wrong_configuration_for_objects(garden: Callable[[str], Path], values: dict[str, object],
                                         parts: list[str]) -> None:
    folder = garden("span_labeler")
    change(folder, **values)
    fails(folder, WeightsError, *parts, "(read as model_garden, ckpt-1)")


def test_wrong_format_for_the_files(garden: Callable[[str], Path], tf1: Path) -> None:
    """The loaders themselves know better than whoever calls them."""
    from mobilebert_lite.converters.tensorflow import model_garden

    folder = garden("classifier")
    with pytest.raises(CheckpointError, match="is an object-based checkpoint of TF2"):
        tensorflow1.load(folder / "ckpt-1", folder / "bert_config.json")
    with pytest.raises(CheckpointError, match="plain variables as TF1 writes them"):
        model_garden.load(tf1 / "model.ckpt", tf1 / "bert_config.json")


def test_saved_model_without_its_variables_or_configuration(garden: Callable[[str], Path]) -> None:
    """A file counts for more than the variables, wherever it is."""
    folder = garden("saved_model")
    config = (folder / "bert_config.json").rename(folder.parent / "elsewhere.json")
    assert formats.find(folder).load().source.notes[0].startswith("no configuration beside the weights")
    assert formats.find(folder).load(config).source.notes == ()
    shutil.copy(config, folder / "assets" / "bert_config.json")
    assert formats.find(folder).load().source.notes == ()
    (folder / "variables" / "variables.index").unlink()
    fails(folder, CheckpointError, "has no variables/variables.index")
