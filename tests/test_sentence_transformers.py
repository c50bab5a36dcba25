"""Folders as sentence-transformers writes them: every module obeyed, or refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.pooling import Pooling
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.converters.checkpoints import Checkpoint, load_checkpoint
from mobilebert_lite.converters.export import ExportRequest, export
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.converters.huggingface import hub
from mobilebert_lite.errors import CheckpointError, WeightsError
from mobilebert_lite.tasks.choose import choose_task

OLD, NEW = "sentence_transformers.models", "sentence_transformers.base.modules"
TANH = "torch.nn.modules.activation.Tanh"
Make = Callable[..., Path]


@pytest.fixture
def make(tiny_config: MobileBertConfig, tiny_vocabulary: tuple[str, ...], tmp_path: Path) -> Make:
    """``make(pooling, Normalize={})``: a folder with these modules behind the network, by their configurations."""
    def write(*modules: tuple[str, dict[str, Any]], network: str = "", settings: dict[str, Any] | None = None,
              lower_case: bool = True) -> Path:
        folder = tmp_path / "made"
        config = replace(tiny_config, num_hidden_layers=1)
        huggingface.save(random_weights(config, pooler=True), folder / network, vocabulary=tiny_vocabulary,
                         lower_case=lower_case)
        rows = [{"idx": 0, "name": "0", "path": network, "type": f"{OLD}.Transformer"}]
        for i, (kind, said) in enumerate(modules, 1):
            path = f"{i}_{kind.rpartition('.')[2]}"
            (folder / path).mkdir()
            (folder / path / "config.json").write_text(json.dumps(said))
            rows.append({"idx": i, "name": str(i), "path": path, "type": kind if "." in kind else f"{OLD}.{kind}"})
        (folder / "modules.json").write_text(json.dumps(rows))
        if settings is not None:
            (folder / network / "sentence_bert_config.json").write_text(json.dumps(settings))
        return folder

    return write


def pooling(**flags: bool) -> tuple[str, dict[str, Any]]:
    """As versions up to 5 write it."""
    names = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
    return "Pooling", {"word_embedding_dimension": 64, **{f"pooling_mode_{name}": flags.get(name, False)
                                                          for name in names}, "include_prompt": True}


MEAN, NORMALIZE = pooling(mean_tokens=True), ("Normalize", {})


def dense(folder: Path, outputs: int, bias: bool = True) -> dict[str, np.ndarray]:
    """Weights for the module in ``folder``."""
    rng = np.random.default_rng(0)
    tensors = {"linear.weight": rng.normal(size=(outputs, 64)).astype(np.float32)}
    if bias:
        tensors["linear.bias"] = rng.normal(size=outputs).astype(np.float32)
    save_file(tensors, folder / "model.safetensors")
    return tensors


def load(folder: Path) -> tuple[Checkpoint, list[str]]:
    """The checkpoint, and what was said on the way."""
    said: list[str] = []
    return load_checkpoint(str(folder), progress=said.append), said


@pytest.mark.parametrize(("modules", "expected"), [
    ((MEAN,), Pooling("mean")), ((MEAN, NORMALIZE), Pooling("mean", True)),
    ((pooling(cls_token=True),), Pooling("cls")), ((pooling(max_tokens=True), NORMALIZE), Pooling("max", True)),
    ((("Pooling", {"word_embedding_dimension": 64}),), Pooling("mean")),
    ((("Pooling", {"embedding_dimension": 64, "pooling_mode": "cls", "include_prompt": True}),), Pooling("cls")),
    (((f"{NEW}.pooling.Pooling", {"embedding_dimension": 64, "pooling_mode": ["max"]}),
      (f"{NEW}.normalize.Normalize", {"module_input_name": "sentence_embedding"})), Pooling("max", True)),
    ((("Dropout", {"dropout": 0.1}), MEAN), Pooling("mean")),
])
def test_poolings_of_every_version(make: Make, modules: tuple[Any, ...], expected: Pooling) -> None:
    checkpoint, said = load(make(*modules))
    assert checkpoint.weights.pooling == expected
    assert choose_task(checkpoint.weights, None).name == "embedding"
    assert choose_task(checkpoint.weights, "features").name == "features"
    assert f"modules.json: {expected}" in said


@pytest.mark.parametrize(("settings", "length"), [
    ({"max_seq_length": 24, "do_lower_case": False}, 24), ({"max_seq_length": 512}, 64), ({"max_seq_length": None}, 0),
    ({}, 0)])
def test_length(make: Make, settings: dict[str, Any], length: int) -> None:
    """No longer than there are positions (64)."""
    found = load(make(MEAN, settings=settings))[0].weights.pooling
    assert found is not None
    assert found.max_length == length


def test_length_of_version_6(make: Make) -> None:
    """It stands in the tokenizer's settings."""
    folder = make(MEAN, settings={"transformer_task": "feature-extraction"})
    place = folder / "tokenizer_config.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), "model_max_length": 40}))
    found = load(folder)[0].weights.pooling
    assert found is not None
    assert found.max_length == 40


