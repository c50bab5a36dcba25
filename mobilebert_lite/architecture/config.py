"""The shape of a MobileBERT: every field of the published configurations, and readers for them.

Sources: Sun et al. 2020 (arXiv:2004.02984); ``BertConfig`` of google-research/mobilebert;
``MobileBertConfig`` of transformers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from mobilebert_lite.architecture import shape
from mobilebert_lite.architecture.config_names import (
    HUGGINGFACE_ACTIVATIONS,
    SILENT_KEYS,
    TENSORFLOW_ACTIVATIONS,
    activation,
    labels_of,
)
from mobilebert_lite.architecture.shape import Block, BlockShape
from mobilebert_lite.common.files import read_text
from mobilebert_lite.common.json_text import parse
from mobilebert_lite.errors import ConfigError, DataError

NORMALIZATIONS = ("no_norm", "layer_norm")
# relu6 is min(max(x, 0), 6); gelu the exact (erf) form, gelu_new its tanh approximation, which TF1 calls "gelu".
ACTIVATIONS = ("relu", "relu6", "gelu", "gelu_new")


@dataclass(frozen=True)
class MobileBertConfig:
    """Widths and switches of a MobileBERT. Defaults are google/mobilebert-uncased (24.6 M parameters).

    vocab_size: WordPiece vocabulary, number of words.
    hidden_size: width of the residual stream between blocks.
    num_hidden_layers: number of blocks.
    num_attention_heads: heads of each block's attention.
    intermediate_size: width inside each feed-forward network.
    embedding_size: width of a word vector before the trigram projection.
    intra_bottleneck_size: width of the residual stream inside a block.
    hidden_act: activation inside feed-forward networks: one of ACTIVATIONS.
    max_position_embeddings: longest sequence with a learnt position, in tokens.
    type_vocab_size: number of segments (question, context).
    num_feedforward_networks: feed-forward networks in each block, the last one included.
    normalization_type: no_norm is gamma * x + beta; layer_norm the usual one.
    layer_norm_eps: added to the variance by layer_norm.
    use_bottleneck: whether each block works at intra_bottleneck_size between two projections.
    use_bottleneck_attention: TINY: query, key and value all read the block's own (narrow) input.
    key_query_shared_bottleneck: query and key read one projection of their own, shared between them.
    trigram_input: each position sees the word vectors of its two neighbors.
    classifier_activation: a tanh layer on [CLS] before the classifiers ("pooler").
    pad_token_id: id of [PAD].
    hidden_dropout_prob: dropout of hidden states, in training only.
    attention_probs_dropout_prob: dropout of attention, in training only.
    initializer_range: standard deviation of initial weights.
    labels: names of the classes, in the order of the classifier's outputs, as they were written (labels.checked cleans
        them); empty when unknown.
    problem_type: single_label_classification, multi_label_classification or regression; empty when unknown.
    task: what its writer trained it for, by our name of the task (tasks.TASKS); empty when unknown. Checkpoints say
        it in their own words, which the converters read.
    shapes: how wide each block is, where they are not all as the fields above say; empty where they are.
    """

    vocab_size: int = 30522
    hidden_size: int = 512
    num_hidden_layers: int = 24
    num_attention_heads: int = 4
    intermediate_size: int = 512
    embedding_size: int = 128
    intra_bottleneck_size: int = 128
    hidden_act: str = "relu"
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    num_feedforward_networks: int = 4
    normalization_type: str = "no_norm"
    layer_norm_eps: float = 1e-12
    use_bottleneck: bool = True
    use_bottleneck_attention: bool = False
    key_query_shared_bottleneck: bool = True
    trigram_input: bool = True
    classifier_activation: bool = True
    pad_token_id: int = 0
    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.1
    initializer_range: float = 0.02
    labels: tuple[str, ...] = ()
    problem_type: str = ""
    task: str = ""
    shapes: tuple[BlockShape, ...] = ()

    def __post_init__(self) -> None:
        for name in _LARGEST:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"config: {name} is {_said(value)}; it must be a whole number of 1 or more")
            if value > _LARGEST[name]:
                raise ConfigError(f"config: {name} is {_said(value)}; the most is {_LARGEST[name]:,}")
        for name in ("use_bottleneck", "use_bottleneck_attention", "key_query_shared_bottleneck",
                     "trigram_input", "classifier_activation"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"config: {name} is {getattr(self, name)!r}; it must be true or false")
        if self.normalization_type not in NORMALIZATIONS:
            raise ConfigError(f"config: normalization_type is {_said(self.normalization_type)}; "
                              f"known are {', '.join(NORMALIZATIONS)}")
        if self.hidden_act not in ACTIVATIONS:
            raise ConfigError(f"config: hidden_act is {_said(self.hidden_act)}; known are {', '.join(ACTIVATIONS)}")
        if self.block_size % self.num_attention_heads:
            raise ConfigError(f"config: num_attention_heads is {self.num_attention_heads}, which does not divide "
                              f"the attention width {self.block_size}")
        eps = self.layer_norm_eps
        if isinstance(eps, bool) or not isinstance(eps, (int, float)) or not 0 <= eps < 1:
            raise ConfigError(f"config: layer_norm_eps is {_said(eps)}; it must be a number from 0 to below 1")
        if not isinstance(self.pad_token_id, int) or not 0 <= self.pad_token_id < self.vocab_size:
            raise ConfigError(f"config: pad_token_id is {_said(self.pad_token_id)}, outside the vocabulary of "
                              f"{self.vocab_size} words")
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range"):
            rate = getattr(self, name)
            if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
                raise ConfigError(f"config: {name} is {_said(rate)}; it must be a number from 0 to 1")
        if not isinstance(self.problem_type, str):
            raise ConfigError(f"config: problem_type is {_said(self.problem_type)}; it must be a text")
        if self.shapes:
            shape.check(self.shapes, blocks=self.num_hidden_layers, heads=self.num_attention_heads,
                        networks=self.num_feedforward_networks, width=self.intermediate_size)
        if self.parameters > _LARGEST_NETWORK:
            raise ConfigError(f"config: it describes a network of {self.parameters:,} parameters; the most is "
                              f"{_LARGEST_NETWORK:,}")

    @property
    def block_size(self) -> int:
        """Width of the residual stream inside a block (``true_hidden_size`` in transformers)."""
        return self.intra_bottleneck_size if self.use_bottleneck else self.hidden_size

    @property
    def parameters(self) -> int:
        """How many numbers the kernels and tables of the encoder have: all but biases and normalizations."""
        block, hidden = self.block_size, self.hidden_size
        tables = self.vocab_size * self.embedding_size + (self.max_position_embeddings + self.type_vocab_size) * hidden
        inputs = 2 * self.query_input_size + self.value_input_size + block
        bottlenecks = (2 + self.key_query_shared_bottleneck) * hidden * block if self.use_bottleneck else 0
        return tables + sum(inputs * one.attention_size + bottlenecks + 2 * block * sum(one.feed_forward)
                            for one in self.blocks)

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.block_size // self.num_attention_heads

    @property
    def query_input_size(self) -> int:
        """Width of what query and key read (a projection that they share, the block's input, or the stream)."""
        shared = self.use_bottleneck_attention or self.key_query_shared_bottleneck
        return self.block_size if shared or not self.use_bottleneck else self.hidden_size

    @property
    def value_input_size(self) -> int:
        """Width of what value reads."""
        return self.block_size if self.use_bottleneck_attention or not self.use_bottleneck else self.hidden_size

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Each block, with its own widths."""
        shapes = self.shapes or (BlockShape(self.num_attention_heads, self.num_feedforward_networks
                                            * (self.intermediate_size,)),) * self.num_hidden_layers
        return tuple(Block(f"layers.{i}", one.heads, self.head_size, one.feed_forward, self.block_size,
                           *_readers(self, one.heads)) for i, one in enumerate(shapes))

    def with_shapes(self, shapes: Sequence[BlockShape]) -> MobileBertConfig:
        """The same model with blocks of ``shapes``; a plain configuration where that can say them."""
        units = {one.feed_forward for one in shapes}
        [first, *_] = shapes
        plain = (len(units) == 1 and len(set(first.feed_forward)) == 1
                 and all(one.heads == self.num_attention_heads for one in shapes))
        if plain:
            return replace(self, num_hidden_layers=len(shapes), num_feedforward_networks=len(first.feed_forward),
                           intermediate_size=first.feed_forward[0], shapes=())
        return replace(self, num_hidden_layers=len(shapes), shapes=tuple(shapes))

    def facts(self) -> dict[str, Any]:
        """What a file says of the network that it is made of."""
        plain = {name: value for name, value in vars(self).items() if name not in ("labels", "shapes")}
        return {**plain, "shapes": [one.to_json() for one in self.shapes]} if self.shapes else plain

    def with_labels(self, labels: tuple[str, ...]) -> MobileBertConfig:
        """The same model with its classes renamed."""
        return replace(self, labels=labels)


def _readers(config: MobileBertConfig, heads: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return shape.readers(use_bottleneck=config.use_bottleneck, narrow=config.use_bottleneck_attention,
                         shared=config.key_query_shared_bottleneck, heads=heads)


# Sizes, and what no MobileBERT comes near: a wrong number must neither fill the memory nor take the day.
_LARGEST = {"vocab_size": 2_000_000, "hidden_size": 1 << 16, "num_hidden_layers": 1 << 10,
            "num_attention_heads": 1 << 10, "intermediate_size": 1 << 16, "embedding_size": 1 << 16,
            "intra_bottleneck_size": 1 << 16, "max_position_embeddings": 1 << 17, "type_vocab_size": 1 << 16,
            "num_feedforward_networks": 1 << 8}
_LARGEST_NETWORK = 1 << 31


def _said(value: Any) -> str:
    """``value``, any JSON of a stranger's, fit for a message."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"a number of {value.bit_length():,} bits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


_FIELDS = {field.name for field in fields(MobileBertConfig)}
_SAID_OTHERWISE = {"labels", "problem_type", "task", "shapes"}

PRESETS: dict[str, MobileBertConfig] = {
    "uncased": MobileBertConfig(),
    "multilingual": MobileBertConfig(vocab_size=119547),
    # Trains from scratch on a CPU.
    "small": MobileBertConfig(vocab_size=8000, hidden_size=192, num_hidden_layers=6, intermediate_size=128,
                              embedding_size=64, intra_bottleneck_size=64, max_position_embeddings=384,
                              num_feedforward_networks=2, classifier_activation=False, hidden_dropout_prob=0.1),
    "tiny": MobileBertConfig(num_feedforward_networks=2, use_bottleneck_attention=True,
                             classifier_activation=False),
}

# BertConfig of google-research/mobilebert leaves these to its own defaults when the file is silent.
_TF1_DEFAULTS: dict[str, Any] = {
    "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
    "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
    "max_position_embeddings": 512, "type_vocab_size": 16, "initializer_range": 0.02, "trigram_input": False,
    "use_bottleneck": False, "use_bottleneck_attention": False, "key_query_shared_bottleneck": False,
    "num_feedforward_networks": 1, "normalization_type": "layer_norm", "classifier_activation": True,
}
_TF1_WITHOUT_DEFAULT = ("vocab_size", "embedding_size", "intra_bottleneck_size")
_TF1_ACTIVATIONS = {"relu": "relu", "relu6": "relu6", "gelu_new": "gelu"}
# What transformers says of a network beyond BertConfig; read where somebody has merged the two.
_BEYOND_TF1 = ("layer_norm_eps", "pad_token_id", "problem_type")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``; raises ConfigError when there is none, CheckpointError for a Git LFS pointer."""
    if not path.exists():
        raise ConfigError(f"no configuration at {path}; a checkpoint folder holds one beside its weights, and presets "
                          f"are {', '.join(PRESETS)}")
    try:
        # A half in the name of a class is told with its number, where names are needed.
        value = parse(read_text(path), str(path), ConfigError, halves=True)
    except DataError as error:
        raise ConfigError(f"{path} is not readable JSON: {error}") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{path} holds a JSON {type(value).__name__}, not an object")
    return value


def from_huggingface(raw: Mapping[str, Any],
                     activations: Mapping[str, str] = HUGGINGFACE_ACTIVATIONS) -> MobileBertConfig:
    """Read the ``config.json`` of transformers.

    Keys that do not describe the network (versions, dtypes, generation settings) are ignored: transformers
    writes a changing set of them. ``activations`` are those of the code that computes with the weights.
    """
    values = {name: raw[name] for name in _FIELDS - {"shapes"} if name in raw and raw[name] is not None}
    return _build({**values, **_described(raw), "shapes": shape.read(raw)}, activations)


def to_huggingface(config: MobileBertConfig) -> dict[str, Any]:
    """The ``config.json`` of transformers for ``config``; ``from_huggingface`` reads it back unchanged.

    Of a network of uneven shape it is ours alone (``shape``).
    """
    raw: dict[str, Any] = {name: getattr(config, name) for name in sorted(_FIELDS - _SAID_OTHERWISE)}
    raw["model_type"] = "mobilebert"
    raw["true_hidden_size"] = config.block_size
    if config.shapes:
        raw["model_type"] = shape.MODEL_TYPE
        raw[shape.KEY] = {"version": shape.VERSION, "blocks": [one.to_json() for one in config.shapes]}
    if config.labels:
        raw["id2label"] = {str(i): label for i, label in enumerate(config.labels)}
        raw["label2id"] = {label: i for i, label in enumerate(config.labels)}
    if config.problem_type:
        raw["problem_type"] = config.problem_type
    return raw


def from_tensorflow1(raw: Mapping[str, Any],
                     activations: Mapping[str, str] = TENSORFLOW_ACTIVATIONS) -> MobileBertConfig:
    """Read the ``bert_config.json`` of google-research/mobilebert.

    Keys of other writers are read where they describe the network, and accepted where they change nothing that is
    computed; an unknown key is an error. ``activations`` are those of the code that computes with the weights.
    """
    known = {*_TF1_DEFAULTS, *_TF1_WITHOUT_DEFAULT, *_BEYOND_TF1}
    unknown = sorted(set(raw) - known - set(SILENT_KEYS) - {"model_type", "id2label", "label2id", "architectures"})
    if unknown:
        raise ConfigError(f"bert_config: unknown keys {', '.join(unknown)}")
    for key, values in SILENT_KEYS.items():
        if values and raw.get(key) not in (None, *values):
            raise ConfigError(f"bert_config: {key} is {raw[key]!r}; a MobileBERT is only {values[0]!r}")
    if "vocab_size" not in raw:
        raise ConfigError("bert_config: vocab_size is missing")
    read = {**_TF1_DEFAULTS, **{key: raw[key] for key in known if raw.get(key) is not None}}
    read.setdefault("embedding_size", read["hidden_size"])
    read.setdefault("intra_bottleneck_size", read["hidden_size"])
    return _build({**read, **_described(raw)}, activations)


def to_tensorflow1(config: MobileBertConfig) -> dict[str, Any]:
    """The ``bert_config.json`` for ``config``. Raises ConfigError for what TF1 cannot express."""
    if config.hidden_act not in _TF1_ACTIVATIONS:
        raise ConfigError(f"config: hidden_act {config.hidden_act!r} (exact erf) has no name in bert_config.json")
    names = [*_TF1_DEFAULTS, *_TF1_WITHOUT_DEFAULT]
    return {**{name: getattr(config, name) for name in names}, "hidden_act": _TF1_ACTIVATIONS[config.hidden_act]}


def _build(values: Mapping[str, Any], activations: Mapping[str, str]) -> MobileBertConfig:
    named = {"hidden_act": activation(values["hidden_act"], activations)} if "hidden_act" in values else {}
    try:
        return MobileBertConfig(**{**values, **named})
    except TypeError as error:
        raise ConfigError(f"config: {error}") from None


def _described(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Labels as transformers writes them. Raises ConfigError for another kind of model."""
    kind = raw.get("model_type", "mobilebert")
    if kind not in ("mobilebert", shape.MODEL_TYPE):
        raise ConfigError(f"config: model_type is {kind!r}; this toolkit converts 'mobilebert' checkpoints")
    return {"labels": labels_of(raw)}
