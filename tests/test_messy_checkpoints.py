"""Hugging Face folders as trainings leave them: prefixes, leftovers, variants, quantized weights, Git LFS."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from commands import mbl
from safetensors.numpy import load_file, save_file

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import Weights, random_weights
from mobilebert_lite.common.files import read_lines
from mobilebert_lite.converters import checkpoints, formats
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.converters.huggingface import variants
from mobilebert_lite.datasets.reading import read_examples
from mobilebert_lite.errors import CheckpointError, ConversionError, WeightsError
from mobilebert_lite.running.model import read_tflite
from mobilebert_lite.tasks.choose import choose_task
from mobilebert_lite.text.tokenization import Tokenizer

Tensors = dict[str, np.ndarray]
WORDS = "mobilebert.embeddings.word_embeddings.weight"
QUERY = "mobilebert.encoder.layer.0.attention.self.query.weight"


@pytest.fixture
def folder(tiny_classifier: Path, tmp_path: Path) -> Path:
    """A copy of the classifier's checkpoint."""
    return Path(shutil.copytree(tiny_classifier, tmp_path / "checkpoint"))


def change(folder: Path, edit: Callable[[Tensors], Tensors]) -> None:
    """Edit the tensors in ``folder``."""
    path = folder / variants.SAFETENSORS
    tensors = edit(dict(load_file(path)))
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, path, {"format": "pt"})


def rename(folder: Path, rule: Callable[[str], str]) -> None:
    """Call the tensors in ``folder`` otherwise."""
    change(folder, lambda tensors: {rule(name): tensor for name, tensor in tensors.items()})


def load(folder: Path, config: Path | None = None) -> tuple[Weights, list[str]]:
    """The weights that are found there, and what was said."""
    said: list[str] = []
    return formats.find(folder).load(config, said.append), said


def same(actual: Weights, expected: Weights) -> None:
    assert actual.tensors.keys() == expected.tensors.keys()
    for name, tensor in expected.tensors.items():
        assert np.array_equal(actual.tensors[name], tensor), name


# Names

PREFIXES = ("module.", "_orig_mod.", "model.", "bert.", "net.", "module._orig_mod.", "_orig_mod.module.",
            "model.mobilebert.", "student.network.")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_prefix_that_all_share(folder: Path, tiny_classifier: Path, prefix: str) -> None:
    rename(folder, lambda name: prefix + name)
    weights, said = load(folder)
    same(weights, huggingface.load(tiny_classifier))
    assert any(part in " ".join(said) for part in prefix.split(".") if part)


@pytest.mark.parametrize("prefix", ["bert.", "module.", "encoder_model.", "mobilebert.mobilebert."])
def test_prefix_of_an_encoder_alone(tiny_config: MobileBertConfig, tmp_path: Path, prefix: str) -> None:
    weights = random_weights(tiny_config, pooler=True)
    huggingface.save(weights, tmp_path)
    rename(tmp_path, lambda name: prefix + name)
    read, said = load(tmp_path)
    same(read, weights)
    assert len(said) == 1


def test_encoder_under_another_name(folder: Path, tiny_classifier: Path) -> None:
    """The head of the class that the configuration names stands beside it."""
    rename(folder, lambda name: name.replace("mobilebert.", "bert.", 1))
    weights, said = load(folder)
    same(weights, huggingface.load(tiny_classifier))
    assert said == ["taking bert.… for the encoder, mobilebert.…"]


def test_wrappers_inside_names(folder: Path, tiny_classifier: Path) -> None:
    """Of a part that was compiled, and of blocks that were wrapped one by one."""
    rename(folder, lambda name: name.replace("mobilebert.", "mobilebert._orig_mod.", 1).replace(
        ".layer.1.", ".layer.1._fsdp_wrapped_module."))
    weights, said = load(folder)
    same(weights, huggingface.load(tiny_classifier))
    assert ["_orig_mod" in line for line in said] == [True, False]
    assert "_fsdp_wrapped_module" in said[1]


def test_clean_names_are_not_talked_about(tiny_classifier: Path, tiny_qa: Path) -> None:
    for place in (tiny_classifier, tiny_qa):
        assert load(place)[1] == []


def test_prefix_that_not_all_share(folder: Path) -> None:
    """What else is there may be part of the function, so nothing is guessed."""
    change(folder, lambda tensors: {**{f"model.{name}": tensor for name, tensor in tensors.items()},
                                    "mixer.weight": np.ones(3, np.float32)})
    with pytest.raises(WeightsError) as error:
        load(folder)
    assert f"missing {WORDS}" in str(error.value)
    assert "unexpected" in str(error.value)


