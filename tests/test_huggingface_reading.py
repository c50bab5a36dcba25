"""Hugging Face folders as they are found: damaged, sharded, pickled, half precision, out of reach."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.converters.huggingface import variants
from mobilebert_lite.errors import CheckpointError, ConfigError, WeightsError

WORDS = "mobilebert.embeddings.word_embeddings.weight"


@pytest.fixture
def folder(tiny_qa: Path, tmp_path: Path) -> Path:
    """A copy of the question-answering checkpoint, to be damaged."""
    return Path(shutil.copytree(tiny_qa, tmp_path / "checkpoint"))


def tensors_of(folder: Path) -> dict[str, np.ndarray]:
    """Theirs, by name."""
    return dict(load_file(folder / huggingface.SAFETENSORS))


def store(folder: Path, tensors: dict[str, np.ndarray]) -> None:
    """In place of the tensors in ``folder``."""
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()},
              folder / huggingface.SAFETENSORS)


def shard(folder: Path) -> dict[str, str]:
    """Split the tensors over two files with an index; returns the index's map."""
    tensors = tensors_of(folder)
    names = sorted(tensors)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({name: tensors[name] for name in part}, folder / file)
    (folder / huggingface.SAFETENSORS).unlink()
    weight_map = {name: file for file, part in parts.items() for name in part}
    write_index(folder, weight_map)
    return weight_map


def write_index(folder: Path, weight_map: dict[str, str]) -> None:
    """``model.safetensors.index.json``."""
    (folder / f"{huggingface.SAFETENSORS}.index.json").write_text(json.dumps({"weight_map": weight_map}))


# What does not fit or cannot be read

def test_problems_are_reported_together(folder: Path) -> None:
    """By the names and shapes of the checkpoint, on both sides."""
    tensors = tensors_of(folder)
    del tensors["mobilebert.encoder.layer.0.output.bottleneck.dense.bias"]
    tensors[WORDS] = tensors[WORDS][:-1]
    tensors["qa_outputs.bias"] = np.array([0, np.nan], np.float32)
    tensors["adapter.weight"] = np.zeros(3, np.float32)
    store(folder, tensors)
    with pytest.raises(WeightsError) as error:
        huggingface.load(folder)
    rows = len(tensors[WORDS])
    assert str(error.value) == (
        f"{folder} does not fit its configuration: missing mobilebert.encoder.layer.0.output.bottleneck.dense.bias; "
        f"unexpected adapter.weight; wrong shape {WORDS}: found [{rows}, 16], expected [{rows + 1}, 16] "
        f"(vocab_size {rows + 1}); NaN or infinite qa_outputs.bias")


@pytest.mark.parametrize("kept", [0, 4, 100, -1], ids=lambda kept: f"{kept} bytes")
def test_truncated_file(folder: Path, kept: int) -> None:
    path = folder / huggingface.SAFETENSORS
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is not a readable safetensors file"):
        huggingface.load(folder)


def test_empty_folder(folder: Path) -> None:
    (folder / huggingface.SAFETENSORS).unlink()
    with pytest.raises(CheckpointError, match=r"no weights in .*expected model\.safetensors"):
        huggingface.load(folder)
    (folder / "config.json").unlink()
    with pytest.raises(ConfigError, match="no configuration at"):
        huggingface.load(folder)


# Shards

def test_shards(folder: Path, tiny_qa: Path) -> None:
    shard(folder)
    expected, actual = huggingface.load(tiny_qa).tensors, huggingface.load(folder).tensors
    assert actual.keys() == expected.keys()
    assert all(np.array_equal(actual[name], expected[name]) for name in expected)


def test_missing_shard(folder: Path) -> None:
    shard(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"lacks the shards model-00002-of-00002\.safetensors that"):
        huggingface.load(folder)


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", "sub/../../outside.safetensors", ".."])
def test_index_that_leaves_the_folder(folder: Path, name: str) -> None:
    weight_map = shard(folder)
    shutil.copy(folder / "model-00001-of-00002.safetensors", folder.parent / "outside.safetensors")
    write_index(folder, {**weight_map, "qa_outputs.bias": name})
    with pytest.raises(CheckpointError, match="names a file outside the folder"):
        huggingface.load(folder)


