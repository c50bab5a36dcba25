"""LoRA adapters, laid out as peft writes them, against the sum written out for each matrix."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import hubs
import numpy as np
import pytest
from commands import mbl
from safetensors.numpy import load_file, save_file

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import Weights, random_weights
from mobilebert_lite.converters import formats
from mobilebert_lite.converters.checkpoints import load_checkpoint
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.converters.huggingface import variants
from mobilebert_lite.errors import CheckpointError, WeightsError

PRE = "base_model.model."
QUERY, VALUE = (f"mobilebert.encoder.layer.{i}.attention.self.{part}" for i, part in ((0, "query"), (1, "value")))
WORDS = "mobilebert.embeddings.word_embeddings"
Tensors = dict[str, np.ndarray]

RNG = np.random.default_rng(0)


def noise(*shape: int) -> np.ndarray:
    return RNG.normal(0, 0.1, shape).astype(np.float32)


@pytest.fixture(scope="module")
def base(tiny_config: MobileBertConfig, tiny_vocabulary: tuple[str, ...],
         tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pre-trained checkpoint, as fine-tuning starts from."""
    folder = tmp_path_factory.mktemp("adapters") / "base"
    weights = random_weights(replace(tiny_config, task="pretraining"), {"mlm": 0, "nsp": 2}, pooler=True)
    huggingface.save(weights, folder, vocabulary=tiny_vocabulary)
    return folder