def test_two_encoders(folder: Path) -> None:
    change(folder, lambda tensors: {f"{owner}.{name}": tensor for owner in ("student", "teacher")
                                    for name, tensor in tensors.items()})
    with pytest.raises(WeightsError, match=r"holds 2 encoders, under student\.mobilebert\., teacher\.mobile"):
        load(folder)


LEFTOVERS = ("loss_fct.weight", "criterion.weight", "loss.weight", "loss_fn.pos_weight", "ce_loss.weight",
             "class_weights", "model.criterion.weight", "losses.0.weight", "n_averaged")


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("name", LEFTOVERS)
def test_what_a_training_left(folder: Path, tiny_classifier: Path, name: str, prefix: str) -> None:
    change(folder, lambda tensors: {**{prefix + one: tensor for one, tensor in tensors.items()},
                                    name: np.ones(4, np.float32)})
    weights, said = load(folder)
    same(weights, huggingface.load(tiny_classifier))
    assert name in said[0]


@pytest.mark.parametrize("name", ["glossary.weight", "classifier.scale", "mobilebert.encoder.layer.0.extra.weight"])
def test_other_tensors_are_errors(folder: Path, name: str) -> None:
    change(folder, lambda tensors: {**tensors, name: np.ones(4, np.float32)})
    with pytest.raises(WeightsError, match=f"unexpected {name}"):
        load(folder)


def test_convert_says_what_it_left_out(folder: Path, tmp_path: Path) -> None:
    rename(folder, lambda name: f"module.{name}")
    done = mbl("convert", "--weights", folder, "--seq-len", 16, "--quantize", "none", "-o", tmp_path / "x.tflite")
    assert done.returncode == 0, done.stderr
    assert "· leaving out module. at the beginning of all names: DataParallel put it there\n" in done.stderr


# Messages

def test_wrong_shapes_say_where_they_come_from(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": 300, "intermediate_size": 32}))
    rows = config["vocab_size"]
    with pytest.raises(WeightsError) as error:
        load(folder)
    message = str(error.value)
    assert f"{WORDS}: found [{rows}, 16], expected [300, 16] (vocab_size 300)" in message
    assert ("mobilebert.encoder.layer.0.ffn.0.intermediate.dense.weight: found [64, 16], expected [32, 16] "
            "(intermediate_size 32)") in message


@pytest.mark.parametrize(("field", "value", "said"), [
    ("num_hidden_layers", 3, "num_hidden_layers is 3, but the tensors have 2 blocks"),
    ("num_hidden_layers", 1, "num_hidden_layers is 1, but the tensors have 2 blocks"),
    ("num_feedforward_networks", 4, "num_feedforward_networks is 4, but the tensors have 2 feed-forward networks")])
def test_wrong_numbers_of_parts(folder: Path, field: str, value: int, said: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, field: value}))
    with pytest.raises(WeightsError) as error:
        load(folder)
    assert said in str(error.value)
    assert "layers.0" not in str(error.value)  # no names but the checkpoint's own


def test_pretraining_heads_and_another_task(tiny_config: MobileBertConfig, tiny_vocabulary: tuple[str, ...],
                                            tmp_path: Path) -> None:
    """As google/mobilebert-uncased is published. The way on is a command that takes these weights."""
    weights = random_weights(replace(tiny_config, task="pretraining"), {"mlm": 0, "nsp": 2}, pooler=True)
    huggingface.save(weights, tmp_path / "published", vocabulary=tiny_vocabulary)
    done = mbl("convert", "--weights", tmp_path / "published", "--task", "qa", "-o", tmp_path / "x.tflite")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "Error: the checkpoint is not trained for qa: it has no head for question answering; its heads are: masked "
        "words (pre-training), next sentence (pre-training); train it first: mbl train --task qa --data FILE --weights "
        f"{tmp_path / 'published'} -o FOLDER")
    assert not (tmp_path / "x.tflite").exists()


def test_tasks_that_are_not_trained_here(tiny_classifier: Path) -> None:
    weights = huggingface.load(tiny_classifier)
    with pytest.raises(ConversionError, match=r"no head for masked words .* or next sentence") as refusal:
        choose_task(weights, "pretraining")
    assert "its heads are: classes; give a checkpoint that has it, or convert this one with --task class" in str(
        refusal.value)


# Files

@pytest.mark.parametrize(("name", "dtype"), [("model.fp16.safetensors", np.float16),
                                             ("model.my-own.v2.safetensors", np.float32),
                                             ("model.bf16.safetensors", ml_dtypes.bfloat16)])
