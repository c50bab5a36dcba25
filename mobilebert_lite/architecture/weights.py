"""The canonical table of tensors of a MobileBERT, and the weights that fill it.

Kernels are ``[in, out]``, float32. One flat name per tensor: ``layers.3.ffn.0.output.kernel``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.heads import HEADS, heads_in
from mobilebert_lite.architecture.pooling import Pooling
from mobilebert_lite.errors import SHOWN, MblError, WeightsError, shorten


@dataclass(frozen=True)
class TensorSpec:
    """One row of the table."""

    shape: tuple[int, ...]
    # Some writers store a tensor that no computation reads; such a tensor may be absent.
    optional: bool = False


@dataclass(frozen=True)
class Source:
    """Where weights came from; written into the file that is made of them."""

    # huggingface, tf1, model_garden, saved_model, tf1_hub, or memory.
    format: str = "memory"
    path: str = ""
    # SHA-256 of the tensor files, in hexadecimal; empty for weights made in memory.
    sha256: str = ""
    # What was done to read them, for people: prefixes that were left out, what was taken for granted, a line each.
    notes: tuple[str, ...] = ()
    # How its writer masks padding, as ``masking.parse_masking`` reads it, where that is not the format's convention.
    masking: str = ""


@dataclass(frozen=True)
class Weights:
    """A checked set of tensors with the configuration they belong to.

    config: the network.
    tensors: canonical name -> float32 array.
    source: where they come from.
    pooling: how its writer makes one vector of a text; None where nothing says.
    """

    config: MobileBertConfig
    tensors: Mapping[str, np.ndarray]
    source: Source = field(default_factory=Source)
    pooling: Pooling | None = None

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads that these weights carry, by their names in ``heads.HEADS``."""
        return heads_in(self.tensors)

    def outputs(self, heads: Sequence[str]) -> int:
        """How many outputs the first of ``heads`` has; 0 where none is there."""
        return next((_outputs(self.tensors[HEADS[head].kernel]) for head in heads if head in self.heads), 0)

    @property
    def has_pooler(self) -> bool:
        """Whether the tanh layer on [CLS] is present."""
        return "pooler.kernel" in self.tensors

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return sum(tensor.size for tensor in self.tensors.values())

    def with_tensors(self, tensors: Mapping[str, np.ndarray]) -> Weights:
        """The same model with other values (fusion, quantization-aware ranges)."""
        return replace(self, tensors=dict(tensors))


def tensor_table(config: MobileBertConfig, heads: Mapping[str, int] | None = None, pooler: bool = False,
                 untied: bool = False) -> dict[str, TensorSpec]:
    """Canonical name -> spec for ``config``; ``heads`` maps each head to its number of outputs.

    ``untied`` says that the masked LM head multiplies with a word table of its own in place of the embedding's.
    """
    table: dict[str, TensorSpec] = {}
    hidden, block = config.hidden_size, config.block_size

    def dense(scope: str, inputs: int, outputs: int, optional: bool = False) -> None:
        table[f"{scope}.kernel"] = TensorSpec((inputs, outputs), optional)
        table[f"{scope}.bias"] = TensorSpec((outputs,), optional)

    def norm(scope: str, width: int, optional: bool = False) -> None:
        table[f"{scope}.gamma"] = TensorSpec((width,), optional)
        table[f"{scope}.beta"] = TensorSpec((width,), optional)

    def bottleneck(scope: str, optional: bool = False) -> None:
        dense(scope, hidden, block, optional)
        norm(f"{scope}.norm", block, optional)

    table["embeddings.word"] = TensorSpec((config.vocab_size, config.embedding_size))
    table["embeddings.position"] = TensorSpec((config.max_position_embeddings, hidden))
    table["embeddings.token_type"] = TensorSpec((config.type_vocab_size, hidden))
    inputs = config.embedding_size * (3 if config.trigram_input else 1)
    dense("embeddings.projection", inputs, hidden, optional=not has_projection(config))
    norm("embeddings.norm", hidden)

    for one in config.blocks:
        layer = one.name
        if config.use_bottleneck:
            bottleneck(f"{layer}.bottleneck.input")
            if config.key_query_shared_bottleneck and one.heads:
                # transformers stores it for TINY too, where nothing reads it.
                bottleneck(f"{layer}.bottleneck.attention", optional=config.use_bottleneck_attention)
        if one.heads:
            dense(f"{layer}.attention.query", config.query_input_size, one.attention_size)
            dense(f"{layer}.attention.key", config.query_input_size, one.attention_size)
            dense(f"{layer}.attention.value", config.value_input_size, one.attention_size)
            dense(f"{layer}.attention.output", one.attention_size, block)
            norm(f"{layer}.attention.norm", block)
        for scope, units in zip(one.networks, one.feed_forward, strict=True):
            dense(f"{scope}.intermediate", block, units)
            dense(f"{scope}.output", units, block)
            norm(f"{scope}.norm", block)
        if config.use_bottleneck:
            dense(f"{layer}.output", block, hidden)
            norm(f"{layer}.output.norm", hidden)

    if pooler:
        dense("pooler", hidden, hidden)
    for head, outputs in (heads or {}).items():
        if head == "mlm":
            dense("mlm.transform", hidden, hidden)
            norm("mlm.norm", hidden)
            if hidden < config.embedding_size:
                raise WeightsError(f"a masked LM head needs hidden_size {hidden} of at least the embedding_size "
                                   f"{config.embedding_size}")
            if hidden != config.embedding_size:
                table["mlm.extra"] = TensorSpec((config.vocab_size, hidden - config.embedding_size))
            if untied:
                table["mlm.word"] = TensorSpec((config.vocab_size, config.embedding_size))
            table["mlm.bias"] = TensorSpec((config.vocab_size,))
        else:
            dense(head, hidden, outputs)
    return table


