"""Checkpoints as ``tf.train.Checkpoint`` writes them, from the paths of their variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from mobilebert_lite.architecture.config import MobileBertConfig

# NoNorm of the Model Garden keeps its variables under second names; LayerNormalization does not.
SECOND_NAMES = {"gamma": "scale", "beta": "bias"}


class Node(tf.Module):
    """An object whose parts are tracked by any names."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: dict[str, Node] = {}

    def part(self, name: str) -> Node:
        """The part of this name, made when it is asked for first."""
        if name not in self.parts:
            node = Node()
            self.parts[name] = node
            self._track_trackable(node, name)
        return self.parts[name]


def write(prefix: Path, tensors: Mapping[str, np.ndarray], config: MobileBertConfig,
          names: Mapping[str, str] | None = None) -> None:
    """Write ``tensors`` by their paths at ``prefix``; ``names``: path → name in the program."""
    root = Node()
    for path, tensor in tensors.items():
        *scopes, last = path.split("/")
        node = root
        for scope in scopes:
            node = node.part(_unescaped(scope))
        variable = tf.Variable(tensor, name=(names or {}).get(path))
        node._track_trackable(variable, _unescaped(last))
        if last in SECOND_NAMES and config.normalization_type == "no_norm":
            node._track_trackable(variable, SECOND_NAMES[last])
    prefix.parent.mkdir(parents=True, exist_ok=True)
    tf.train.Checkpoint(**root.parts).write(str(prefix))


def _unescaped(part: str) -> str:
    """As the program calls it: "/" is stored as ".S", "." as ".."."""
    return part.replace("..", "\0").replace(".S", "/").replace("\0", ".")
