"""TensorFlow checkpoints beyond the published ones: quantization-aware, without a configuration, of other sizes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import objects
import pytest
from conftest import EXHAUSTIVE, WORDS

from mobilebert_lite.architecture.config import (
    PRESETS,
    MobileBertConfig,
    from_tensorflow1,
    to_huggingface,
    to_tensorflow1,
)
from mobilebert_lite.architecture.masking import Masking, default_masking
from mobilebert_lite.architecture.weights import Weights, random_weights, tensor_table
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.converters import formats
from mobilebert_lite.converters.checkpoints import load_checkpoint
from mobilebert_lite.converters.files import bundle
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.converters.names.name_maps import write_tensors
from mobilebert_lite.converters.tensorflow import tensorflow1
from mobilebert_lite.converters.tensorflow.garden_places import Places
from mobilebert_lite.converters.tensorflow.inferred import KnownSizes, infer
from mobilebert_lite.converters.tensorflow.model_garden import name_rows, path_rows
from mobilebert_lite.errors import CheckpointError, ConfigError, WeightsError
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tflite.flatbuffer import read_model, schema

Tensors = Mapping[str, np.ndarray]


def same(weights: Weights, expected: Tensors) -> bool:
    """Whether these are the tensors, to the byte."""
    return weights.tensors.keys() == expected.keys() and all(
        np.array_equal(weights.tensors[name], expected[name]) for name in expected)


def stored(folder: Path) -> dict[str, np.ndarray]:
    """All that the TF1 checkpoint in ``folder`` holds."""
    opened = bundle.Bundle(folder / "model.ckpt")
    return opened.read(opened.names)


def write_texts(folder: Path, texts: Iterable[str]) -> Path:
    """To calibrate with."""
    path = folder / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts), "utf-8")
    return path


# Quantization-aware training of TF1

SELF = "bert/encoder/layer_0/attention/self/query"
ACTIVATION, KERNEL = "MobileBertActFakeQuantWithMinMaxVars", "MobileBertWeightFakeQuantWithMinMaxVars_1"
# As tf.contrib.quantize names them, and as google-research/mobilebert does, with what its moving averages keep.
QUANTIzED = {
    "contrib": [f"{SELF}/{kind}/{end}" for kind in ("act_quant", "weights_quant") for end in ("min", "max")],
    "mobilebert": [f"{SELF}/{scope}/{end}" for scope in (ACTIVATION, KERNEL) for end in ("min", "max")]
    + [f"{SELF}/{ACTIVATION}/{SELF}/{ACTIVATION}/{end}/{part}" for end in ("min", "max")
       for part in ("biased", "local_step")]}


@pytest.fixture
def quantized(tiny_config: MobileBertConfig, tiny_vocabulary: tuple[str, ...], tmp_path: Path
              ) -> Callable[[str], tuple[Path, Weights]]:
    """A checkpoint of the recipe, with variables named as one of QUANTIzED, and its weights."""
    def make(naming: str) -> tuple[Path, Weights]:
        config = replace(tiny_config, hidden_act="relu6", classifier_activation=False)
        weights = random_weights(config, {"qa": 2}, seed=15)
        # Hidden layers that reach the clamp.
        weights = weights.with_tensors({name: tensor * np.float32(4 if ".intermediate." in name else 1)
                                        for name, tensor in weights.tensors.items()})
        folder = tmp_path / "qat"
        tensorflow1.save(weights, folder, tiny_vocabulary)
        assert json.loads((folder / "bert_config.json").read_text())["hidden_act"] == "relu6"
        ranges = {name: np.float32(6 if "max" in name else -6) for name in QUANTIzED[naming]}
        bundle.write(folder / "model.ckpt", {**stored(folder), **ranges})
        return folder, weights

    return make


@pytest.mark.parametrize("naming", QUANTIzED)
def test_ranges_of_training_are_left_out_and_said(quantized: Callable[[str], tuple[Path, Weights]],
                                                  naming: str) -> None:
    folder, weights = quantized(naming)
    said: list[str] = []
    read = load_checkpoint(str(folder), progress=said.append).weights
    assert same(read, weights.tensors)
    assert read.config.hidden_act == "relu6"
    assert said[1].startswith(f"left out: {len(QUANTIzED[naming])} quantization variables ({SELF}/")
    assert "--mask multiplicative" in said[2]
    # The code that trains so has no other mask.
    assert default_masking(read.source.format, read.source.masking) == Masking("multiplicative", -6.0)


def test_relu6_becomes_a_part_of_the_dense_layer(quantized: Callable[[str], tuple[Path, Weights]],
                                                 tiny_questions: Path, tmp_path: Path) -> None:
    """And the file is verified against a network whose hidden layers it clamps: without, it would not be."""
    folder, _ = quantized("mobilebert")
    report = convert(ConvertRequest(tmp_path / "qat.tflite", str(folder), lengths=(32,), quantize="int8",
                             calibration=tiny_questions))
    assert report.provenance["source"]["format"] == "tf1"
    model, kinds = read_model((tmp_path / "qat.tflite").read_bytes()), schema().ActivationFunctionType
    fused = [operator.builtinOptions.fusedActivationFunction for operator in model.subgraphs[0].operators
             if hasattr(operator.builtinOptions, "fusedActivationFunction")]
    # Two networks in each of two blocks.
    assert fused.count(kinds.RELU6) == 4
    assert kinds.RELU not in fused


def test_training_follows_the_clamp(tiny_config: MobileBertConfig) -> None:
    """Quantization-aware training reads it off the operator."""
    import tensorflow as tf

    from mobilebert_lite.conversion.lowering import convert_network
    from mobilebert_lite.graph.signatures import Network
    from mobilebert_lite.tflite.graph import Graphs
    from mobilebert_lite.training.operators import activate

    config = replace(tiny_config, hidden_act="relu6", num_hidden_layers=1, num_feedforward_networks=1)
    network = Network(config, random_weights(config, {"qa": 2}).tensors, find_task("qa"))
    graphs = Graphs.read(convert_network(network, [16]))
    [clamped] = [operator for operator in graphs.subgraphs[0].operators
                 if getattr(operator.options, "fusedActivationFunction", 0) == 3]
    assert activate(tf.constant([-1.0, 5.0, 7.0]), clamped).numpy().tolist() == [0, 5, 6]


def test_quantized_training_says_the_activation(quantized: Callable[[str], tuple[Path, Weights]]) -> None:
    """Where no configuration does: the recipe exists with relu6 alone. The number of heads is left."""
    folder, weights = quantized("contrib")
    known = KnownSizes({**{name: tensor.shape for name, tensor in weights.tensors.items()},
                   "layers.0.attention.query.kernel": (16, 4, 4)}, "no_norm", quantized=True)
    assert infer(known)[0] == weights.config
    (folder / "bert_config.json").unlink()
    with pytest.raises(ConfigError, match="do not say num_attention_heads"):
        formats.find(folder).load()


# Names around the variables

def test_a_scope_before_all_names(quantized: Callable[[str], tuple[Path, Weights]]) -> None:
    folder, weights = quantized("contrib")
    bundle.write(folder / "model.ckpt", {f"tower0/{name}": tensor for name, tensor in stored(folder).items()})
    read = formats.find(folder).load()
    assert same(read, weights.tensors)
    assert read.source.notes[0] == "read without the scope tower0/ before the names"


def test_the_teacher_is_left_out(quantized: Callable[[str], tuple[Path, Weights]]) -> None:
    folder, weights = quantized("contrib")
    plain = {name: tensor for name, tensor in stored(folder).items() if "_quant/" not in name}
    bundle.write(folder / "model.ckpt", {**plain, **{f"teacher/{name}": tensor + 1 for name, tensor in plain.items()}})
    read = formats.find(folder).load()
    assert same(read, weights.tensors)
    assert read.source.notes[0].startswith(f"left out: {len(plain)} variables of the teacher (teacher/bert/")
    bundle.write(folder / "model.ckpt", {f"{scope}/{name}": tensor for name, tensor in plain.items()
                                         for scope in ("one", "two")})
    with pytest.raises(CheckpointError, match="it holds several, at one/, two/"):
        formats.find(folder).load()


# Files that stand for a checkpoint

@pytest.mark.parametrize("file", ["model.ckpt", "model.ckpt.index", "model.ckpt.meta",
                                  "model.ckpt.data-00000-of-00001"])
def test_any_file_of_a_checkpoint_is_its_prefix(quantized: Callable[[str], tuple[Path, Weights]], file: str) -> None:
    folder, weights = quantized("contrib")
    (folder / "model.ckpt.meta").write_bytes(b"the graph, which is not read")
    assert same(formats.find(folder / file).load(), weights.tensors)
    (folder / "model.ckpt.index").unlink()
    with pytest.raises(CheckpointError, match=r"lacks model\.ckpt\.index"):
        formats.find(folder / file).load()


# Configurations of other writers

def test_a_configuration_of_transformers(quantized: Callable[[str], tuple[Path, Weights]]) -> None:
    """Beside a TF1 checkpoint, or given with --config; labels and all."""
    folder, weights = quantized("contrib")
    (folder / "bert_config.json").unlink()
    raw = {**to_huggingface(weights.config.with_labels(("no", "yes"))), "transformers_version": "4.6.0"}
    (folder / "config.json").write_text(json.dumps(raw))
    read = formats.find(folder).load()
    assert read.config == weights.config.with_labels(("no", "yes"))
    elsewhere = (folder / "config.json").rename(folder.parent / "mine.json")
    assert formats.find(folder).load(elsewhere).config == read.config


def test_a_configuration_of_tf1_in_a_folder_of_transformers(tiny_qa: Path, tiny_config: MobileBertConfig,
                                                            tmp_path: Path) -> None:
    folder = tmp_path / "hf"
    shutil.copytree(tiny_qa, folder)
    (folder / "config.json").unlink()
    (folder / "bert_config.json").write_text(json.dumps(to_tensorflow1(tiny_config)))
    assert formats.find(folder).load().config == tiny_config
    assert formats.find(tiny_qa).load(folder / "bert_config.json").config == tiny_config


@pytest.mark.parametrize(("file", "extra"), [
    ("bert_config.json", {}), ("config.json", {"model_type": "mobilebert"}),
    ("bert_config.json", {"transformers_version": "4.46.3", "output_attentions": False, "anything": 1})])
def test_gelu_is_what_the_code_of_the_weights_computes(tiny_config: MobileBertConfig, tiny_qa: Path, tmp_path: Path,
                                                       file: str, extra: dict[str, Any]) -> None:
    """TensorFlow's gelu is the tanh form and transformers' the exact one, whoever wrote the configuration."""
    raw = {**to_tensorflow1(replace(tiny_config, hidden_act="gelu_new")), **extra}
    assert raw["hidden_act"] == "gelu"
    (tmp_path / file).write_text(json.dumps(raw))
    tensorflow1.save(random_weights(replace(tiny_config, hidden_act="gelu_new"), {"qa": 2}), tmp_path / "tf1")
    assert formats.find(tmp_path / "tf1").load(tmp_path / file).config.hidden_act == "gelu_new"
    assert formats.find(tiny_qa).load(tmp_path / file).config.hidden_act == "gelu"


def test_presets_by_name(tmp_path: Path, tiny_vocabulary: tuple[str, ...]) -> None:
    """Where --config takes a file; with the words that the checkpoint has."""
    config = replace(PRESETS["small"], vocab_size=len(tiny_vocabulary))
    weights = random_weights(config, {"qa": 2})
    tensorflow1.save(weights, tmp_path / "tf1", tiny_vocabulary)
    (tmp_path / "tf1" / "bert_config.json").unlink()
    with pytest.raises(ConfigError, match=r"all that they say is that of --config small$"):
        formats.find(tmp_path / "tf1").load()
    read = formats.find(tmp_path / "tf1").load(Path("small"))
    assert (read.config, same(read, weights.tensors)) == (config, True)
    assert read.source.notes == (f"the configuration is that of small, with {len(tiny_vocabulary)} words in place of "
                                 "8000",)
    with pytest.raises(WeightsError, match="does not fit its configuration"):
        formats.find(tmp_path / "tf1").load(Path("uncased"))
    with pytest.raises(ConfigError, match=r"no configuration at uncaesd; .*presets are uncased, multilingual, small"):
        formats.find(tmp_path / "tf1").load(Path("uncaesd"))


# Without any configuration

GARDEN = Places("encoder/", "model/", "masked_lm/")
WITHOUT_BOTTLENECK = {"use_bottleneck": False, "intra_bottleneck_size": 64, "key_query_shared_bottleneck": False}
SHAPES: dict[str, dict[str, Any]] = {
    "published": {},
    "as TINY": {"use_bottleneck_attention": True, "key_query_shared_bottleneck": False},
    "query and key read the stream": {"key_query_shared_bottleneck": False},
    "two heads": {"num_attention_heads": 2},
    "one feed-forward network": {"num_feedforward_networks": 1, "num_hidden_layers": 11},
    "teacher": {"normalization_type": "layer_norm", "hidden_act": "gelu_new"},
    "other widths": {"embedding_size": 24, "intermediate_size": 40, "max_position_embeddings": 20,
                     "type_vocab_size": 3, "intra_bottleneck_size": 32},
}


@pytest.mark.parametrize("variant", SHAPES)
def test_the_configuration_follows_from_objects(tiny_config: MobileBertConfig, tmp_path: Path, variant: str) -> None:
    """Heads too: the Model Garden keeps them apart."""
    config = replace(tiny_config, classifier_activation=False, **SHAPES[variant])
    weights = random_weights(config, {"mlm": 0})
    objects.write(tmp_path / "ckpt", write_tensors(path_rows(config, GARDEN), weights.tensors), config)
    read = formats.find(tmp_path).load()
    assert (read.config, same(read, weights.tensors)) == (config, True)
    assert "2 heads" in read.source.notes[0] or config.num_attention_heads == 4
    assert f"taken for granted, as published models have it: hidden_act {config.hidden_act};" in read.source.notes[1]


@pytest.mark.parametrize("case", ["pretrainer", "pretrainer_pooler", "span_labeler", "span_labeler_model_only",
                                  "classifier", "classifier_pooler", "token_classifier", "saved_model"])
def test_what_the_model_garden_wrote_says_enough(shared: Callable[..., Path], tmp_path: Path, case: str) -> None:
    """Objects as its own code tracks them."""
    folder = shutil.copytree(shared("checkpoints", "model_garden", case), tmp_path / "garden")
    expected = formats.find(folder).load()
    folder.chmod(0o755)
    (folder / "bert_config.json").unlink()
    read = formats.find(folder).load()
    training = {name: getattr(expected.config, name) for name in ("hidden_dropout_prob", "initializer_range",
                                                                  "attention_probs_dropout_prob")}
    assert (replace(read.config, **training), same(read, expected.tensors)) == (expected.config, True)
    assert "normalization_type" not in read.source.notes[1]


@pytest.mark.parametrize("pooler", [False, True])
def test_the_configuration_follows_from_a_saved_model(tiny_config: MobileBertConfig, tmp_path: Path,
                                                      pooler: bool) -> None:
    """Known by positions and by their names in the program, as TF-Hub publishes them."""
    config = replace(tiny_config, classifier_activation=pooler)
    weights = random_weights(config, {"mlm": 0}, pooler=pooler)
    named = write_tensors(name_rows(config), weights.tensors)
    names = {f"variables/{number}": name for number, name in enumerate(named)}
    objects.write(tmp_path / "variables" / "variables", {path: named[name] for path, name in names.items()}, config,
                  names)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    found = formats.find(tmp_path)
    assert found.format == "saved_model"
    read = found.load()
    assert (read.config, same(read, weights.tensors)) == (config, True)
    assert "hidden_act relu, normalization_type no_norm" in read.source.notes[1]  # positions know no objects


@pytest.mark.parametrize("variant", ["published", "without bottleneck", "without trigrams", "neither"])
def test_what_the_shapes_of_tf1_say(tiny_config: MobileBertConfig, variant: str) -> None:
    """All but the heads, which are given here."""
    changes = {"published": {}, "without bottleneck": WITHOUT_BOTTLENECK, "without trigrams": {"trigram_input": False},
               "neither": {**WITHOUT_BOTTLENECK, "trigram_input": False, "embedding_size": 64}}[variant]
    config = replace(tiny_config, **changes)
    shapes = {name: spec.shape for name, spec in tensor_table(config, {"nsp": 2}, pooler=True).items()
              if not spec.optional}
    with pytest.raises(ConfigError, match="num_hidden_layers 2, hidden_size 64"):
        infer(KnownSizes(shapes, "no_norm"))
    kernel = shapes["layers.0.attention.query.kernel"]
    heads = {"layers.0.attention.query.kernel": (kernel[0], 4, kernel[1] // 4)}
    assert infer(KnownSizes({**shapes, **heads}, "no_norm"))[0] == config


def test_variables_that_say_too_little(tiny_config: MobileBertConfig) -> None:
    wide = tensor_table(replace(tiny_config, intra_bottleneck_size=64, key_query_shared_bottleneck=False))
    with pytest.raises(ConfigError, match="do not say what attention reads"):
        infer(KnownSizes({name: spec.shape for name, spec in wide.items()}, None))
    shapes = {name: spec.shape for name, spec in tensor_table(tiny_config).items()}
    del shapes["embeddings.position"]
    with pytest.raises(ConfigError, match=r"embeddings\.position is missing; give the configuration with --config"):
        infer(KnownSizes(shapes, None))


def test_a_hub_module_needs_a_preset(tiny_config: MobileBertConfig, tmp_path: Path) -> None:
    weights = random_weights(replace(tiny_config, classifier_activation=False))
    tensorflow1.save(weights, tmp_path / "variables")
    for file in (tmp_path / "variables").glob("model.ckpt.*"):
        file.rename(file.with_name(file.name.replace("model.ckpt", "variables")))
    (tmp_path / "variables" / "bert_config.json").rename(tmp_path.parent / f"{tmp_path.name}.json")
    with pytest.raises(ConfigError) as error:
        formats.find(tmp_path).load()
    for part in ("num_attention_heads", "a preset (uncased, multilingual, small, tiny) with --config"):
        assert part in str(error.value)
    found = formats.find(tmp_path)
    assert found.format == "tf1_hub"
    assert same(found.load(tmp_path.parent / f"{tmp_path.name}.json"), weights.tensors)


# MobileBERT-EdgeTPU: tensorflow/models, official/projects/edgetpu/nlp/experiments/mobilebert_edgetpu_{xs,s,m}.yaml

EDGETPU = {"XS": {"num_hidden_layers": 8}, "S": {"num_hidden_layers": 12},
           "M": {"num_hidden_layers": 12, "num_feedforward_networks": 6}}
# Where its pretrainer keeps its parts: by itself, exported for fine-tuning, and amid distillation.
PRETRAINER = Places("model/layer_with_weights-0/", "model/", "model/layer_with_weights-1/",
                    "model/layer_with_weights-2/")


def edgetpu(size: str, **changes: int) -> MobileBertConfig:
    """The published student."""
    return replace(MobileBertConfig(intermediate_size=1024, intra_bottleneck_size=256, classifier_activation=False),
                   **{**EDGETPU[size], **changes})


@pytest.mark.parametrize("size", EDGETPU)
def test_edgetpu_configurations_follow_from_their_variables(size: str) -> None:
    """The whole networks, by shapes alone."""
    config = edgetpu(size)
    shapes = {name: spec.shape for name, spec in tensor_table(config, {"mlm": 0}).items()}
    read, _ = infer(KnownSizes({**shapes, "layers.0.attention.query.kernel": (256, 4, 64)}, "no_norm"))
    assert read == config


def small_edgetpu(vocabulary: tuple[str, ...]) -> Weights:
    """Its pretrainer with the next sentence head, which has a pooler of its own: full widths, one block, few words."""
    config = edgetpu("XS", num_hidden_layers=1, vocab_size=len(vocabulary), max_position_embeddings=64)
    return random_weights(replace(config, classifier_activation=True, task="pretraining"), {"mlm": 0, "nsp": 2},
                          pooler=True)


def test_edgetpu_pretrainer(tiny_vocabulary: tuple[str, ...], tmp_path: Path) -> None:
    weights = small_edgetpu(tiny_vocabulary)
    objects.write(tmp_path / "ckpt", write_tensors(path_rows(weights.config, PRETRAINER), weights.tensors),
                  weights.config)
    read = formats.find(tmp_path).load()
    assert (read.config, same(read, weights.tensors)) == (weights.config, True)
    (tmp_path / "vocab.txt").write_text("".join(f"{word}\n" for word in tiny_vocabulary))
    texts = write_texts(tmp_path, (f"the {word} is [MASK]" for word in WORDS.split()[:16]))
    report = convert(ConvertRequest(tmp_path / "edge.tflite", str(tmp_path / "ckpt"), task="fill-mask", lengths=(16,),
                             quantize="dynamic", calibration=texts))
    assert report.verification[0].agreement == 1


def test_edgetpu_as_it_is_exported(tiny_vocabulary: tuple[str, ...], tmp_path: Path) -> None:
    """Beside the teacher, with optimizers, and with half of a head."""
    weights = small_edgetpu(tiny_vocabulary)
    student = write_tensors(path_rows(weights.config, PRETRAINER), weights.tensors)
    exported = {path.replace("model/layer_with_weights-0/", "encoder/").replace("model/layer_with_weights-1/",
                                                                                "masked_lm/"): tensor
                for path, tensor in student.items() if "layer_with_weights-2/out_proj" not in path}
    exported = {path.replace("model/layer_with_weights-2/dense", "next_sentence..pooler_dense"): tensor
                for path, tensor in exported.items()}
    fused = {path.replace("model/", "model/layer_with_weights-1/", 1): tensor + 1 for path, tensor in student.items()}
    slots = {"global_step": np.array(3), "optimizer/iter": np.array(3), "e2e_optimizer/iter": np.array(3)}
    objects.write(tmp_path / "ckpt-3", {**exported, **fused, **slots}, weights.config)
    read = formats.find(tmp_path).load()
    expected = {name: tensor for name, tensor in weights.tensors.items() if not name.startswith(("pooler.", "nsp."))}
    assert same(read, expected)
    assert [note.split(" (")[0] for note in read.source.notes[2:]] == [
        f"left out: {len(fused)} variables around another encoder",
        "left out: 2 variables of a head without its outputs"]


def test_edgetpu_amid_distillation(tiny_vocabulary: tuple[str, ...], tmp_path: Path) -> None:
    weights = small_edgetpu(tiny_vocabulary)
    student = write_tensors(path_rows(weights.config, PRETRAINER), weights.tensors)
    both = {path.replace("model/", f"{whose}_model/", 1): tensor + number
            for number, whose in enumerate(("student", "teacher")) for path, tensor in student.items()}
    objects.write(tmp_path / "ckpt-3", {**both, "current_step": np.array(3)}, weights.config)
    assert same(formats.find(tmp_path).load(), weights.tensors)


def test_a_head_of_another_kind_is_left_out_and_said(tiny_config: MobileBertConfig, tmp_path: Path) -> None:
    """output_weights_use_proj, as in the XXS configuration, of which no checkpoint is published."""
    config = replace(tiny_config, classifier_activation=False)
    weights = random_weights(config, {"mlm": 0})
    tensors = write_tensors(path_rows(config, GARDEN), weights.tensors)
    del tensors["masked_lm/extra_output_weights"]
    objects.write(tmp_path / "ckpt", {**tensors, "masked_lm/output_weights_proj": np.zeros((64, 16))}, config)
    read = formats.find(tmp_path).load()
    assert (read.heads, same(read, random_weights(config).tensors)) == ((), True)
    assert "a masked LM head with output_weights_proj, which is not supported" in read.source.notes[2]


# Chinese MobileBERT: ymcui/Chinese-MobileBERT, config/student_{base,large}_{f2,f4}.json

BASE = {"hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12, "embedding_size": 768,
        "intra_bottleneck_size": 144}
LARGE = {"hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 24, "embedding_size": 1024,
         "intra_bottleneck_size": 128}
F2 = {"use_bottleneck_attention": True, "num_feedforward_networks": 2}
F4 = {"key_query_shared_bottleneck": True, "num_feedforward_networks": 4}
CHINESE = {f"{name}-{ffn}": {
    "attention_probs_dropout_prob": 0.1, "hidden_act": "relu", "hidden_dropout_prob": 0.0, "initializer_range": 0.02,
    "intermediate_size": 512, "max_position_embeddings": 512, "type_vocab_size": 2, "vocab_size": 21128,
    "trigram_input": True, "use_bottleneck": True, "normalization_type": "no_norm", "classifier_activation": False,
    **widths, **networks} for name, widths in (("base", BASE), ("large", LARGE))
    for ffn, networks in (("f2", F2), ("f4", F4))}
TEXT = "那只猫坐在垫子上谁在屋里的时候我们去北京看长城天气很好"


LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def chinese_vocabulary() -> tuple[str, ...]:
    return ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set(TEXT)), *LETTERS)


@pytest.mark.parametrize("size", CHINESE)
def test_chinese_configurations(size: str) -> None:
    config = from_tensorflow1(CHINESE[size])
    assert config.vocab_size == 21128
    assert config.head_size == {"base": 12, "large": 8}[size.split("-")[0]]
    # Parameters with the masked LM head, whose logits need the word table alone, for it is as wide as the stream.
    table = tensor_table(config, {"mlm": 0})
    assert "mlm.extra" not in table
    tiny = size.endswith("f2")
    assert (config.query_input_size, config.value_input_size) == (
        config.block_size, config.block_size if tiny else config.hidden_size)


@pytest.mark.parametrize("size", ["base-f2", "large-f4"])
def test_chinese_checkpoints_convert(size: str, tmp_path: Path) -> None:
    """Full widths, one block, few words."""
    words = chinese_vocabulary()
    raw = {**CHINESE[size], "num_hidden_layers": 1, "vocab_size": len(words), "max_position_embeddings": 32}
    weights = random_weights(from_tensorflow1(raw), {"classifier": 3}, seed=3)
    tensorflow1.save(weights, tmp_path / "tf1", words)
    (tmp_path / "tf1" / "bert_config.json").write_text(json.dumps(raw))
    texts = write_texts(tmp_path, (TEXT[start:start + 12] for start in range(16)))
    checkpoint = load_checkpoint(str(tmp_path / "tf1"))
    assert same(checkpoint.weights, weights.tensors)
    # Each sign is a word of its own.
    assert checkpoint.tokenizer.words(checkpoint.tokenizer.encode("谁在屋里").ids) == ["谁", "在", "屋", "里"]
    report = convert(ConvertRequest(tmp_path / "chinese.tflite", str(tmp_path / "tf1"), lengths=(16,),
                                    quantize="dynamic", calibration=texts))
    assert report.verification[0].agreement == 1


@pytest.mark.slow
@pytest.mark.parametrize("network", ["XS", "M", "base-f4", "large-f2"] if EXHAUSTIVE else ["XS"])
def test_whole_networks_convert(network: str, tiny_questions: Path, tmp_path: Path) -> None:
    """Seeded weights of the published configurations, with all their blocks and words.

    In float: rounding turns the answers of a network that has learnt nothing.
    """
    if network in EDGETPU:
        config = edgetpu(network)
        tensors = random_weights(config, {"qa": 2}, seed=4).tensors
        places = Places("model/layer_with_weights-0/", "model/", "masked_lm/")
        objects.write(tmp_path / "from" / "ckpt", write_tensors(path_rows(config, places), tensors), config)
    else:
        config = from_tensorflow1(CHINESE[network])
        tensorflow1.save(random_weights(config, {"qa": 2}, seed=4), tmp_path / "from")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    words += [f"word{number}" for number in range(config.vocab_size - len(words))]
    (tmp_path / "from" / "vocab.txt").write_text("".join(f"{word}\n" for word in words), "utf-8")
    report = convert(ConvertRequest(tmp_path / "whole.tflite", str(tmp_path / "from"), lengths=(48,), quantize="none",
                             calibration=tiny_questions))
    assert (report.task, report.verification[0].agreement) == ("qa", 1)


def test_huggingface_has_relu6_too(quantized: Callable[[str], tuple[Path, Weights]], tmp_path: Path) -> None:
    """And tells it back to TF1."""
    weights = formats.find(quantized("contrib")[0]).load()
    huggingface.save(weights, tmp_path / "hf")
    assert json.loads((tmp_path / "hf" / "config.json").read_text())["hidden_act"] == "relu6"
    again = formats.find(tmp_path / "hf").load()
    assert (again.config.hidden_act, same(again, weights.tensors)) == ("relu6", True)