def merged_name(parts: Sequence[str]) -> str:
    """What a dense layer is called that fusion has merged from ``parts`` of one block."""
    return "-".join(parts)


def has_projection(config: MobileBertConfig) -> bool:
    """Whether the embedding passes through a dense layer before positions are added."""
    return config.trigram_input or config.embedding_size != config.hidden_size


# A name and shape here -> those that the checkpoint has for it.
Naming = Callable[[str, tuple[int, ...]], tuple[str, tuple[int, ...]]]


def checked(config: MobileBertConfig, tensors: Mapping[str, np.ndarray], source: Source | None = None,
            naming: Naming = lambda name, shape: (name, shape)) -> Weights:
    """Weights after a strict check against the table of ``config``.

    Raises WeightsError naming every missing, unexpected, misshapen and non-finite tensor at once, as ``naming`` does.
    """
    where = source.path if source and source.path else "weights"
    # Names first: a table of all that a configuration promises would name thousands of tensors that are not there.
    if config.num_hidden_layers * config.num_feedforward_networks > 2 * len(tensors) + _FEW_NETWORKS:
        counts = "; ".join(_counts(config, tensors)) or (
            f"num_hidden_layers is {config.num_hidden_layers} and num_feedforward_networks "
            f"{config.num_feedforward_networks}, but there are {len(tensors)} tensors, none of them of a block")
        raise WeightsError(f"{where} does not fit its configuration: {counts}")
    # The width of a classifier comes from its tensor.
    heads = {head: _outputs(tensors[HEADS[head].kernel]) for head in heads_in(tensors)}
    table = tensor_table(config, heads, pooler="pooler.kernel" in tensors, untied="mlm.word" in tensors)
    problems = list(_problems(config, table, tensors, naming))
    if problems:
        raise WeightsError(f"{where} does not fit its configuration: {'; '.join(problems)}")
    return Weights(config, {name: np.ascontiguousarray(tensors[name], np.float32)
                            for name in table if name in tensors}, source or Source())


# Feed-forward networks that a configuration may promise whatever is there: those of 24 blocks, several times.
_FEW_NETWORKS = 1000


def _outputs(kernel: np.ndarray) -> int:
    return int(kernel.shape[1]) if kernel.ndim == 2 else 0