def test_variant(folder: Path, tiny_classifier: Path, name: str, dtype: type) -> None:
    tensors = {key: tensor.astype(dtype) for key, tensor in load_file(folder / variants.SAFETENSORS).items()}
    (folder / variants.SAFETENSORS).unlink()
    save_file(tensors, folder / name)
    weights, said = load(folder)
    assert said == [f"taking {name}: there is no plain file beside the variant {name.split('.', 1)[1][:-12]}"]
    for key, tensor in huggingface.load(tiny_classifier).tensors.items():
        assert np.array_equal(weights.tensors[key], tensor.astype(dtype).astype(np.float32))
    # The plain one wins.
    shutil.copy(tiny_classifier / variants.SAFETENSORS, folder)
    weights, said = load(folder)
    same(weights, huggingface.load(tiny_classifier))
    assert said == []
    # A file of one's own choice.
    assert formats.find(folder / name).evidence == folder / name
    assert np.array_equal(formats.find(folder / name).load().tensors["classifier.bias"],
                          tensors["classifier.bias"].astype(np.float32))


def test_sharded_variant(folder: Path, tiny_classifier: Path) -> None:
    tensors = load_file(folder / variants.SAFETENSORS)
    (folder / variants.SAFETENSORS).unlink()
    parts = {f"model.fp16-0000{i + 1}-of-00002.safetensors": sorted(tensors)[i::2] for i in range(2)}
    for file, names in parts.items():
        save_file({name: tensors[name] for name in names}, folder / file)
    (folder / "model.safetensors.index.fp16.json").write_text(json.dumps(
        {"weight_map": {name: file for file, names in parts.items() for name in names}}))
    same(load(folder)[0], huggingface.load(tiny_classifier))


def test_several_variants(folder: Path) -> None:
    for name in ("model.fp16.safetensors", "model.bf16.safetensors"):
        shutil.copy(folder / variants.SAFETENSORS, folder / name)
    (folder / variants.SAFETENSORS).unlink()
    done = mbl("convert", "--weights", folder, "-o", folder / "x.tflite")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"Error: {folder} holds several variants of the weights: model.bf16.safetensors, model.fp16.safetensors; give "
        "the file that you want in place of the folder")


def test_training_folder(tiny_classifier: Path, tiny_qa: Path, tmp_path: Path) -> None:
    """The last by number, not by name; what a folder at the top holds comes first."""
    for step, source in ((500, tiny_qa), (1500, tiny_classifier), (1000, tiny_qa)):
        shutil.copytree(source, tmp_path / f"checkpoint-{step}")
    (tmp_path / "runs").mkdir()
    (tmp_path / "all_results.json").write_text("{}")
    weights, said = load(tmp_path)
    same(weights, huggingface.load(tiny_classifier))
    assert said == ["taking checkpoint-1500, the last of this training"]
    # A tokenizer at the top serves them all.
    (tmp_path / "checkpoint-1500" / "vocab.txt").rename(tmp_path / "vocab.txt")
    assert checkpoints.load_checkpoint(str(tmp_path)).tokenizer.vocabulary
    # With a config.json alone at the top, too.
    shutil.copy(tiny_classifier / "config.json", tmp_path)
    assert load(tmp_path)[1] == said
    shutil.copy(tiny_qa / variants.SAFETENSORS, tmp_path)
    shutil.copy(tiny_qa / "config.json", tmp_path)
    assert load(tmp_path)[0].heads == ("qa",)


def test_training_folder_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-500").mkdir()
    with pytest.raises(CheckpointError, match="no checkpoint in"):
        formats.find(tmp_path)


# Weights that are no floats

def eight_bits(tensors: Tensors) -> Tensors:
    return {**tensors, QUERY: np.ones((16, 16), np.int8)}