@pytest.mark.parametrize("index", [{}, {"weight_map": ["a"]}, {"weight_map": {"a": 1}}])
def test_index_without_a_map(folder: Path, index: object) -> None:
    shard(folder)
    (folder / f"{huggingface.SAFETENSORS}.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="no weight_map"):
        huggingface.load(folder)


# Pickles

class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_never_executed(folder: Path, tmp_path: Path) -> None:
    """What it would run is refused by its name."""
    (folder / huggingface.SAFETENSORS).unlink()
    trap = pickle.dumps({"weight": Trap(tmp_path / "sprung")})
    (folder / variants.PICKLE).write_bytes(trap)
    with pytest.raises(CheckpointError, match=rf"holds {os.mkdir.__module__}\.mkdir, which tensors do not need"):
        huggingface.load(folder)
    assert not (tmp_path / "sprung").exists()
    pickle.loads(trap)
    assert (tmp_path / "sprung").exists()  # the trap does work


# Number formats

def test_float16(folder: Path, tiny_qa: Path) -> None:
    store(folder, {name: tensor.astype(np.float16) for name, tensor in tensors_of(folder).items()})
    expected, actual = huggingface.load(tiny_qa).tensors, huggingface.load(folder).tensors
    for name in expected:
        assert actual[name].dtype == np.float32
        assert np.array_equal(actual[name], expected[name].astype(np.float16).astype(np.float32))


def test_bfloat16(folder: Path, tiny_qa: Path) -> None:
    """The upper half of a float32. Written by hand: header length, header, data."""
    header, data = {}, b""
    for name, tensor in tensors_of(folder).items():
        upper = (tensor.view(np.uint32) >> 16).astype(np.uint16).tobytes()
        header[name] = {"dtype": "BF16", "shape": tensor.shape, "data_offsets": [len(data), len(data) + len(upper)]}
        data += upper
    text = json.dumps(header).encode()
    (folder / huggingface.SAFETENSORS).write_bytes(struct.pack("<Q", len(text)) + text + data)

    expected, actual = huggingface.load(tiny_qa).tensors, huggingface.load(folder).tensors
    for name in expected:
        assert actual[name].dtype == np.float32
        assert np.array_equal(actual[name].view(np.uint32), expected[name].view(np.uint32) >> 16 << 16)


# Names

def test_encoder_without_prefix(folder: Path, tiny_config: MobileBertConfig) -> None:
    """MobileBertModel itself saves ``embeddings.…``; inside another model the same is ``mobilebert.embeddings.…``."""
    weights = random_weights(tiny_config, pooler=True)
    huggingface.save(weights, folder)
    bare = tensors_of(folder)
    assert not any(name.startswith("mobilebert.") for name in bare)
    plain = huggingface.load(folder).tensors
    store(folder, {f"mobilebert.{name}": tensor for name, tensor in bare.items()})
    prefixed = huggingface.load(folder).tensors
    assert plain.keys() == prefixed.keys() == weights.tensors.keys()
    assert all(np.array_equal(plain[name], weights.tensors[name]) for name in plain)
    assert all(np.array_equal(prefixed[name], weights.tensors[name]) for name in plain)


def test_what_carries_no_information_is_left_out(folder: Path, tiny_config: MobileBertConfig) -> None:
    """Position numbers, second names of tied tensors, and a pooler that the configuration switches off."""
    config = replace(tiny_config, classifier_activation=False)
    weights = random_weights(config, {"mlm": 0})
    huggingface.save(weights, folder)
    tensors = tensors_of(folder)
    tensors["mobilebert.embeddings.position_ids"] = np.arange(64)[None]
    tensors["cls.predictions.decoder.weight"] = tensors[WORDS]
    tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"]
    tensors["mobilebert.pooler.dense.weight"] = np.zeros((64, 64), np.float32)
    tensors["mobilebert.pooler.dense.bias"] = np.zeros(64, np.float32)
    store(folder, tensors)
    assert huggingface.load(folder).tensors.keys() == weights.tensors.keys()

    # A decoder with values of its own is another model.
    store(folder, {**tensors, "cls.predictions.decoder.weight": tensors[WORDS] + 1})
    with pytest.raises(WeightsError, match=r"unexpected cls\.predictions\.decoder\.weight"):
        huggingface.load(folder)


@pytest.mark.parametrize(("task", "heads", "refused"), [
    ("classification", {"classifier": 2}, True), ("multiple-choice", {"classifier": 1}, True),
    ("next-sentence", {"nsp": 2}, True), ("token-classification", {"classifier": 3}, False), ("qa", {"qa": 2}, False)])
def test_pooler_that_the_configuration_promises(tiny_config: MobileBertConfig, tmp_path: Path, task: str,
                                                heads: dict[str, int], refused: bool) -> None:
    """transformers draws one at random where its head reads it, so no answer would be the right one."""
    huggingface.save(random_weights(replace(tiny_config, task=task), heads), tmp_path / "without")
    if refused:
        with pytest.raises(WeightsError, match=r"missing mobilebert\.pooler\.dense\.weight.*set classifier_activation"):
            huggingface.load(tmp_path / "without")
    else:
        assert not huggingface.load(tmp_path / "without").has_pooler
    # What the error advises.
    huggingface.save(random_weights(replace(tiny_config, task=task, classifier_activation=False), heads),
                     tmp_path / "told")
    assert huggingface.load(tmp_path / "told").heads == tuple(heads)