def _problems(config: MobileBertConfig, table: Mapping[str, TensorSpec], tensors: Mapping[str, np.ndarray],
              naming: Naming) -> Iterator[str]:
    def called(name: str) -> str:
        return naming(name, tensors[name].shape if name in tensors else table[name].shape)[0]

    missing = [called(name) for name, spec in table.items() if name not in tensors and not spec.optional]
    unexpected = [name for name in tensors if name not in table]
    # Of many, few are shown.
    unexpected = [*map(called, unexpected[:SHOWN]), *unexpected[SHOWN:]]
    misshapen = [name for name, spec in table.items() if name in tensors and tensors[name].shape != spec.shape]
    # The reasons take a while, and few are shown.
    misshapen = [f"{called(name)}: found {list(naming(name, tensors[name].shape)[1])}, expected "
                 f"{list(naming(name, table[name].shape)[1])}"
                 f"{_origin(config, name, table[name].shape, tensors[name].shape)}" for name in misshapen[:SHOWN]
                 ] + misshapen[SHOWN:]
    non_finite = [called(name) for name in table if name in tensors and not np.isfinite(tensors[name]).all()]
    for kind, names in (("missing", missing), ("unexpected", unexpected), ("wrong shape", misshapen),
                        ("NaN or infinite", non_finite)):
        if names:
            yield f"{kind} {shorten(names)}"
    if missing or unexpected:
        yield from _counts(config, tensors)


def _origin(config: MobileBertConfig, name: str, expected: tuple[int, ...], found: tuple[int, ...]) -> str:
    """`` (vocab_size 8000)``: the values of ``config`` that the axes which differ come from."""
    head = name.partition(".")[0]
    heads = {head: 1} if head in HEADS else {}

    def shape(**values: object) -> tuple[int, ...] | None:
        try:
            table = tensor_table(replace(config, **values), heads, pooler=True, untied=True)  # type: ignore[arg-type]
            return table[name].shape
        except (MblError, KeyError):
            return None

    before = shape() or expected
    differing = [i for i, size in enumerate(expected) if i >= len(found) or found[i] != size]
    # Whatever grows with a size comes from it; a switch is named where turning it explains what was found.
    sizes = {key: shape(**{key: 2 * getattr(config, key)}) for key in _SIZES}
    told = [f"{key} {getattr(config, key)}" for key, after in sizes.items()
            if after is not None and any(after[i] != before[i] for i in differing)]
    told += [f"{key} {str(getattr(config, key)).lower()}" for key in _SWITCHES
             if before == expected and shape(**{key: not getattr(config, key)}) == found]
    return f" ({', '.join(told)})" if told else ""


_SIZES = ("vocab_size", "hidden_size", "embedding_size", "intra_bottleneck_size", "intermediate_size",
          "max_position_embeddings", "type_vocab_size")
_SWITCHES = ("trigram_input", "use_bottleneck", "use_bottleneck_attention", "key_query_shared_bottleneck")


def _counts(config: MobileBertConfig, tensors: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Numbers of blocks, and of feed-forward networks in the first, where they are not those of ``config``."""
    for key, pattern, what in (
            ("num_hidden_layers", r"layers\.(\d+)\.", "blocks"),
            *[("num_feedforward_networks", r"layers\.0\.ffn\.(\d+)\.", "feed-forward networks in a block")]
            * (not config.shapes)):
        found = {match[1] for name in tensors if (match := re.match(pattern, name))}
        if found and len(found) != getattr(config, key):
            yield f"{key} is {getattr(config, key)}, but the tensors have {len(found)} {what}"


def random_weights(config: MobileBertConfig, heads: Mapping[str, int] | None = None, pooler: bool = False,
                   seed: int = 0) -> Weights:
    """Seeded weights with non-trivial gamma, beta and biases whose activations stay of order one.

    For benchmarks and tests: every term of the network takes part, none saturates.
    """
    rng = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {}
    for name, spec in tensor_table(config, heads, pooler).items():
        kind = name.rsplit(".", 1)[-1]
        if kind == "kernel":
            # A residual branch of a network without normalization must add little, or 24 blocks explode.
            gain = 0.3 if ".output.kernel" in name else 1.0
            value = rng.normal(0, gain / np.sqrt(spec.shape[0]), spec.shape)
        elif kind == "gamma":
            value = rng.uniform(0.7, 1.2, spec.shape)
        elif kind in ("beta", "bias"):
            value = rng.normal(0, 0.1, spec.shape)
        else:
            value = rng.normal(0, 0.5, spec.shape)
        tensors[name] = value.astype(np.float32)
    return checked(config, tensors, Source("memory", f"seed {seed}"))