QUANTIzED: dict[str, tuple[Callable[[Tensors], Tensors], str]] = {
    "FP8": (lambda tensors: {**tensors, QUERY: tensors[QUERY].astype(ml_dtypes.float8_e4m3fn)},
            f"{QUERY} is F8_E4M3, no float numbers: the weights are quantized; quantize with mbl instead"),
    "FP8 with scales": (lambda tensors: {**tensors, f"{QUERY}_scale_inv": np.ones(1, np.float32)},
                        "holds weights quantized by FP8 or compressed-tensors"),
    "int8": (eight_bits, f"{QUERY} is I8, no float numbers"),
    "bitsandbytes, 8 bits": (lambda tensors: {**eight_bits(tensors), QUERY.replace(".weight", ".SCB"): np.ones(16)},
                             "holds weights quantized by bitsandbytes (mobilebert.encoder.layer.0.attention.self."),
    "bitsandbytes, 4 bits": (lambda tensors: {**tensors, QUERY: np.ones((128, 1), np.uint8),
                                              f"{QUERY}.absmax": np.ones(4), f"{QUERY}.quant_map": np.ones(16),
                                              f"{QUERY}.quant_state.bitsandbytes__nf4": np.ones(9, np.uint8)},
                             "holds weights quantized by bitsandbytes"),
    "GPTQ": (lambda tensors: {**tensors, **{QUERY.replace("weight", name): np.ones((2, 2), np.int32)
                                            for name in ("qweight", "qzeros", "scales", "g_idx")}},
             "holds weights quantized by GPTQ ("),
    "AWQ": (lambda tensors: {**tensors, **{QUERY.replace("weight", name): np.ones((2, 2), np.int32)
                                           for name in ("qweight", "qzeros", "scales")}},
            "holds weights quantized by GPTQ or AWQ"),
    "complex": (lambda tensors: {**tensors, QUERY: tensors[QUERY].astype(np.complex64)},
                f"{QUERY} is C64, complex numbers, which no MobileBERT has"),
}


@pytest.mark.parametrize("kind", QUANTIzED)
def test_quantized_weights(folder: Path, kind: str) -> None:
    edit, said = QUANTIzED[kind]
    change(folder, edit)
    done = mbl("convert", "--weights", folder, "-o", folder / "x.tflite")
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert not (folder / "x.tflite").exists()


@pytest.mark.parametrize(("said", "method"), [
    ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes"),
    ({"quant_method": "gptq", "bits": 4}, "gptq"), ({"bits": 4}, "of no named")])
def test_quantized_by_its_configuration(folder: Path, said: dict[str, object], method: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": said}))
    with pytest.raises(CheckpointError, match=rf"quantization_config \({method}.*the float checkpoint that it was"):
        load(folder)


def test_positions_are_whole_numbers_by_right(folder: Path, tiny_classifier: Path) -> None:
    change(folder, lambda tensors: {**tensors, "mobilebert.embeddings.position_ids": np.arange(64)[None]})
    same(load(folder)[0], huggingface.load(tiny_classifier))


# Git LFS

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0a' * 32}\nsize 98468384\n"
POINTED = r"is a Git LFS pointer, not the file itself; fetch it with: git lfs pull"


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "vocab.txt"])
def test_pointer_in_a_checkpoint(folder: Path, name: str) -> None:
    (folder / name).write_text(POINTER)
    with pytest.raises(CheckpointError, match=rf"{name} {POINTED}"):
        checkpoints.load_checkpoint(str(folder))


@pytest.mark.parametrize("name", variants.KINDS)
def test_pointer_in_place_of_weights(folder: Path, name: str) -> None:
    (folder / variants.SAFETENSORS).unlink()
    (folder / name).write_text(POINTER)
    with pytest.raises(CheckpointError, match=POINTED):
        load(folder)


def test_pointers_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "pointer"
    path.write_text(POINTER)
    for read in (read_lines, read_tflite, Tokenizer.from_file, lambda one: read_examples(one, "qa")):
        with pytest.raises(CheckpointError, match=f"pointer {POINTED}"):
            read(path)


def test_pointers_of_tensorflow(tiny_classifier: Path, tmp_path: Path) -> None:
    from mobilebert_lite.converters.tensorflow import tensorflow1

    tensorflow1.save(huggingface.load(tiny_classifier), tmp_path)
    for name in ("model.ckpt.data-00000-of-00001", "model.ckpt.index", "bert_config.json"):
        path = tmp_path / name
        before = path.read_bytes()
        path.write_text(POINTER)
        with pytest.raises(CheckpointError, match=POINTED):
            formats.find(tmp_path).load()
        path.write_bytes(before)
    same(formats.find(tmp_path).load(), huggingface.load(tiny_classifier))


@pytest.mark.parametrize("command", [("run", "{}", "--text", "a"), ("inspect", "{}"), ("eval", "{}", "--data", "{}"),
                                     ("bench", "{}"), ("inspect", "{}", "--client", "all")])
def test_pointer_in_place_of_a_model(tmp_path: Path, command: tuple[str, ...]) -> None:
    path = tmp_path / "qa.tflite"
    path.write_text(POINTER)
    done = mbl(*(part.format(path) for part in command))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"Error: {path} {POINTED}"]