def write(folder: Path, base: str, tensors: Mapping[str, np.ndarray], **fields: Any) -> Path:
    """An adapter of ``base`` in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"peft_type": "LORA", "task_type": "SEQ_CLS", "base_model_name_or_path": base, "r": 4, "lora_alpha": 8,
              "bias": "none", "fan_in_fan_out": False, "use_rslora": False, "use_dora": False, "rank_pattern": {},
              "alpha_pattern": {}, "init_lora_weights": True, "inference_mode": True, "megatron_core": "megatron.core",
              "target_modules": ["query", "value"], "modules_to_save": ["classifier", "score"], **fields}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    save_file(dict(tensors), folder / "adapter_model.safetensors", {"format": "pt"})
    return folder


def pair(module: str, rank: int = 4, width: int = 16, rows: int = 16) -> Tensors:
    """A and B of one matrix."""
    return {f"{PRE}{module}.lora_A.weight": noise(rank, width), f"{PRE}{module}.lora_B.weight": noise(rows, rank)}


def head(width: int = 64, classes: int = 3) -> Tensors:
    return {f"{PRE}classifier.weight": noise(classes, width), f"{PRE}classifier.bias": noise(classes)}


def theirs(weights: Weights, folder: Path) -> Tensors:
    """By the names of transformers."""
    huggingface.save(weights, folder)
    tensors = load_file(folder / variants.SAFETENSORS)
    return {name if name.startswith(("mobilebert.", "classifier.", "qa_outputs.")) else f"mobilebert.{name}": tensor
            for name, tensor in tensors.items()}


def check(adapter: Path, base: Path, sums: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray]) -> Weights:
    """That what is read is the base with ``sums`` added to matrices, and ``others`` in place of tensors."""
    weights = formats.find(adapter).load()
    actual = theirs(weights, adapter.parent / "read")
    before = {name: tensor for name, tensor in load_file(base / variants.SAFETENSORS).items()
              if name.startswith("mobilebert.")}
    assert actual.keys() == before.keys() | set(others)
    for name, tensor in actual.items():
        wanted = others[name] if name in others else before[name]
        if name in sums:
            wanted = (wanted.astype(np.float64) + sums[name]).astype(np.float32)
            assert np.abs(sums[name]).max() > 1e-3
        assert np.array_equal(tensor, wanted), name
    return weights


def product(tensors: Mapping[str, np.ndarray], module: str, scale: float) -> np.ndarray:
    """s · B · A, element by element."""
    first, second = (tensors[f"{PRE}{module}.lora_{side}.weight"].astype(np.float64) for side in "AB")
    return scale * np.einsum("or,ri->oi", second, first)


@pytest.mark.parametrize(("fields", "scales"), [
    ({}, (2, 2)),
    ({"use_rslora": True}, (4, 4)),
    ({"alpha_pattern": {"layer.1.attention.self.value": 2}}, (2, 0.5)),
    ({"alpha_pattern": {".*query": 12, "self.value": 4}}, (3, 1)),
    ({"alpha_pattern": {"uery": 12}}, (2, 2)),  # patterns are of whole parts of a name
    ({"fan_in_fan_out": True}, (2, 2)),  # which peft ignores for dense layers
])
def test_scales(base: Path, tmp_path: Path, fields: dict[str, Any], scales: tuple[float, float]) -> None:
    tensors = {**pair(QUERY), **pair(VALUE, width=64), **head()}
    adapter = write(tmp_path / "adapter", str(base), tensors, **fields)
    sums = {f"{module}.weight": product(tensors, module, scale)
            for module, scale in zip((QUERY, VALUE), scales, strict=True)}
    weights = check(adapter, base, sums, {name: tensors[PRE + name]
                                          for name in ("classifier.weight", "classifier.bias")})
    assert weights.config.task == "classification"


def test_ranks_of_their_own(base: Path, tmp_path: Path) -> None:
    """s is alpha by the rank of the matrices at hand."""
    tensors = {**pair(QUERY, rank=2), **pair(VALUE, rank=8, width=64), **head()}
    adapter = write(tmp_path / "adapter", str(base), tensors, r=16, rank_pattern={"query": 2, "value": 8})
    check(adapter, base, {f"{QUERY}.weight": product(tensors, QUERY, 4), f"{VALUE}.weight": product(tensors, VALUE, 1)},
          {name: tensors[PRE + name] for name in ("classifier.weight", "classifier.bias")})


def test_tables_biases_and_whole_modules(base: Path, tmp_path: Path) -> None:
    """In the names of peft's files, old ones with the adapter's own name in them too."""
    rows = load_file(base / variants.SAFETENSORS)[f"{WORDS}.weight"].shape[0]
    first, second, pooler, bias, extra = noise(4, rows), noise(16, 4), noise(64, 64), noise(16), noise(16)
    matrices = pair(QUERY)
    tensors = {f"{PRE}{WORDS}.lora_embedding_A": first, f"{PRE}{WORDS}.lora_embedding_B": second,
               f"{PRE}mobilebert.pooler.dense.weight": pooler,
               f"{PRE}{QUERY}.base_layer.bias": bias, f"{PRE}{QUERY}.lora_B.bias": extra,
               **{name.replace(".weight", ".default.weight"): tensor for name, tensor in matrices.items()},
               f"{PRE}classifier.modules_to_save.default.weight": noise(3, 64),
               f"{PRE}classifier.modules_to_save.default.bias": noise(3),
               f"{PRE}classifier.original_module.weight": noise(3, 64),
               f"{PRE}classifier.original_module.bias": noise(3)}
    adapter = write(tmp_path / "adapter", str(base), tensors, bias="lora_only", lora_bias=True)
    saved = f"{PRE}classifier.modules_to_save.default"
    check(adapter, base,
          {f"{WORDS}.weight": 2 * np.einsum("er,rw->we", second.astype(np.float64), first.astype(np.float64)),
           f"{QUERY}.weight": product(matrices, QUERY, 2), f"{QUERY}.bias": 2 * extra.astype(np.float64)},
          {"mobilebert.pooler.dense.weight": pooler, f"{QUERY}.bias": bias,
           "classifier.weight": tensors[f"{saved}.weight"], "classifier.bias": tensors[f"{saved}.bias"]})


def test_encoder_alone(base: Path, tmp_path: Path) -> None:
    tensors = {name.replace("mobilebert.", ""): tensor for name, tensor in pair(QUERY).items()}
    adapter = write(tmp_path / "adapter", str(base), tensors, task_type="FEATURE_EXTRACTION")
    weights = check(adapter, base, {f"{QUERY}.weight": product({PRE + QUERY + name.split("query")[1]: tensor
                                                                for name, tensor in tensors.items()}, QUERY, 2)}, {})
    assert weights.heads == ()


def test_words_that_were_added(base: Path, tmp_path: Path) -> None:
    """With the table they stand in."""
    rows = load_file(base / variants.SAFETENSORS)[f"{WORDS}.weight"].shape[0]
    table = noise(rows + 2, 16)
    adapter = write(tmp_path / "adapter", str(base), {**pair(QUERY), **head(), f"{PRE}{WORDS}.weight": table})
    weights = formats.find(adapter).load()
    assert weights.config.vocab_size == rows + 2
    assert np.array_equal(weights.tensors["embeddings.word"], table)


# Where the base is

@pytest.mark.parametrize("place", ["named", "beside", "the same folder", "above", "the cache"])
def test_where_the_base_is(base: Path, tmp_path: Path, place: str) -> None:
    """``mbl convert --weights ADAPTER``, with the vocabulary of its base."""
    named = {"named": str(base), "beside": "/somewhere/else/base", "the same folder": "google/mobilebert-uncased",
             "above": "/somewhere/else/base", "the cache": "somebody/base"}[place]
    folder = tmp_path / {"the same folder": "base", "above": "base/adapter"}.get(place, "mine")
    if place == "the cache":
        hubs.fill_cache(tmp_path / "home", "somebody/base", hubs.files_in(base))
    elif place != "named":
        shutil.copytree(base, tmp_path / "base")
    write(folder, named, {**pair(QUERY), **head()})
    done = mbl("convert", "--weights", folder, "--seq-len", 16, "--quantize", "none", "-o", tmp_path / "x.tflite",
               "--json", environment=hubs.offline(tmp_path / "home"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["task"] == "classification"
    assert "· merging the adapter into its base, " in done.stderr


def test_a_training_that_kept_adapters(base: Path, tmp_path: Path) -> None:
    for step in (9, 10):
        write(tmp_path / f"checkpoint-{step}", str(base), {**pair(QUERY), **head(classes=step)})
    said: list[str] = []
    weights = formats.find(tmp_path).load(note=said.append)
    assert weights.tensors["classifier.bias"].shape == (10,)
    assert said == ["taking checkpoint-10, the last of this training", f"merging the adapter into its base, {base}"]
    assert load_checkpoint(str(tmp_path)).tokenizer.vocabulary


def test_no_base(tmp_path: Path) -> None:
    adapter = write(tmp_path / "adapter", "./lost", {**pair(QUERY), **head()})
    with pytest.raises(CheckpointError, match=r"is an adapter of \./lost, which is not to be had .*put the adapter's "
                                              r"files into the folder of its base"):
        formats.find(adapter)
    adapter = write(tmp_path / "adapter", "", head())
    with pytest.raises(CheckpointError, match="names no base model"):
        formats.find(adapter)


# What is refused

@pytest.mark.parametrize(("fields", "said"), [
    ({"peft_type": "IA3"}, "peft_type is 'IA3'; LORA adapters are merged"),
    ({"peft_type": "PREFIX_TUNING"}, "peft_type is 'PREFIX_TUNING'"),
    ({"use_dora": True}, "use_dora is more than LoRA alone; save the merged model"),
    ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights pissa_niter_4 is more than LoRA alone"),
    ({"trainable_token_indices": [1, 2]}, "trainable_token_indices is more"),
    ({"some_day": {"a": 1}, "use_qalora": True}, "some_day, use_qalora is more"),
    ({"lora_alpha": None}, "lora_alpha and alpha_pattern must be numbers"),
    ({"alpha_pattern": {"(": 1}}, "lora_alpha and alpha_pattern must be numbers"),
    ({"alpha_pattern": [1]}, "lora_alpha and alpha_pattern must be numbers")])
def test_other_kinds_of_adapters(base: Path, tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    adapter = write(tmp_path / "adapter", str(base), {**pair(QUERY), **head()}, **fields)
    with pytest.raises(CheckpointError) as error:
        formats.find(adapter).load()
    assert said in str(error.value)


@pytest.mark.parametrize(("tensors", "said"), [
    (pair("mobilebert.encoder.layer.7.attention.self.query"), "adapts mobilebert.encoder.layer.7.attention.self.query"),
    (pair(QUERY, width=8), f"{QUERY} of the base is [16, 16], which B [16, 4] and A [4, 8] do not fit"),
    ({f"{PRE}{QUERY}.lora_A.weight": noise(4, 16)}, "has A of an adapter, but two matrices are needed"),
    ({f"{PRE}{QUERY}.lora_magnitude_vector": noise(16)},
     f"holds {PRE}{QUERY}.lora_magnitude_vector, which is no part of LoRA alone; save the merged model"),
    ({f"{PRE}score.weight": noise(3, 64)}, "unexpected score.weight")])
def test_adapters_of_other_models(base: Path, tmp_path: Path, tensors: Tensors, said: str) -> None:
    adapter = write(tmp_path / "adapter", str(base), {**tensors, **head()})
    with pytest.raises(WeightsError) as error:
        formats.find(adapter).load()
    assert said in str(error.value)


def test_adapter_without_tensors(base: Path, tmp_path: Path) -> None:
    adapter = write(tmp_path / "adapter", str(base), head())
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"but neither adapter_model\.safetensors nor adapter_model\.bin"):
        formats.find(adapter).load()
