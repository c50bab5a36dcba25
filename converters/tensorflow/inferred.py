"""The configuration of a network from what its variables say, where no file says it.

Widths, depth and switches follow from names and shapes. The number of attention heads does only where kernels keep the
heads apart, as in the Model Garden; the activation never does, but for quantization-aware training, which exists with
relu6 alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mobilebert_lite.architecture.config import PRESETS, MobileBertConfig
from mobilebert_lite.errors import ConfigError

# Of the published networks: students without statistics, and their teacher.
_PUBLISHED_ACTIVATIONS = {"no_norm": "relu", "layer_norm": "gelu_new"}
_PUBLISHED_NORMALIZATION = "no_norm"
# What presets are compared in; a fine-tuned vocabulary has other words.
_SIZES = ("hidden_size", "num_hidden_layers", "intermediate_size", "embedding_size", "max_position_embeddings",
          "type_vocab_size", "num_feedforward_networks", "normalization_type", "block_size", "use_bottleneck",
          "use_bottleneck_attention", "trigram_input")


@dataclass(frozen=True)
class KnownSizes:
    """What the variables of one checkpoint say."""

    # Canonical name → shape as it is stored.
    shapes: Mapping[str, tuple[int, ...]]
    # None where neither names nor objects tell.
    normalization: str | None
    # Whether it comes from quantization-aware training.
    quantized: bool = False

    @property
    def heads(self) -> int | None:
        """Number of attention heads, from a kernel [in, heads, size]."""
        kernel = self.shapes.get("layers.0.attention.query.kernel", ())
        return kernel[1] if len(kernel) == 3 else None

    def size(self, name: str, axis: int) -> int:
        """One axis of a tensor. Raises ConfigError where the tensor is missing, or has no such axis."""
        shape = self.shapes.get(name, ())
        if len(shape) <= axis:
            raise ConfigError(f"no configuration beside the weights, and none follows from their variables: {name} is "
                              f"{list(shape) if shape else 'missing'}; give the configuration with --config")
        return shape[axis]


def infer(known: KnownSizes) -> tuple[MobileBertConfig, list[str]]:
    """The configuration, and lines that say what was inferred and what taken for granted.

    Raises ConfigError where the variables do not say enough.
    """
    normalization = known.normalization or _PUBLISHED_NORMALIZATION
    fields = _fields(known) | {"normalization_type": normalization}
    activation = "relu6" if known.quantized else _PUBLISHED_ACTIVATIONS[normalization]
    if known.heads is None:
        raise ConfigError(_heads_missing(fields))
    config = MobileBertConfig(**fields, num_attention_heads=known.heads, hidden_act=activation)  # type: ignore[arg-type]
    lines = [f"no configuration beside the weights; their variables say: {config.num_hidden_layers} blocks of "
             f"{config.hidden_size} (inside {config.block_size}), {config.num_feedforward_networks} feed-forward "
             f"networks of {config.intermediate_size}, {config.num_attention_heads} heads, "
             f"{config.vocab_size} words of {config.embedding_size}, {normalization}"]
    granted = [] if known.quantized else [f"hidden_act {activation}"]
    granted += [] if known.normalization else [f"normalization_type {normalization}"]
    if granted:
        lines.append(f"taken for granted, as published models have it: {', '.join(granted)}; give another "
                     "configuration with --config")
    return config, lines


def _fields(known: KnownSizes) -> dict[str, int | str | bool]:
    """All that shapes say, as fields of a configuration."""
    hidden, embedding = known.size("embeddings.position", 1), known.size("embeddings.word", 1)
    block = known.size("layers.0.attention.output.bias", 0)
    use_bottleneck = "layers.0.bottleneck.input.kernel" in known.shapes
    narrow = known.size("layers.0.attention.value.kernel", 0) == block
    if use_bottleneck and block == hidden:
        raise ConfigError(f"no configuration beside the weights, and their variables do not say what attention reads, "
                          f"for blocks are as wide as the stream between them, {hidden}; give the configuration with "
                          "--config")
    projected = "embeddings.projection.kernel" in known.shapes
    return {
        "vocab_size": known.size("embeddings.word", 0), "hidden_size": hidden, "embedding_size": embedding,
        "max_position_embeddings": known.size("embeddings.position", 0),
        "type_vocab_size": known.size("embeddings.token_type", 0),
        "num_hidden_layers": _count(known, "layers.{}.attention.output.bias"),
        "num_feedforward_networks": _count(known, "layers.0.ffn.{}.intermediate.bias"),
        "intermediate_size": known.size("layers.0.ffn.0.intermediate.bias", 0),
        "use_bottleneck": use_bottleneck, "intra_bottleneck_size": block if use_bottleneck else hidden,
        "use_bottleneck_attention": use_bottleneck and narrow,
        "key_query_shared_bottleneck": "layers.0.bottleneck.attention.kernel" in known.shapes,
        "trigram_input": projected and known.size("embeddings.projection.kernel", 0) == 3 * embedding,
        "classifier_activation": "pooler.kernel" in known.shapes}


def _count(known: KnownSizes, pattern: str) -> int:
    """How many of a numbered tensor there are, from 0 on; a gap is left to the check of all tensors."""
    count = 0
    while pattern.format(count) in known.shapes:
        count += 1
    return max(count, 1)


def _heads_missing(fields: Mapping[str, int | str | bool]) -> str:
    widths = ", ".join(f"{name} {fields[name]}" for name in (
        "num_hidden_layers", "hidden_size", "intra_bottleneck_size", "intermediate_size"))
    alike = [name for name, preset in PRESETS.items() if _same(preset, fields)]
    hint = f", and all that they say is that of --config {alike[0]}" if alike else ""
    return (f"no configuration beside the weights (bert_config.json or config.json), and their variables do not say "
            f"num_attention_heads and hidden_act; give a file or a preset ({', '.join(PRESETS)}) with --config. They "
            f"say {widths}{hint}")


def _same(preset: MobileBertConfig, fields: Mapping[str, int | str | bool]) -> bool:
    block = fields["intra_bottleneck_size"]
    return all(getattr(preset, name) == (block if name == "block_size" else fields[name]) for name in _SIZES)
