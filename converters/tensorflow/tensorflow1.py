"""Checkpoints of google-research/mobilebert (TF1): ``bert_config.json`` beside ``model.ckpt.index``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from mobilebert_lite.architecture.config import MobileBertConfig, to_tensorflow1
from mobilebert_lite.architecture.config_files import TENSORFLOW
from mobilebert_lite.architecture.heads import own_heads
from mobilebert_lite.architecture.weights import Source, Weights, checked
from mobilebert_lite.common.files import json_bytes, write_atomically
from mobilebert_lite.converters.files import bundle
from mobilebert_lite.converters.names.name_maps import (
    UNTIED,
    Naming,
    in_their_words,
    our_names,
    read_tensors,
    tensorflow1_rows,
    write_tensors,
)
from mobilebert_lite.converters.tensorflow import configuration
from mobilebert_lite.converters.tensorflow.configuration import LABELS
from mobilebert_lite.converters.tensorflow.inferred import KnownSizes
from mobilebert_lite.errors import CheckpointError, ConfigError, WeightsError, shorten
from mobilebert_lite.tasks import TASKS
from mobilebert_lite.tasks.pretraining import Pretraining

FORMAT = "tf1"
CONFIG = TENSORFLOW
CHECKPOINT = "model.ckpt"

# What training keeps beside the weights: steps, and the moments of Adam, LAMB and their relatives.
_TRAINING = re.compile(r"(global_step|.*/(adam_[mv]|lamb_[mv]|Adam(_1)?|Momentum|ExponentialMovingAverage)"
                       r"|(.*/)?beta[12]_power|(.*/)?(good_steps|current_loss_scale|loss_scale))\Z")
# Ranges of quantization-aware training, with the bias and the step of their moving averages. tf.contrib.quantize puts
# them under act_quant and weights_quant, google-research/mobilebert under MobileBertActFakeQuantWithMinMaxVars_7.
_RANGES = re.compile(r"(.*/)?(min|max)(/(biased|local_step)(_\d+)?)?\Z")
# How the only code that trains so masks padding.
_QUANTIZED_MASKING = "multiplicative"
# Of the layer normalizations in TF1.
_EPS = 1e-12
# A table that every checkpoint has; before it may stand the scope of a TF1-Hub module or of a tower.
_ANCHOR = "bert/embeddings/word_embeddings"
# Of what distillation learns from, in the same checkpoint.
_TEACHER = "teacher/"
_FFN = re.compile(r"bert/encoder/layer_0/ffn_layer_\d+/intermediate/dense/kernel\Z")


def load(prefix: Path, config: Path | None, kind: str = FORMAT) -> Weights:
    """Read the variables at ``prefix`` for the configuration at ``config``, or for the one that they say themselves.

    Raises ConfigError, CheckpointError (files) or WeightsError (variables that do not fit).
    """
    stored = bundle.Bundle(prefix)
    if stored.is_object_based:
        raise CheckpointError(f"{prefix} is an object-based checkpoint of TF2, not one of TF1; "
                              "read it with --format model_garden")
    theirs, ranges, notes = _sorted_out(prefix, stored.names)
    normalization = "layer_norm" if "bert/embeddings/LayerNorm/gamma" in theirs else "no_norm"
    read, lines = configuration.choose(config, prefix, lambda: _known(theirs, stored, normalization, bool(ranges)))
    if normalization != read.normalization_type:
        raise ConfigError(f"{prefix} was written with normalization_type {normalization} (its scopes say so), but "
                          f"{config} says {read.normalization_type}; give the configuration it was trained with "
                          "(--config)")
    tensors = dict(zip(theirs, stored.read(theirs.values()).values(), strict=True))
    source = Source(kind, str(prefix), stored.sha256(), (*lines, *notes), _QUANTIZED_MASKING if ranges else "")
    rows = tensorflow1_rows(read)
    naming = in_their_words(rows)
    weights = checked(read, read_tensors(rows, tensors), source, naming)
    check_pooler(weights, naming)
    # The same weights as a checkpoint of transformers say so themselves.
    both = {"mlm", "nsp"} <= set(weights.heads)
    return replace(weights, config=replace(weights.config, task=Pretraining.name)) if both else weights


def _sorted_out(prefix: Path, names: Iterable[str]) -> tuple[dict[str, str], list[str], list[str]]:
    """Names without their scope → as they are stored; ranges of quantization; lines about what was left out.

    Raises CheckpointError for another model.
    """
    kept = [name for name in names if not _TRAINING.match(name)]
    scopes = [name.removesuffix(_ANCHOR) for name in kept if name == _ANCHOR or name.endswith(f"/{_ANCHOR}")]
    students = [scope for scope in scopes if not scope.startswith(_TEACHER)] or scopes
    if len(students) != 1:
        found = (f"it has no {_ANCHOR} among its {len(kept)} variables, the first of which is "
                 f"{min(kept, default='none')}" if not students else
                 f"it holds several, at {', '.join(students)}; save the one you want by itself")
        raise CheckpointError(f"{prefix} is no MobileBERT of TF1: {found}")
    scope, notes = students[0], []
    others = [name for name in kept if name.startswith(_TEACHER) and scope != _TEACHER]
    ranges = [name for name in kept if _RANGES.match(name) and name not in others]
    if scope:
        notes.append(f"read without the scope {scope} before the names")
    for what, some in (("variables of the teacher", others), ("quantization variables", ranges)):
        if some:
            notes.append(f"left out: {len(some)} {what} ({shorten(some, 2)})")
    if ranges:
        notes.append("ranges are measured anew, for fusion changes what they are of; padding is masked as "
                     f"--mask {_QUANTIZED_MASKING} does, as in the code that trains them")
    left_out = {*others, *ranges}
    return {name.removeprefix(scope): name for name in kept if name not in left_out}, ranges, notes


def _known(theirs: Mapping[str, str], stored: bundle.Bundle, normalization: str, quantized: bool) -> KnownSizes:
    networks = 1 + sum(1 for name in theirs if _FFN.match(name))
    rows = tensorflow1_rows(MobileBertConfig(num_feedforward_networks=networks, normalization_type=normalization))
    shapes = {ours: stored.shapes[theirs[name]] for ours, name in our_names(rows, theirs).items()}
    return KnownSizes(shapes, normalization, quantized)


def check_pooler(weights: Weights, naming: Naming) -> None:
    """Raise unless the tanh layer on [CLS] is there when the configuration says so. Both TensorFlow writers agree.

    A checkpoint that came from elsewhere may lack it where no head reads it.
    """
    wanted, path = weights.config.classifier_activation, weights.source.path
    if weights.has_pooler and not wanted:
        raise ConfigError(f"{path} has a pooler, but its configuration says classifier_activation false; give "
                          "the one it was trained with (--config)")
    if wanted and not weights.has_pooler and {"classifier", "nsp"} & set(weights.heads):
        names = ", ".join(naming(name, ())[0] for name in ("pooler.kernel", "pooler.bias"))
        raise WeightsError(f"{path} does not fit its configuration: missing {names} (classifier_activation is true)")


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
    task = TASKS.get(weights.config.task)
    if task is not None and not task.tensorflow1:
        taken = ", and would take it for classification" if "classifier" in task.heads else ""
        raise ConfigError(f"config: TF1 has no head for {task.name}{taken}")
    if own := [head.name for head in own_heads() if head.name in weights.heads]:
        raise ConfigError(f"config: TF1 has no head for {', '.join(own)}")
    if UNTIED in weights.tensors:
        raise ConfigError("config: the masked LM head has a word table of its own, and TF1 computes with the "
                          "embedding's")
    eps = weights.config.layer_norm_eps
    if eps != _EPS and (weights.config.normalization_type == "layer_norm" or "mlm" in weights.heads):
        raise ConfigError(f"config: layer_norm_eps {eps} has no place in {CONFIG}; TF1 computes with {_EPS}")
    folder.mkdir(parents=True, exist_ok=True)
    bundle.write(folder / CHECKPOINT, write_tensors(tensorflow1_rows(weights.config), weights.tensors))
    write_atomically(folder / CONFIG, json_bytes(config))
    for name, lines in (("vocab.txt", vocabulary), (LABELS, weights.config.labels)):
        if text := "".join(f"{line}\n" for line in lines):
            write_atomically(folder / name, text.encode())
