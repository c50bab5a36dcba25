"""Whole cases of every kind, which mutators start from, and the commands that read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import bundle_parts
import data_parts
import hdf5_parts
import heads
import pickle_parts
import safetensors_parts
import text_parts
import tflite_parts
import tokenizer_folders
import torch_writer
from commands import CONVERTING, READING
from hostile_values import Case, Mutator
from safetensors.numpy import load as load_safetensors

from mobilebert_lite.architecture.config import MobileBertConfig, to_tensorflow1
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.converters.names.name_maps import huggingface_tensorflow_rows, write_tensors
from mobilebert_lite.converters.tensorflow import tensorflow1
from mobilebert_lite.converters.tensorflow.garden_places import Places
from mobilebert_lite.converters.tensorflow.model_garden import path_rows

# Arguments of `mbl`, in which {here} is the folder of the case, {file} its only file and {out} a place to write to.
Command = tuple[str, ...]
INSPECT: tuple[Command, ...] = (
    ("inspect", "{here}/model.tflite"), ("inspect", "{here}/model.tflite", "--json"),
    ("inspect", "{here}/model.tflite", "--all"), ("inspect", "{here}/model.tflite", "--html", "{out}"),
    ("inspect", "{here}/model.tflite", "--client", "all", "--min-runtime", "2.14"),
    ("inspect", "{here}/model.tflite", "--client", "task-library", "--json"),
    ("inspect", "{here}/model.tflite", "--client", "all", "--fix", "{out}"))
RUN: Command = ("run", "{here}/model.tflite", "--question", data_parts.QUESTION, "--context", data_parts.CONTEXT)
DRY: Command = ("convert", "--weights", "{here}", "--dry-run", "--seq-len", "16")
EXPORT: Command = ("export", "{here}", "--to", "huggingface", "-o", "{out}")


@dataclass(frozen=True)
class Kind:
    """A kind of file that strangers send."""

    name: str
    # Of 100 files.
    share: int
    mutate: Mutator
    wholes: Sequence[Case]
    # The commands for the file of a seed, which was made of the whole case of that number.
    commands: Callable[[int, int], list[Command]]
    # Of `commands.measured`.
    imported: tuple[str, ...] = CONVERTING


def kinds(config: MobileBertConfig, vocabulary: Sequence[str], folder: Path, models: Sequence[Path]) -> list[Kind]:
    """All kinds; ``models`` are ``.tflite`` files that answer questions, one or more."""
    made = _Made(replace(config, num_hidden_layers=1), vocabulary, folder)
    plain = made.huggingface()
    rest = dict(plain)
    weights = rest.pop("model.safetensors")
    arrays = load_safetensors(weights)
    pickles = [{**rest, pickle_parts.NAME: torch_writer.checkpoint(arrays, layout, dtype)}
               for layout, dtype in (("zip", "float32"), ("legacy", "float16"))]
    whole_models = [{"model.tflite": one.read_bytes(), "other.tflite": models[i - 1].read_bytes()}
                    for i, one in enumerate(models)]
    return [
        Kind("tflite", 25, tflite_parts.mutate, whole_models, _of_models, READING),
        Kind("safetensors", 13, safetensors_parts.mutate, [plain, {**rest, **safetensors_parts.sharded(weights)}],
             _of_weights),
        Kind("bin", 13, pickle_parts.mutate, pickles, _of_weights),
        Kind("h5", 9, hdf5_parts.mutate, [{**rest, hdf5_parts.NAME: made.hdf5()}], _of_weights),
        Kind("bundle", 12, bundle_parts.mutate, [made.tensorflow1(), made.objects()], _of_weights),
        Kind("config", 8, text_parts.mutate, made.configured(rest, weights), _of_weights),
        Kind("tokenizer", 8, text_parts.mutate, [made.words(plain)], _of_weights),
        Kind("data", 12, data_parts.mutate, [data_parts.whole(task) for task in made.tasks], made.of_data)]


def _of_models(number: int, seed: int) -> list[Command]:
    """Every way of inspecting in turn; to answer and to score costs more, and reads the same file."""
    more = {0: RUN, 1: (*RUN, "--json"), 2: ("eval", "{here}/model.tflite", "--data", "{whole}/questions.jsonl")}
    return [INSPECT[seed % len(INSPECT)], *([more[seed % 9]] if seed % 9 in more else [])]


def _of_weights(number: int, seed: int) -> list[Command]:
    return [DRY, *([EXPORT] if seed % 6 == 0 else [])]


class _Made:
    """Checkpoints of one narrow block, made in a folder and read back as bytes."""

    tasks = ("qa", "classification", "multiple-choice", "next-sentence", "fill-mask", "token-classification")

    def __init__(self, config: MobileBertConfig, vocabulary: Sequence[str], folder: Path) -> None:
        self.config, self.vocabulary, self.folder = config, vocabulary, folder
        self._save(folder / "qa", {"qa": 2})
        self._save(folder / "classification", {"classifier": 4}, pooler=True)
        for task in self.tasks[2:]:
            heads.save(task, config, vocabulary, folder)

    def _save(self, folder: Path, outputs: dict[str, int], pooler: bool = False) -> None:
        labels = ("a", "b", "c", "d") if pooler else ()
        huggingface.save(random_weights(replace(self.config, labels=labels), outputs, pooler=pooler), folder,
                        vocabulary=self.vocabulary)

    def huggingface(self) -> Case:
        return read(self.folder / "qa")

    def hdf5(self) -> bytes:
        """As ``Model.save_weights`` of Keras writes it: the layer, the model, the path of the variable."""
        import h5py

        weights, path = random_weights(self.config, {"qa": 2}), self.folder / hdf5_parts.NAME
        with h5py.File(path, "w") as file:
            for name, array in write_tensors(huggingface_tensorflow_rows(self.config), weights.tensors).items():
                file.create_dataset(f"{name.split('/')[0]}/tf_mobile_bert/{name}:0", data=array)
        return path.read_bytes()

    def tensorflow1(self) -> Case:
        config = replace(self.config, classifier_activation=False)
        tensorflow1.save(random_weights(config, {"qa": 2}), self.folder / "tf1", self.vocabulary)
        return read(self.folder / "tf1")

    def objects(self) -> Case:
        """As tf.train.Checkpoint writes a network of the Model Garden."""
        import objects

        config = replace(self.config, classifier_activation=False)
        rows = path_rows(config, Places("encoder/", "model/", "masked_lm/"))
        named = write_tensors(rows, random_weights(config, {"mlm": 0}).tensors)
        objects.write(self.folder / "garden" / "ckpt", named, config)
        return {**read(self.folder / "garden"), "vocab.txt": "".join(f"{word}\n" for word in self.vocabulary).encode()}

    def configured(self, rest: Case, weights: bytes) -> list[Case]:
        """Everything beside weights that is no tokenizer: of transformers, TF1, sentence-transformers and peft."""
        whole = {"model.safetensors": weights}
        modules = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                   {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]
        sentences = {"modules.json": json.dumps(modules).encode(),
                     "1_Pooling/config.json": b'{"word_embedding_dimension": 64, "pooling_mode_mean_tokens": true}',
                     "sentence_bert_config.json": b'{"max_seq_length": 24, "do_lower_case": false}',
                     "config_sentence_transformers.json": b'{"prompts": {"a": "q: "}, "default_prompt_name": "a"}'}
        trained = {"recipe": "int8", "ranges": {"0 ADD": [-1.0, 1.0]}, "probes": [
            {"ids": [2, 3], "segment_ids": [0, 0], "offsets": [[0, 0], [0, 0]], "max_context": [0, 0],
             "logits": {"a": [0.5]}}]}
        embedding = read(self.folder / "token-classification")
        tf1 = read(self.folder / "tf1") if (self.folder / "tf1").is_dir() else self.tensorflow1()
        return [{**rest, **whole}, {**rest, **whole}, {**tf1, "bert_config.json": json.dumps(to_tensorflow1(replace(
            self.config, classifier_activation=False))).encode()}, {**rest, **whole, **sentences},
            {**embedding, "quantization.json": json.dumps(trained).encode()}]

    def words(self, plain: Case) -> Case:
        """All files that a tokenizer may have; the configuration is damaged elsewhere."""
        five = dict(zip(tokenizer_folders.NAMES, tokenizer_folders.FIVE, strict=True))
        whole = tokenizer_folders.whole(tuple(self.vocabulary))
        return {**plain, "tokenizer.json": json.dumps(whole).encode(), "added_tokens.json": b'{"[MASK]": 4}',
                "special_tokens_map.json": json.dumps(five).encode()}

    def of_data(self, number: int, seed: int) -> list[Command]:
        """Calibration reads as all commands do; the task is the one that the whole case was for."""
        task = self.tasks[number]
        return [("convert", "--weights", str(self.folder / task), "--task", task, "--dry-run", "--seq-len", "32",
                 "--calibration", "{file}", *(("--skip-bad-rows", "3") if seed % 4 == 0 else ()))]


def read(folder: Path) -> Case:
    """Every file in ``folder``, by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
