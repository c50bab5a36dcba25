"""Checkpoints of the TensorFlow Model Garden: ``tf.train.Checkpoint`` of models built on ``MobileBERTEncoder``.

A variable is known by its path through the objects (a checkpoint of a program) or, where paths only count
(``variables/17`` in a TF-Hub SavedModel), by its name in the program that wrote it. One table holds both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import Source, Weights, checked
from mobilebert_lite.converters.files import bundle
from mobilebert_lite.converters.names.name_maps import Row, dense, in_their_words, norm, our_names, read_tensors
from mobilebert_lite.converters.tensorflow import configuration
from mobilebert_lite.converters.tensorflow.garden_places import Places, sort_out
from mobilebert_lite.converters.tensorflow.inferred import KnownSizes
from mobilebert_lite.converters.tensorflow.tensorflow1 import check_pooler
from mobilebert_lite.errors import CheckpointError
from mobilebert_lite.tasks.pretraining import Pretraining
from mobilebert_lite.tasks.token_classification import TokenClassification

FORMAT = "model_garden"

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_LAYERS = re.compile(r"(layer_with_weights-(?P<n>\d{1,9})/block_layers|transformer_layer_(?P<i>\d{1,9}))/")
# Keras numbers a second encoder made in one process.
_NUMBERED = re.compile(r"mobile_bert_embedding_\d+/")


def as_is(ours: str, theirs: str, config: MobileBertConfig) -> Iterator[Row]:
    """One tensor under another name."""
    yield Row(ours, theirs)


def split(ours: str, theirs: str, config: MobileBertConfig) -> Iterator[Row]:
    """A projection to heads: kernel [in, heads, size] and bias [heads, size]."""
    heads, width = (config.num_attention_heads, config.head_size), config.block_size
    yield Row(f"{ours}.kernel", f"{theirs}/kernel", shapes=((-1, width), (-1, *heads)))
    yield Row(f"{ours}.bias", f"{theirs}/bias", shapes=((width,), heads))


def join(ours: str, theirs: str, config: MobileBertConfig) -> Iterator[Row]:
    """The projection from heads: kernel [heads, size, out] and bias [out]."""
    heads, width = (config.num_attention_heads, config.head_size), config.block_size
    yield Row(f"{ours}.kernel", f"{theirs}/kernel", shapes=((width, -1), (*heads, -1)))
    yield Row(f"{ours}.bias", f"{theirs}/bias")


def pair(kind: Callable[[str, str], Iterator[Row]]) -> Callable[[str, str, MobileBertConfig], Iterator[Row]]:
    """A table row of two tensors that needs no configuration."""
    return lambda ours, theirs, config: kind(ours, theirs)


_Kind = Callable[[str, str, MobileBertConfig], Iterator[Row]]
_DENSE, _NORM = pair(dense), pair(norm)

# Ours, the object path, the name in the program (None where it is in doubt), what it is.
_MODEL: tuple[tuple[str, str, str | None, _Kind], ...] = (
    ("embeddings.word", "ENCODER/layer_with_weights-0/word_embedding/embeddings",
     "mobile_bert_embedding/word_embedding/embeddings", as_is),
    # The same table, where a masked language model has it too.
    ("embeddings.word", "MLM/embedding_table", None, as_is),
    ("embeddings.token_type", "ENCODER/layer_with_weights-0/type_embedding/embeddings",
     "mobile_bert_embedding/type_embedding/embeddings", as_is),
    ("embeddings.position", "ENCODER/layer_with_weights-0/pos_embedding/embeddings",
     "mobile_bert_embedding/position_embedding/embeddings", as_is),
    ("embeddings.projection", "ENCODER/layer_with_weights-0/word_embedding_proj",
     "mobile_bert_embedding/embedding_projection", _DENSE),
    ("embeddings.norm", "ENCODER/layer_with_weights-0/layer_norm", "mobile_bert_embedding/embedding_norm", _NORM),
    ("pooler", "ENCODER/layer_with_weights-LAST", "pooler", _DENSE),
    ("mlm.transform", "MLM/dense", "bert/cls/predictions/transform/dense", _DENSE),
    ("mlm.norm", "MLM/layer_norm", "bert/cls/predictions/transform/LayerNorm", _NORM),
    ("mlm.extra", "MLM/extra_output_weights", "bert/cls/predictions/extra_output_weights", as_is),
    ("mlm.bias", "MLM/output_bias.Sbias", "bert/cls/predictions/output_bias/bias", as_is),
    ("classifier", "HEAD/layer_with_weights-1/out_proj", "sentence_prediction/logits", _DENSE),
    # Span labeler and token classifier have one name in the program, so only the path tells them apart.
    ("qa", "HEAD/layer_with_weights-1/layer_with_weights-0", None, _DENSE),
    ("classifier", "HEAD/layer_with_weights-1", None, _DENSE),
    # Heads with a pooler of their own.
    ("pooler", "POOLED/dense", "next_sentence/pooler_dense", _DENSE),
    ("pooler", "POOLED/dense", "sentence_prediction/pooler_dense", _DENSE),
    ("nsp", "POOLED/out_proj", "next_sentence/logits", _DENSE),
)
_POOLED_NAMES = {"next_sentence/pooler_dense/kernel", "sentence_prediction/pooler_dense/kernel"}
_LAYER: tuple[tuple[str, str, str, _Kind], ...] = (
    ("bottleneck.input", "bottleneck_input/0", "bottleneck_input/dense", _DENSE),
    ("bottleneck.input.norm", "bottleneck_input/1", "bottleneck_input/norm", _NORM),
    ("bottleneck.attention", "kq_shared_bottleneck/0", "kq_shared_bottleneck/dense", _DENSE),
    ("bottleneck.attention.norm", "kq_shared_bottleneck/1", "kq_shared_bottleneck/norm", _NORM),
    ("attention.query", "attention/0/_query_dense", "attention/query", split),
    ("attention.key", "attention/0/_key_dense", "attention/key", split),
    ("attention.value", "attention/0/_value_dense", "attention/value", split),
    ("attention.output", "attention/0/_output_dense", "attention/attention_output", join),
    ("attention.norm", "attention/1", "attention/norm", _NORM),
    ("ffn.{j}.intermediate", "ffn/{j}/0", "ffn_layer_{j}/intermediate_dense", _DENSE),
    ("ffn.{j}.output", "ffn/{j}/1", "ffn_layer_{j}/output_dense", _DENSE),
    ("ffn.{j}.norm", "ffn/{j}/2", "ffn_layer_{j}/norm", _NORM),
    # 1 is a dropout.
    ("output", "bottleneck_output/0", "bottleneck_output/dense", _DENSE),
    ("output.norm", "bottleneck_output/2", "bottleneck_output/norm", _NORM),
)


def path_rows(config: MobileBertConfig, places: Places) -> list[Row]:
    """The table for object paths."""
    def expand(path: str) -> str:
        return (path.replace("ENCODER/", places.encoder).replace("HEAD/", places.head).replace("MLM/", places.mlm)
                .replace("POOLED/", places.pooled or "?/").replace("LAST", str(config.num_hidden_layers + 1)))

    block = "ENCODER/layer_with_weights-{n}/block_layers"
    return [*(row for ours, path, _, kind in _MODEL for row in kind(ours, expand(path), config)),
            *(row for ours, path, _, kind in _LAYER
              for row in kind(f"layers.{{i}}.{ours}", expand(f"{block}/{path}"), config))]


def name_rows(config: MobileBertConfig) -> list[Row]:
    """The table for names in the program."""
    return [*(row for ours, _, name, kind in _MODEL if name is not None for row in kind(ours, name, config)),
            *(row for ours, _, name, kind in _LAYER
              for row in kind(f"layers.{{i}}.{ours}", f"transformer_layer_{{i}}/{name}", config))]


def load(prefix: Path, config: Path | None, kind: str = FORMAT) -> Weights:
    """Read the object-based checkpoint at ``prefix`` for the configuration at ``config``, or for the one that its
    variables say themselves.

    Raises ConfigError, CheckpointError (files, another model) or WeightsError (variables that do not fit).
    """
    stored = bundle.Bundle(prefix)
    if not stored.is_object_based:
        raise CheckpointError(f"{prefix} holds plain variables as TF1 writes them, no objects of TF2; "
                              "read it with --format tf1")
    names = {name.removesuffix(_SUFFIX): name for name in stored.names}
    names, places, notes = sort_out(names)
    if places is None:
        names = _by_full_name(prefix, names, stored.full_names())

    def rows(config: MobileBertConfig) -> list[Row]:
        return name_rows(config) if places is None else path_rows(config, places)

    read, lines = configuration.choose(config, prefix, lambda: _known(names, stored, rows))
    if places is not None and f"{places.head}layer_with_weights-1/kernel" in names:
        read = replace(read, task=TokenClassification.name)
    tensors = read_tensors(rows(read), dict(zip(names, stored.read(names.values()).values(), strict=True)))
    if _POOLED_NAMES & names.keys() or (places is not None and places.pooled):
        # The head has brought the pooler along, whatever the encoder's configuration says.
        read = replace(read, classifier_activation=True)
    if {"nsp.kernel", "mlm.bias"} <= tensors.keys():
        read = replace(read, task=Pretraining.name)
    naming = in_their_words(rows(read))
    weights = checked(read, tensors, Source(kind, str(prefix), stored.sha256(), (*lines, *notes)), naming)
    check_pooler(weights, naming)
    return weights


def _known(names: Mapping[str, str], stored: bundle.Bundle,
           rows: Callable[[MobileBertConfig], list[Row]]) -> KnownSizes:
    """``names`` are ours alone → as they are stored."""
    numbers = [int(match["n"] or int(match["i"]) + 1) for name in names if (match := _LAYERS.search(name))]
    found = our_names(rows(MobileBertConfig(num_hidden_layers=max(numbers, default=1))), names)
    shapes = {ours: stored.shapes[names[name]] for ours, name in found.items()}
    # NoNorm calls its parts by two names each.
    parts = stored.siblings(names.get(found.get("embeddings.norm.gamma", ""), ""))
    normalization = "no_norm" if "scale" in parts else "layer_norm" if "gamma" in parts else None
    return KnownSizes(shapes, normalization)


def _by_full_name(prefix: Path, names: Mapping[str, str], full_names: Mapping[str, str]) -> dict[str, str]:
    """Name in the program → name in the checkpoint. Raises CheckpointError when they are another model's."""
    found: dict[str, str] = {}
    for short, name in names.items():
        full = _NUMBERED.sub("mobile_bert_embedding/", full_names.get(name, short))
        # The pretrainer of MobileBERT-EdgeTPU has no scope of its own.
        full = re.sub(r"^cls/predictions/", "bert/cls/predictions/", full)
        found[short if full in found else full] = name
    if not any(full.startswith("transformer_layer_0/attention/") for full in found):
        raise CheckpointError(f"{prefix} is no MobileBERT of the Model Garden: none of its {len(found)} variables is "
                              "a layer_with_weights-1/block_layers/attention or transformer_layer_0/attention; "
                              f"the first is {min(found, default='none')}")
    return found
