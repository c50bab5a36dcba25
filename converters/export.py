"""From any checkpoint to one of another ecosystem: the same tensors, configuration, vocabulary and labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.architecture.weights import Source, Weights
from mobilebert_lite.common.files import check_folder, making_folder
from mobilebert_lite.converters import formats
from mobilebert_lite.converters.checkpoints import read_labels, read_tokenizer
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.converters.tensorflow import tensorflow1
from mobilebert_lite.converters.tokenizers import reading as tokenizer_files
from mobilebert_lite.converters.tokenizers.rules import has_capitals
from mobilebert_lite.errors import ConversionError, DataError, shorten
from mobilebert_lite.tasks.labels import checked
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.text.tokenizer_settings import TokenizerSettings

Progress = Callable[[str], None]


@dataclass(frozen=True)
class ExportRequest:
    """What `mbl export` is asked for.

    checkpoint: folder, prefix or hub id.
    target: "huggingface" or "tf1".
    output: a folder that is not there yet.
    revision: commit, tag or branch of the hub id.
    format: what the checkpoint is (formats.FORMATS); None: what its files look like.
    config: configuration, in place of the one beside the weights.
    vocabulary: tokenizer file, in place of the one beside the weights.
    labels: names of the classes, one a line.
    """

    checkpoint: str
    target: str
    output: Path
    revision: str | None = None
    format: str | None = None
    config: Path | None = None
    vocabulary: Path | None = None
    labels: Path | None = None


@dataclass(frozen=True)
class Exported:
    """What was written."""

    output: str
    format: str
    source: Source
    tensors: int
    parameters: int
    files: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """For ``--json``."""
        source = {**vars(self.source), "notes": list(self.source.notes)}
        return {**vars(self), "source": source, "files": list(self.files)}


def export(request: ExportRequest, progress: Progress = lambda message: None) -> Exported:
    """Do what ``request`` says; the folder appears only when what is in it reads back to the same bytes.

    Raises a subclass of MblError, and leaves nothing behind, when anything is wrong.
    """
    check_folder(request.output)
    found = formats.find(request.checkpoint, request.format, request.revision)
    progress(f"reading the checkpoint ({found})")
    weights = found.load(request.config, progress)
    _check_even(weights, request.target)
    weights = replace(weights, config=weights.config.with_labels(_labels(request, weights, progress)))
    if weights.pooling and request.target == tensorflow1.FORMAT:
        progress(f"left out, for {tensorflow1.CONFIG} has no place for it: {weights.pooling}")
        weights = _without_pooling(weights)
    tokenizer = None
    if request.vocabulary or tokenizer_files.find(found.folder, beside=found.beside).vocabulary:
        tokenizer = read_tokenizer(found, request.vocabulary, weights.config.vocab_size, progress)
    else:
        progress(f"no vocabulary in {found.folder} and none given with --vocab: none is written")
    progress(f"writing {request.target}")
    with making_folder(request.output) as folder:
        _write(weights, tokenizer, request.target, folder, progress)
        _check(weights, formats.find(folder, request.target).load())
        if tokenizer is not None:
            _check_tokenizer(tokenizer, folder, request.target)
        files = tuple(sorted(path.name for path in folder.iterdir()))
    return Exported(str(request.output), request.target, weights.source, len(weights.tensors), weights.parameters,
                    files)


def _check_even(weights: Weights, target: str) -> None:
    """Raise ConversionError for a network of uneven shape: no other ecosystem has one."""
    config = weights.config
    whole = (config.intermediate_size,) * config.num_feedforward_networks
    uneven = [f"{block.name} has {block.heads} of {config.num_attention_heads} attention heads and feed-forward "
              f"networks of {', '.join(map(str, block.feed_forward)) or 'no'} hidden units" for block in config.blocks
              if (block.heads, block.feed_forward) != (config.num_attention_heads, whole)]
    if uneven:
        raise ConversionError(f"{target} has one shape for all blocks, and in this network they differ: {uneven[0]}, "
                              f"and {len(uneven) - 1} more do not have all. mbl convert and mbl train read it; "
                              "blocks that are left out whole can be exported (mbl compress --only blocks)")


def _without_pooling(weights: Weights) -> Weights:
    """The encoder of a model for sentence embeddings, alone."""
    kept = {name: tensor for name, tensor in weights.tensors.items() if not name.startswith("embedding.")}
    return replace(weights.with_tensors(kept), config=replace(weights.config, task=""), pooling=None)


def _labels(request: ExportRequest, weights: Weights, progress: Progress) -> tuple[str, ...]:
    """Names of the classes; where no head has classes, what the configuration calls them, if that can be read again."""
    if "classifier" in weights.heads:
        return read_labels(request.labels, weights)
    try:
        return checked(weights.config.labels, "the names of the checkpoint's classes")
    except DataError as error:
        progress(f"left out, for no head has classes: {error}")
        return ()


def _write(weights: Weights, tokenizer: Tokenizer | None, target: str, folder: Path, progress: Progress) -> None:
    vocabulary = tokenizer.vocabulary if tokenizer else ()
    if target == tensorflow1.FORMAT:
        for lost in tensorflow1.left_out(weights.config):
            progress(f"left out, for {tensorflow1.CONFIG} has no place for it: {lost}")
        if tokenizer and (lost := _no_vocabulary(tokenizer)):
            progress(f"left out, for vocab.txt has no place for it: {lost}")
        tensorflow1.save(weights, folder, vocabulary)
    else:
        huggingface.save(weights, folder, vocabulary=vocabulary, settings=tokenizer.settings if tokenizer else None)


def _no_vocabulary(tokenizer: Tokenizer) -> str:
    """What of a tokenizer a vocabulary alone does not say; of lower case it says that capital letters are there."""
    settings, default = tokenizer.settings, TokenizerSettings.of(not has_capitals(tokenizer.vocabulary)).to_json()
    parts = [f"{name} {value}" for name, value in settings.to_json().items()
             if value != default[name] and name != "added_tokens"]
    return ", ".join([*parts, *(f"added token {token.content}" for token in settings.added_tokens)])


def _check_tokenizer(tokenizer: Tokenizer, folder: Path, target: str) -> None:
    """Raise ConversionError unless the files give the same words back, and the same settings where they can."""
    again = tokenizer_files.read(tokenizer_files.find(folder))
    if again.words != tokenizer.vocabulary or (target != tensorflow1.FORMAT and again.settings != tokenizer.settings):
        raise ConversionError("the tokenizer would not come back as it is; nothing was written")


def _check(weights: Weights, again: Weights) -> None:
    """Raise ConversionError unless both hold the same tensors to the byte."""
    names = weights.tensors.keys() | again.tensors.keys()
    different = [name for name in sorted(names) if not _same(weights.tensors.get(name), again.tensors.get(name))]
    if different:
        raise ConversionError(f"{shorten(different)} would not come back as they are; nothing was written")


def _same(before: np.ndarray | None, after: np.ndarray | None) -> bool:
    return (before is not None and after is not None and before.shape == after.shape
            and before.tobytes() == after.tobytes())
