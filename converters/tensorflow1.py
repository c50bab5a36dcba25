"""Checkpoints of google-research/mobilebert (TF1): ``bert_config.json`` beside ``model.ckpt.index``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from mobilebert_lite.config import MobileBertConfig, from_tensorflow1, read_json, to_tensorflow1
from mobilebert_lite.converters import bundle
from mobilebert_lite.converters.name_maps import read_tensors, tensorflow1_rows, write_tensors
from mobilebert_lite.errors import CheckpointError, ConfigError, WeightsError
from mobilebert_lite.files import json_bytes, read_lines, write_atomically
from mobilebert_lite.weights import Source, Weights, checked

FORMAT = "tf1"
CONFIG, LABELS, CHECKPOINT = "bert_config.json", "labels.txt", "model.ckpt"

# What training keeps beside the weights: steps, and the moments of Adam, LAMB and their relatives.
_TRAINING = re.compile(r"(global_step|.*/(adam_[mv]|lamb_[mv]|Adam(_1)?|Momentum|ExponentialMovingAverage)"
                       r"|(.*/)?beta[12]_power|(.*/)?(good_steps|current_loss_scale|loss_scale))\Z")
# Heads that no script of google-research/mobilebert has.
_NOT_IN_TF1 = ("token-classification", "multiple-choice")
# Of the layer normalisations in TF1.
_EPS = 1e-12
# A table that every checkpoint has, and the scope that a TF1-Hub module puts before it when it is trained on.
_ANCHOR = "bert/embeddings/word_embeddings"
_SCOPE = "module/"


def load(prefix: Path, config: Path, kind: str = FORMAT) -> Weights:
    """Read the variables at ``prefix`` for the ``bert_config.json`` at ``config``.

    Raises ConfigError, CheckpointError (files) or WeightsError (variables that do not fit).
    """
    read = from_tensorflow1(read_json(config)).with_labels(read_labels(prefix.parent / LABELS))
    stored = bundle.Bundle(prefix)
    if stored.is_object_based:
        raise CheckpointError(f"{prefix} is an object-based checkpoint of TF2, not one of TF1; "
                              "read it with --format model_garden")
    theirs = {name.removeprefix(_SCOPE): name for name in stored.names if not _TRAINING.match(name)}
    _check_kind(prefix, read, theirs)
    tensors = dict(zip(theirs, stored.read(theirs.values()).values(), strict=True))
    weights = checked(read, read_tensors(tensorflow1_rows(read), tensors), Source(kind, str(prefix), stored.sha256()))
    check_pooler(weights)
    # The same weights as a checkpoint of transformers say so themselves.
    both = {"mlm", "nsp"} <= set(weights.heads)
    return replace(weights, config=replace(weights.config, task="pretraining")) if both else weights


def _check_kind(prefix: Path, config: MobileBertConfig, names: Iterable[str]) -> None:
    """Raise for another model and for the other normalisation, which would misname a hundred variables."""
    names = list(names)
    if _ANCHOR not in names:
        raise CheckpointError(f"{prefix} is no MobileBERT of TF1: it has no {_ANCHOR} among its {len(names)} "
                              f"variables, the first of which is {min(names, default='none')}")
    stored = "layer_norm" if "bert/embeddings/LayerNorm/gamma" in names else "no_norm"
    if stored != config.normalization_type:
        raise ConfigError(f"{prefix} was written with normalization_type {stored} (its scopes say so), but {CONFIG} "
                          f"says {config.normalization_type}; give the configuration it was trained with (--config)")


def check_pooler(weights: Weights) -> None:
    """Raise unless the tanh layer on [CLS] is there when the configuration says so. Both TensorFlow writers agree.

    A checkpoint that came from elsewhere may lack it where no head reads it.
    """
    wanted, path = weights.config.classifier_activation, weights.source.path
    if weights.has_pooler and not wanted:
        raise ConfigError(f"{path} has a pooler, but {CONFIG} says classifier_activation false; give the "
                          "configuration it was trained with (--config)")
    if wanted and not weights.has_pooler and {"classifier", "nsp"} & set(weights.heads):
        raise WeightsError(f"{path} does not fit its configuration: missing pooler.kernel, pooler.bias "
                           "(classifier_activation is true)")


def read_labels(path: Path) -> tuple[str, ...]:
    """Names of the classes as they stand there, one a line; none where there is no such file."""
    return read_lines(path) if path.is_file() else ()


def left_out(config: MobileBertConfig) -> list[str]:
    """What ``save`` cannot keep of a configuration, and what does not change any output."""
    default = MobileBertConfig()
    return [f"{name} {getattr(config, name)}" for name in ("pad_token_id", "problem_type")
            if getattr(config, name) != getattr(default, name)]


def save(weights: Weights, folder: Path, vocabulary: Iterable[str] = ()) -> None:
    """Write ``weights`` as a checkpoint that google-research/mobilebert and ``load`` read.

    Raises ConfigError for a configuration that ``bert_config.json`` cannot express, OSError when the folder cannot be
    written.
    """
    config = to_tensorflow1(weights.config)
    if weights.config.task in _NOT_IN_TF1:
        raise ConfigError(f"config: TF1 has no head for {weights.config.task}, and would take it for classification")
    eps = weights.config.layer_norm_eps
    if eps != _EPS and (weights.config.normalization_type == "layer_norm" or "mlm" in weights.heads):
        raise ConfigError(f"config: layer_norm_eps {eps} has no place in {CONFIG}; TF1 computes with {_EPS}")
    folder.mkdir(parents=True, exist_ok=True)
    bundle.write(folder / CHECKPOINT, write_tensors(tensorflow1_rows(weights.config), weights.tensors))
    write_atomically(folder / CONFIG, json_bytes(config))
    for name, lines in (("vocab.txt", vocabulary), (LABELS, weights.config.labels)):
        if text := "".join(f"{line}\n" for line in lines):
            write_atomically(folder / name, text.encode())