def test_texts_are_lower_cased_where_the_folder_says_so(make: Make) -> None:
    """Before a cased tokenizer, whose accents stay."""
    checkpoint, said = load(make(MEAN, settings={"do_lower_case": True}, lower_case=False))
    assert checkpoint.tokenizer.settings.lower_case
    assert not checkpoint.tokenizer.settings.strip_accents
    assert checkpoint.tokenizer.encode("The RED").ids == checkpoint.tokenizer.encode("the red").ids
    assert any("lower-cased first" in line for line in said)


@pytest.mark.parametrize("bias", [True, False])
def test_the_dense_layer_is_part_of_the_weights(make: Make, bias: bool) -> None:
    folder = make(MEAN, ("Dense", {"in_features": 64, "out_features": 8, "bias": bias, "activation_function": TANH}),
                  NORMALIZE)
    tensors = dense(folder / "2_Dense", 8, bias)
    weights = load(folder)[0].weights
    assert weights.pooling == Pooling("mean", True, "tanh")
    assert np.array_equal(weights.tensors["embedding.kernel"], tensors["linear.weight"].T)
    assert np.array_equal(weights.tensors["embedding.bias"], tensors.get("linear.bias", np.zeros(8)))


@pytest.mark.parametrize("inside", [False, True])
def test_the_network_in_a_folder_of_its_own(make: Make, inside: bool) -> None:
    """As early versions write it; the modules count from inside of it as well, and so does its vocabulary."""
    folder = make(pooling(max_tokens=True), network="0_Transformer", settings={"max_seq_length": 20})
    checkpoint, _ = load(folder / "0_Transformer" if inside else folder)
    assert checkpoint.weights.pooling == Pooling("max", max_length=20)
    assert len(checkpoint.tokenizer.vocabulary) == checkpoint.weights.config.vocab_size


DENSE = {"in_features": 64, "out_features": 8, "activation_function": TANH}


@pytest.mark.parametrize(("modules", "message"), [
    ((pooling(mean_sqrt_len_tokens=True),), "pooling mean_sqrt_len_tokens cannot be converted"),
    ((pooling(weightedmean_tokens=True),), "pooling weightedmean cannot be converted"),
    ((("Pooling", {"pooling_mode": "lasttoken"}),), "pooling lasttoken cannot be converted"),
    ((pooling(cls_token=True, mean_tokens=True),), "pooling cls and mean cannot be converted"),
    ((("Pooling", {"pooling_mode_mean_tokens": "yes"}),), "pooling_mode_mean_tokens is 'yes'"),
    ((("Pooling", {"pooling_mode_median": True}),), "unknown settings pooling_mode_median"),
    ((("Pooling", {"word_embedding_dimension": 32}),), "pools vectors of 32, but hidden_size is 64"),
    ((("LSTM", {}), MEAN), "the module LSTM cannot be converted"),
    ((("WeightedLayerPooling", {}), MEAN), "the module WeightedLayerPooling cannot be converted"),
    ((MEAN, ("LayerNorm", {"dimension": 64})), "the module LayerNorm cannot be converted"),
    ((MEAN, ("my_package.Own", {})), "the module Own cannot be converted"),
    ((MEAN, NORMALIZE, ("Dense", DENSE)), "modules Pooling, Normalize, Dense in this order cannot"),
    ((MEAN, ("Dense", DENSE), ("Dense", DENSE)), "modules Pooling, Dense, Dense in this order cannot"),
    ((NORMALIZE,), "modules Normalize in this order cannot"),
    ((MEAN, ("Normalize", {"module_input_name": "token_embeddings"})), "module_input_name 'token_embeddings' cannot"),
    ((MEAN, ("Dense", {**DENSE, "activation_function": "torch.nn.modules.activation.Softplus"})),
     "activation_function torch.nn.modules.activation.Softplus cannot"),
    ((MEAN, ("Dense", {**DENSE, "use_residual": True})), "Dense with use_residual cannot"),
])
def test_what_cannot_be_converted_is_named(make: Make, modules: tuple[Any, ...], message: str) -> None:
    folder = make(*modules)
    for one in folder.glob("*_Dense"):
        dense(one, 8)
    with pytest.raises(CheckpointError, match=message):
        load(folder)


