"""What transformers' TensorFlow classes save: ``tf_model.h5``, its shards and safetensors, for every head."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import h5py
import heads
import numpy as np
import pytest
from safetensors.numpy import save_file

from mobilebert_lite.architecture.config import MobileBertConfig, to_huggingface
from mobilebert_lite.architecture.weights import Weights, checked, random_weights
from mobilebert_lite.converters import formats
from mobilebert_lite.converters.export import ExportRequest, export
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.converters.huggingface import tensor_files
from mobilebert_lite.converters.names.name_maps import UNTIED, huggingface_tensorflow_rows, write_tensors
from mobilebert_lite.errors import ConfigError, WeightsError

sys.path.insert(0, str(Path(__file__).with_name("parity")))
from reference import Reference

Theirs = Mapping[str, np.ndarray]
# Each class names its model after itself, in files of Keras before the path of every variable.
MODEL = "tf_mobile_bert_for_something"


def variables(weights: Weights) -> dict[str, np.ndarray]:
    """Theirs, as the classes name them; a masked LM head keeps a decoder of its own beside the word table."""
    theirs = {f"{name}:0": np.ascontiguousarray(tensor) for name, tensor in write_tensors(
        huggingface_tensorflow_rows(weights.config), weights.tensors).items()}
    if "mlm" in weights.heads and UNTIED not in weights.tensors:
        theirs["predictions___cls/predictions/decoder/weight:0"] = weights.tensors["embeddings.word"]
    return theirs


def whole(theirs: Theirs, folder: Path) -> None:
    """As ``Model.save_weights`` of Keras: the layer, the model, the path of the variable."""
    with h5py.File(folder / tensor_files.HDF5, "w") as file:
        layers = dict.fromkeys(name.split("/")[0] for name in theirs)
        file.attrs["layer_names"] = list(layers)
        for layer in (*layers, "dropout", "top_level_model_weights"):
            group = file.create_group(layer)
            held = {name: array for name, array in theirs.items() if name.split("/")[0] == layer}
            group.attrs["weight_names"] = [f"{MODEL}/{name}" for name in held]
            for name, array in held.items():
                group.create_dataset(f"{MODEL}/{name}", data=array)


def sharded(theirs: Theirs, folder: Path) -> None:
    """As transformers writes shards: without the model; the map has it."""
    names = sorted(theirs)
    files = {"tf_model-00001-of-00002.h5": names[::2], "tf_model-00002-of-00002.h5": names[1::2]}
    for file, held in files.items():
        with h5py.File(folder / file, "w") as shard:
            for name in held:
                shard.create_dataset(name, data=theirs[name])
    (folder / "tf_model.h5.index.json").write_text(json.dumps(
        {"weight_map": {f"{MODEL}/{name}": file for file, held in files.items() for name in held}}))


def safetensors(theirs: Theirs, folder: Path) -> None:
    """Without the model, and with a word on the format."""
    save_file(dict(theirs), folder / tensor_files.SAFETENSORS, metadata={"format": "tf"})


WRITERS: dict[str, Callable[[Theirs, Path], None]] = {"h5": whole, "shards": sharded, "safetensors": safetensors}


def saved(weights: Weights, folder: Path, kind: str, vocabulary: Sequence[str] = ()) -> Path:
    """The checkpoint as these classes would write it."""
    huggingface.save(weights, folder, vocabulary=vocabulary)
    (folder / tensor_files.SAFETENSORS).unlink()
    WRITERS[kind](variables(weights), folder)
    return folder


def assert_same(actual: Weights, expected: Weights) -> None:
    """The same tensors to the byte."""
    assert actual.tensors.keys() == expected.tensors.keys()
    assert all(np.array_equal(actual.tensors[name], expected.tensors[name]) for name in expected.tensors)


@pytest.mark.parametrize("kind", WRITERS)
# These classes have no head for sentence embeddings.
@pytest.mark.parametrize("name", [name for name in heads.HEADS if name != "embedding"])
def test_every_head(tiny_config: MobileBertConfig, tmp_path: Path, name: str, kind: str) -> None:
    weights = heads.weights_of(name, tiny_config)
    assert_same(formats.find(saved(weights, tmp_path / "saved", kind)).load(), weights)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("changes", [
    {"normalization_type": "layer_norm"}, {"num_feedforward_networks": 1, "use_bottleneck_attention": True},
    {"use_bottleneck": False, "trigram_input": False, "embedding_size": 64},
    {"num_hidden_layers": 11, "num_feedforward_networks": 12}])
def test_other_networks(tiny_config: MobileBertConfig, tmp_path: Path, kind: str, changes: dict[str, object]) -> None:
    weights = random_weights(replace(tiny_config, **changes), {"mlm": 0, "nsp": 2}, pooler=True)  # type: ignore[arg-type]
    assert_same(formats.find(saved(weights, tmp_path / "saved", kind)).load(), weights)


def test_what_does_not_fit_is_named(tiny_config: MobileBertConfig, tmp_path: Path) -> None:
    weights = random_weights(tiny_config, {"qa": 2})
    theirs = variables(weights)
    theirs["mobilebert/adapter/kernel:0"] = np.zeros(3, np.float32)
    del theirs["qa_outputs/bias:0"]
    saved(weights, tmp_path, "h5")
    whole(theirs, tmp_path)
    with pytest.raises(WeightsError, match=r"missing qa.*\.bias; unexpected mobilebert/adapter/kernel"):
        formats.find(tmp_path).load()


def test_shared_case(shared: Callable[..., Path]) -> None:
    """Written by transformers 4.46, with the answer of its own class; its inputs are ids up to a padding token."""
    folder = shared("cases", "checkpoints", "tf-h5")
    found = formats.find(folder)
    assert str(found) == "huggingface, tf_model.h5"
    weights, expected = found.load(), np.load(folder / "expected.npz")
    reference, ids = Reference(weights.config, weights.tensors), expected["ids"][0]
    hidden = reference.encode(ids, ids != weights.config.pad_token_id, np.zeros_like(ids))
    logits = reference.dense("classifier", reference.pool(hidden))
    assert np.abs(logits - expected["logits"][0]).max() < 1e-5 * np.abs(logits).max()


# A decoder with values of its own: TensorFlow's classes never tie it, those of torch where config.json says so

@pytest.fixture
def untied(tiny_config: MobileBertConfig) -> Weights:
    """A masked LM head whose word table is not the embedding's."""
    weights = random_weights(replace(tiny_config, task="fill-mask"), {"mlm": 0})
    words = random_weights(tiny_config, seed=5).tensors["embeddings.word"]
    return checked(weights.config, {**weights.tensors, UNTIED: words})


@pytest.mark.parametrize("kind", WRITERS)
def test_decoder_of_its_own(untied: Weights, tmp_path: Path, kind: str) -> None:
    assert_same(formats.find(saved(untied, tmp_path / "saved", kind)).load(), untied)


def test_decoder_of_its_own_is_written_back(untied: Weights, tmp_path: Path) -> None:
    source = saved(untied, tmp_path / "saved", "h5")
    export(ExportRequest(str(source), "huggingface", tmp_path / "back"))
    assert json.loads((tmp_path / "back" / "config.json").read_text())["tie_word_embeddings"] is False
    assert_same(formats.find(tmp_path / "back").load(), untied)
    # A configuration that ties them makes transformers ignore one of the two.
    (tmp_path / "back" / "config.json").write_text(json.dumps(to_huggingface(untied.config)))
    with pytest.raises(WeightsError, match=r"unexpected cls\.predictions\.decoder\.weight"):
        formats.find(tmp_path / "back").load()
    with pytest.raises(ConfigError, match="word table of its own"):
        export(ExportRequest(str(source), "tf1", tmp_path / "tf1"))
