"""Networks of uneven shape: how wide each block is, where blocks differ.

A block of a published MobileBERT has all attention heads and all feed-forward networks. A smaller network leaves some
of them out, or narrows them: each block then has a row of its own in ``config.json``::

    "model_type": "mobilebert-lite",
    "uneven": {"version": 1, "blocks": [{"attention_heads": 4, "feed_forward": [512, 384, 512, 96]}, …]}

The width of a head stays what it was. transformers knows no such network, so ``model_type`` says another name, and
transformers refuses the folder instead of making up what is not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mobilebert_lite.errors import ConfigError

MODEL_TYPE = "mobilebert-lite"
KEY = "uneven"
VERSION = 1
_ATTENTION = ("attention.query", "attention.key", "attention.value")


@dataclass(frozen=True)
class BlockShape:
    """How wide one block is.

    heads: attention heads; 0 is a block without attention.
    feed_forward: hidden units of each feed-forward network, in their order.
    """

    heads: int
    feed_forward: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Its row in ``config.json``."""
        return {"attention_heads": self.heads, "feed_forward": list(self.feed_forward)}


@dataclass(frozen=True)
class Block:
    """One block of a network: its shape, and what reads what in it.

    name: ``layers.3``, which the names of its tensors begin with.
    heads: attention heads; 0 where it has no attention.
    head_size: width of one of them.
    feed_forward: hidden units of each feed-forward network.
    width: of the residual stream inside the block.
    stream_readers: dense layers that read the stream between blocks, by their names inside a block.
    bottleneck_readers: dense layers of the attention that read a bottleneck instead.
    """

    name: str
    heads: int
    head_size: int
    feed_forward: tuple[int, ...]
    width: int
    stream_readers: tuple[str, ...]
    bottleneck_readers: tuple[str, ...]

    @property
    def attention_size(self) -> int:
        """Width of queries, keys and values: of all heads together."""
        return self.heads * self.head_size

    @property
    def networks(self) -> list[str]:
        """``layers.3.ffn.0``, …: its feed-forward networks."""
        return [f"{self.name}.ffn.{j}" for j in range(len(self.feed_forward))]

    @property
    def shape(self) -> BlockShape:
        """What a configuration says of it."""
        return BlockShape(self.heads, self.feed_forward)

    def size(self, part: str) -> int:
        """Width of what ``part``, a reader of the stream or of a bottleneck, puts out."""
        return self.attention_size if part in _ATTENTION else self.width


def readers(*, use_bottleneck: bool, narrow: bool, shared: bool, heads: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(stream_readers, bottleneck_readers) of a block.

    ``narrow``: query, key and value all read the block's own input; ``shared``: query and key share a projection.
    """
    attention = _ATTENTION if heads else ()
    if not use_bottleneck:
        return attention, ()
    if narrow:
        return ("bottleneck.input",), attention
    if shared and heads:
        return ("bottleneck.attention", "attention.value", "bottleneck.input"), _ATTENTION[:2]
    return (*attention, "bottleneck.input"), ()


def read(raw: Mapping[str, Any]) -> tuple[BlockShape, ...]:
    """The rows that ``config.json`` has for its blocks; none where all are alike.

    Raises ConfigError for rows that cannot be read, and for those of a later version.
    """
    if raw.get("model_type") != MODEL_TYPE and KEY not in raw:
        return ()
    found = raw.get(KEY)
    if not isinstance(found, Mapping):
        raise ConfigError(f"config: model_type is {MODEL_TYPE!r}, and {KEY}, which says how wide its blocks are, is "
                          "missing or no JSON object")
    if found.get("version") != VERSION or isinstance(found["version"], bool):
        raise ConfigError(f"config: {KEY}.version is {str(found.get('version'))[:40]}; this release reads {VERSION}")
    if unknown := sorted(str(name)[:40] for name in set(found) - {"version", "blocks"}):
        raise ConfigError(f"config: {KEY} has unknown keys {', '.join(unknown[:5])}")
    blocks = found.get("blocks")
    if not isinstance(blocks, Sequence) or isinstance(blocks, str) or not blocks:
        raise ConfigError(f"config: {KEY}.blocks must be a list with one row for each block")
    return tuple(_row(i, block) for i, block in enumerate(blocks))


def _row(i: int, block: Any) -> BlockShape:
    if not isinstance(block, Mapping) or set(block) != {"attention_heads", "feed_forward"} or not isinstance(
            block["feed_forward"], list):
        raise ConfigError(f"config: {KEY}.blocks[{i}] must have attention_heads, a number, and feed_forward, a list of "
                          "numbers, and nothing else")
    return BlockShape(block["attention_heads"], tuple(block["feed_forward"]))


def check(shapes: Sequence[BlockShape], *, blocks: int, heads: int, networks: int, width: int) -> None:
    """Raise ConfigError unless ``shapes`` has ``blocks`` rows, and none exceeds what the configuration says of all."""
    if len(shapes) != blocks:
        raise ConfigError(f"config: {KEY}.blocks has {len(shapes)} rows, but num_hidden_layers is {blocks}")
    for i, shape in enumerate(shapes):
        where = f"config: {KEY}.blocks[{i}]"
        if not _within(shape.heads, 0, heads):
            raise ConfigError(f"{where} has attention_heads {str(shape.heads)[:40]}; it must be a whole number from 0 "
                              f"to num_attention_heads, {heads}")
        if len(shape.feed_forward) > networks:
            raise ConfigError(f"{where} has {len(shape.feed_forward)} feed-forward networks; the most is "
                              f"num_feedforward_networks, {networks}")
        for units in shape.feed_forward:
            if not _within(units, 1, width):
                raise ConfigError(f"{where} has a feed-forward network of {str(units)[:40]} hidden units; it must be a "
                                  f"whole number from 1 to intermediate_size, {width}")


def _within(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