@pytest.mark.parametrize(("text", "message"), [
    ("{", "is no list of modules"), ("[1]", "is no list of modules"), ('[{"idx": 0}]', "is no list of modules"),
    ('[{"idx": 0, "path": "../other", "type": "a.Transformer"}]', "leads out of its folder")])
def test_damaged_lists(make: Make, text: str, message: str) -> None:
    folder = make(MEAN)
    (folder / "modules.json").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        load(folder)


def test_damaged_dense_layers(make: Make) -> None:
    folder = make(MEAN, ("Dense", DENSE))
    with pytest.raises(CheckpointError, match="no weights in"):
        load(folder)
    save_file({"other.weight": np.zeros((8, 64), np.float32)}, folder / "2_Dense" / "model.safetensors")
    with pytest.raises(CheckpointError, match="is no Dense module"):
        load(folder)
    save_file({"linear.weight": np.zeros((8, 32), np.float32)}, folder / "2_Dense" / "model.safetensors")
    with pytest.raises(WeightsError, match="wrong shape"):
        load(folder)


def test_what_users_must_do_themselves_is_said(make: Make) -> None:
    folder = make(MEAN)
    (folder / "config_sentence_transformers.json").write_text(json.dumps(
        {"prompts": {"query": "query: ", "document": ""}, "default_prompt_name": "query",
         "similarity_fn_name": "dot"}))
    said = "\n".join(load(folder)[1])
    assert "texts are to begin with a prompt, which the file does not add: query 'query: '; 'query' before" in said
    assert "compared by dot" in said


def test_a_network_alone_is_no_embedding(make: Make) -> None:
    """Version 6 writes such a list beside cross-encoders."""
    weights = load(make())[0].weights
    assert weights.pooling is None
    assert choose_task(weights, None).name == "features"


def test_export_writes_the_modules(make: Make, tmp_path: Path) -> None:
    folder = make(MEAN, ("Dense", DENSE), NORMALIZE, settings={"max_seq_length": 24})
    dense(folder / "2_Dense", 8)
    output = tmp_path / "exported"
    export(ExportRequest(str(folder), "huggingface", output))
    before, after = load(folder)[0].weights, load(output)[0].weights
    assert after.pooling == before.pooling
    assert all(np.array_equal(tensor, after.tensors[name]) for name, tensor in before.tensors.items())
    assert not [name for name in load_file(output / "model.safetensors") if "embedding.linear" in name]


def test_export_to_tensorflow_leaves_them_out(make: Make, tmp_path: Path) -> None:
    folder = make(MEAN, ("Dense", DENSE))
    dense(folder / "2_Dense", 8)
    said: list[str] = []
    export(ExportRequest(str(folder), "tf1", tmp_path / "exported"), said.append)
    assert "left out, for bert_config.json has no place for it: mean pooling, a dense layer (tanh)" in said
    assert load(tmp_path / "exported")[0].weights.heads == ()


def test_the_hub_s_folders_come_whole() -> None:
    """Modules with one copy of their weights, and nothing else."""
    beside = ["modules.json", "config_sentence_transformers.json", "1_Pooling/config.json", "2_Dense/config.json",
              "2_Dense/model.safetensors"]
    network = ["config.json", "model.safetensors", "sentence_bert_config.json", "vocab.txt"]
    others = ["README.md", "2_Dense/pytorch_model.bin", "onnx/model.onnx", "1_Pooling/README.md", "pytorch_model.bin"]
    found = hub.wanted([*beside, *network, *others], hub.Address("a/b"))
    assert sorted(found) == sorted([*beside, *network])
    inner = [f"0_Transformer/{name}" for name in network]
    found = hub.wanted([*beside, *inner, "README.md", "config.json"], hub.Address("a/b"))
    assert sorted(found) == sorted([*beside, *inner, "config.json"])
