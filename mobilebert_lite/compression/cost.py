"""What the parts of a network cost: multiplications for one sequence."""

from __future__ import annotations

from dataclasses import dataclass

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.shape import Block
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.tasks import Task


@dataclass(frozen=True)
class Prices:
    """Multiplications of one block's parts.

    block: of a block with neither attention nor feed-forward networks: its way in and out.
    attention: of what all heads share, once there is one.
    head: of one head.
    unit: of one hidden unit of a feed-forward network.
    """

    block: int
    attention: int
    head: int
    unit: int

    def of(self, block: Block) -> int:
        """All of ``block``."""
        attention = self.attention * (block.heads > 0) + self.head * block.heads
        return self.block + attention + self.unit * sum(block.feed_forward)


def prices(config: MobileBertConfig, length: int, rows: int | None = None) -> Prices:
    """For sequences of ``length`` tokens; ``rows`` of them are computed after keys and values (all)."""
    rows = length if rows is None else rows
    width, hidden = config.block_size, config.hidden_size
    shared = config.use_bottleneck and config.key_query_shared_bottleneck and not config.use_bottleneck_attention
    head = config.head_size * (config.query_input_size * (length + rows) + config.value_input_size * length
                               + width * rows + 2 * length * rows)
    way = (hidden * width * (length + rows)) if config.use_bottleneck else 0
    return Prices(way, hidden * width * length if shared else 0, head, 2 * width * rows)


def block_prices(config: MobileBertConfig, task: Task, length: int) -> list[Prices]:
    """Of each block; where the head reads [CLS] alone, the last block computes little but keys and values."""
    blocks = config.num_hidden_layers
    last = prices(config, length, 1 if task.cls_only else None)
    return [prices(config, length)] * (blocks - 1) + [last]


def outside(weights: Weights, task: Task, length: int) -> int:
    """Multiplications outside of the blocks: the embedding's projection and the task's head."""
    tensors, hidden = weights.tensors, weights.config.hidden_size
    rows = 1 if task.cls_only else length
    found = tensors["embeddings.projection.kernel"].size * length if "embeddings.projection.kernel" in tensors else 0
    for head in task.heads:
        found += rows * sum(tensor.size for name, tensor in tensors.items()
                            if name.startswith(f"{head}.") and name.endswith("kernel"))
        if head == "mlm":
            found += (task.form.positions or length) * hidden * weights.config.vocab_size
    return found


def multiplications(weights: Weights, task: Task, length: int) -> int:
    """Of the whole network, for one sequence of ``length`` tokens."""
    config = weights.config
    return outside(weights, task, length) + sum(
        price.of(block) for price, block in zip(block_prices(config, task, length), config.blocks, strict=True))
