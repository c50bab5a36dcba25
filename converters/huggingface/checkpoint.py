"""Hugging Face checkpoints: ``config.json`` with any of the files that ``tensor_files`` reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobilebert_lite.architecture.config import MobileBertConfig, read_json, to_huggingface
from mobilebert_lite.architecture.config_files import HUGGINGFACE, TENSORFLOW, read_config
from mobilebert_lite.architecture.heads import heads_in
from mobilebert_lite.architecture.weights import Source, Weights, checked
from mobilebert_lite.common.files import json_bytes, sha256_of, write_atomically
from mobilebert_lite.converters.huggingface import quantized, sentence_transformers, tensor_files, tensorflow_classes
from mobilebert_lite.converters.huggingface.cleaning import Note, clean, silent
from mobilebert_lite.converters.huggingface.variants import SAFETENSORS
from mobilebert_lite.converters.names.architectures import architecture_of, with_task
from mobilebert_lite.converters.names.name_maps import (
    UNTIED,
    Lookup,
    huggingface_rows,
    in_their_words,
    read_tensors,
    write_tensors,
)
from mobilebert_lite.converters.tensorflow import configuration
from mobilebert_lite.converters.tokenizers import writing as tokenizer_writing
from mobilebert_lite.errors import WeightsError
from mobilebert_lite.tasks import TASKS
from mobilebert_lite.text.tokenizer_settings import TokenizerSettings

# Written by transformers, read by nothing: the positions 0, 1, 2, … and a second name of a tied tensor.
_IGNORED = ("embeddings.position_ids",)
_TIED = {"cls.predictions.decoder.weight": "mobilebert.embeddings.word_embeddings.weight",
         "cls.predictions.decoder.bias": "cls.predictions.bias"}

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class ReadCheckpoint:
    """A checkpoint before its tensors are held against its configuration."""

    config: MobileBertConfig
    # By the names of transformers' classes.
    tensors: Tensors
    files: list[Path]
    # Whether a masked LM head shares the word table of the embedding.
    tied: bool


def load(folder: Path, config_path: Path | None = None, note: Note = silent, evidence: Path | None = None) -> Weights:
    """Read the checkpoint in ``folder``, with the configuration at ``config_path`` in place of its own.

    ``note`` is told what one must know of its files; ``evidence`` is which of them to read (None: the first that
    ``variants`` knows). Raises ConfigError, CheckpointError (unreadable files) or WeightsError (tensors that do not
    fit).
    """
    found = read(folder, config_path, note, evidence)
    return fitted(found, Source("huggingface", str(folder), sha256_of(found.files)))


def read(folder: Path, config_path: Path | None = None, note: Note = silent,
         evidence: Path | None = None) -> ReadCheckpoint:
    """What ``load`` reads, not checked yet."""
    place = config_path or configuration.beside(folder, names=(HUGGINGFACE, TENSORFLOW)) or folder / HUGGINGFACE
    raw = read_json(place) if place.is_file() else {}
    config = with_task(read_config(place, tensorflow=False), raw)
    quantized.refuse_config(raw, place)
    tensors, files = tensor_files.read_all(evidence or folder, note)
    # transformers fills a tied table from the other one, whatever is in the file; its TensorFlow classes tie none.
    tied = raw.get("tie_word_embeddings") is not False
    if tensorflow_classes.are(tensors):
        tied, tensors = False, tensorflow_classes.translated(config, tensors)
    return ReadCheckpoint(config, _cleaned(config, tensors, note), files, tied)


def fitted(found: ReadCheckpoint, source: Source) -> Weights:
    """``found`` as weights. Raises WeightsError where the tensors do not fit the configuration."""
    rows = huggingface_rows(found.config, tied=found.tied)
    weights = checked(found.config, read_tensors(rows, found.tensors), source, in_their_words(rows))
    _check_pooler(weights)
    return weights


def _check_pooler(weights: Weights) -> None:
    """Raise where transformers would make up the tanh layer on [CLS], and give other answers every time."""
    config = weights.config
    # Whether a classifier reads it is for the task to say: that of single tokens does not.
    heads = TASKS[config.task].heads if config.task in TASKS else ()
    read = "nsp" in weights.heads or any(TASKS[config.task].pools(head) for head in heads if head in weights.heads)
    if read and config.classifier_activation and not weights.has_pooler:
        raise WeightsError(f"{weights.source.path} does not fit its configuration: missing "
                           "mobilebert.pooler.dense.weight, mobilebert.pooler.dense.bias, which its head reads; if it "
                           "was trained without them, set classifier_activation to false in config.json")


def _cleaned(config: MobileBertConfig, theirs: Mapping[str, np.ndarray], note: Note) -> Tensors:
    """Under the names of transformers' classes, without what carries no information."""
    lookup = Lookup(huggingface_rows(config))

    def known(name: str) -> bool:
        return any(lookup.find(whole)[0] for whole in (name, f"mobilebert.{name}")) or (
            name in _TIED or name.endswith(_IGNORED))

    tensors, cleaned = clean(theirs, known, note), {}
    for name, tensor in tensors.items():
        if name.endswith(_IGNORED) or not tensor.size:  # the rest of a word table as wide as the network
            continue
        if name in _TIED and _same(tensor, tensors.get(_TIED[name])):
            continue
        cleaned[name] = tensor
    if not config.classifier_activation:
        # Without the activation, transformers still stores a pooler in old checkpoints, and never reads it.
        cleaned = {name: tensor for name, tensor in cleaned.items() if not name.startswith("mobilebert.pooler.")}
    return cleaned


def _same(tensor: np.ndarray, other: np.ndarray | None) -> bool:
    """Whether a tied tensor is only a second name. The decoder's weight is tied to the narrower word table."""
    return other is None or (tensor.shape == other.shape and np.array_equal(tensor, other))




def save(weights: Weights, folder: Path, *, vocabulary: Iterable[str] = (), lower_case: bool = True,
         dtype: str = "float32", settings: TokenizerSettings | None = None) -> None:
    """Write ``weights`` as a checkpoint that transformers and ``load`` read; ``dtype`` is float32 or float16.

    ``lower_case`` is short for the tokenizer ``settings`` of the uncased or the cased models.

    Each file appears whole or not at all. Raises OSError when the folder cannot be made, OutputError when a file
    cannot be written.
    """
    from safetensors.numpy import save as serialize

    rows = huggingface_rows(weights.config, tied=UNTIED not in weights.tensors)
    embeds = weights.pooling is not None and weights.config.task == sentence_transformers.TASK
    own = {name: tensor for name, tensor in weights.tensors.items() if not (embeds and name.startswith("embedding."))}
    tensors = {name: np.ascontiguousarray(tensor.astype(dtype)) for name, tensor in write_tensors(rows, own).items()}
    if not heads_in(own):
        tensors = {name.removeprefix("mobilebert."): tensor for name, tensor in tensors.items()}
    config = {**to_huggingface(weights.config), "architectures": [architecture_of(weights)], "dtype": dtype}
    if UNTIED in weights.tensors:
        config["tie_word_embeddings"] = False
    if "classifier" in weights.heads and not weights.config.labels:
        config["num_labels"] = int(weights.tensors["classifier.bias"].size)  # or transformers takes 2 for granted
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / SAFETENSORS, serialize(tensors, metadata={"format": "pt"}))
    write_atomically(folder / "config.json", json_bytes(config))
    if embeds:
        sentence_transformers.save_modules(weights, folder)
    if words := list(vocabulary):
        for name, content in tokenizer_writing.files(words, settings or TokenizerSettings.of(lower_case)).items():
            write_atomically(folder / name, content)
