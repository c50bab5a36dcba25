"""Tensors by canonical name as one flat vector, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mobilebert_lite.common.tf import tf


@dataclass(frozen=True)
class Layout:
    """Where each tensor stands in the vector.

    An optimizer over one vector is a few large operations in place of a few for every tensor, and a gradient travels
    between devices in one piece.
    """

    # Canonical name -> shape, in the order of the vector.
    shapes: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, tensors: Mapping[str, np.ndarray]) -> Layout:
        """The layout of ``tensors``, in their order."""
        return cls({name: tensor.shape for name, tensor in tensors.items()})

    @property
    def sizes(self) -> list[int]:
        """Elements of each tensor."""
        return [int(np.prod(shape)) for shape in self.shapes.values()]

    @property
    def size(self) -> int:
        """Elements of the vector."""
        return sum(self.sizes)

    def join(self, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
        """The vector, float32 [size]."""
        return np.concatenate([np.asarray(tensors[name], np.float32).ravel() for name in self.shapes])

    def cut(self, vector: tf.Tensor) -> dict[str, tf.Tensor]:
        """The tensors in ``vector``, float [size]."""
        return {name: tf.reshape(part, shape) for (name, shape), part in
                zip(self.shapes.items(), tf.split(vector, self.sizes), strict=True)}

    def arrays(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """``cut`` for NumPy."""
        parts = np.split(vector, np.cumsum(self.sizes)[:-1])
        return {name: part.reshape(shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}

    def fill(self, value: Callable[[str], float | np.ndarray]) -> np.ndarray:
        """A vector with ``value`` of a tensor's name, a number or an array that broadcasts, in its place."""
        return self.join({name: np.broadcast_to(value(name), shape) for name, shape in self.shapes.items()})
