"""Dense layers of a drawn file, told apart by their place in the network and named after it.

TensorFlow stores constants of equal content once, and merges operators that then read the same. So two layers with
equal kernels (zeros, copies of another block) would become one weight, or one operator. While TensorFlow converts,
such kernels hold numbers of their own (``told_apart``); afterwards each weight gets its own numbers back, in a buffer
of its own, and the name of its kernel (``name_kernels``): a file's operators never depend on the values of kernels.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilebert_lite.tflite.edits import add_buffer
from mobilebert_lite.tflite.graph import Graphs, Subgraph, Tensor

_END = ".kernel"
# Drawn as one dense layer for each column (graph.heads.question_answering).
_BY_COLUMN = ("qa.kernel",)
_NAME = re.compile(r"(?P<layer>[a-z][\w.-]*)\.kernel(?:\[(?P<column>\d+)\])?(?:_\d+)?")
_SEED = 5


@dataclass(frozen=True)
class KernelPlace:
    """The kernel that a weight is: of which dense layer, all of it or one column."""

    layer: str
    column: int | None = None

    @property
    def name(self) -> str:
        """``layers.3.output.kernel``, ``qa.kernel[1]``"""
        return f"{self.layer}{_END}" + ("" if self.column is None else f"[{self.column}]")

    def of(self, tensors: Mapping[str, Any], kind: str) -> Any:
        """What ``tensors`` hold for it; ``kind`` is kernel or bias. *Shape:* [in, out], [out]"""
        value = tensors[f"{self.layer}.{kind}"]
        return value if self.column is None else value[..., self.column:self.column + 1]


def place_of_weight(name: str) -> KernelPlace | None:
    """What ``name_kernels`` called a weight, in any signature; None for another name."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return KernelPlace(match["layer"], None if match["column"] is None else int(match["column"]))


def told_apart(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Random values for kernels that TensorFlow would take for another constant, by name. *Shape:* as in ``tensors``"""
    random = np.random.default_rng(_SEED)
    seen = {_digest(value) for name, value in tensors.items() if not name.endswith(_END)}
    marks = {}
    for name, value in tensors.items():
        if name.endswith(_END):
            digests = [_digest(part) for part in _stored(name, value).values()]
            if not value.any() or len(set(digests)) < len(digests) or seen & set(digests):
                marks[name] = random.standard_normal(value.shape).astype(value.dtype)
            seen |= set(digests)
    return marks


def name_kernels(model: Any, tensors: Mapping[str, np.ndarray], marks: Mapping[str, np.ndarray]) -> set[str]:
    """Give the weights of dense layers in ``model`` the values and names of the kernels in ``tensors``, in place.

    ``marks`` are what some of them held while TensorFlow converted. Weights that are no kernel of the network, or its
    product with something, stay as they are. Returns the names of the kernels that were found.
    """
    known: dict[bytes, tuple[KernelPlace, np.ndarray | None]] = {}
    for name, value in tensors.items():
        if name.endswith(_END):
            true = _stored(name, value)
            held = _stored(name, marks[name]) if name in marks else true
            known |= {_digest(held[place]): (place, true[place] if name in marks else None) for place in true}
    buffers: dict[KernelPlace, int] = {}
    found = set()
    for subgraph, weight in dense_weights(Graphs(model)):
        if weight.data is None or (digest := _digest(weight.data)) not in known:
            continue
        place, numbers = known[digest]
        raw = subgraph.raw.tensors[weight.index]
        if numbers is not None:
            if place not in buffers:
                buffers[place] = add_buffer(model, numbers)
            raw.buffer = buffers[place]
        # Names stay unique over the file: the quantizer keys its ranges by them.
        length = f"_{subgraph.name.rsplit('_', 1)[-1]}" if subgraph.index else ""
        raw.name = f"{place.name}{length}".encode()
        found.add(f"{place.layer}{_END}")
    return found


def dense_weights(graphs: Graphs) -> Iterator[tuple[Subgraph, Tensor]]:
    """The weights of dense layers, with their subgraphs."""
    for subgraph in graphs.subgraphs:
        for operator in subgraph.operators:
            if operator.name == "FULLY_CONNECTED":
                yield subgraph, operator.operand(1)


def _stored(name: str, kernel: np.ndarray) -> dict[KernelPlace, np.ndarray]:
    """How a file holds ``kernel``. *Shape:* [in, out] → [out, in], or a [1, in] for each column"""
    layer = name.removesuffix(_END)
    if name in _BY_COLUMN:
        return {KernelPlace(layer, i): np.ascontiguousarray(kernel[:, i:i + 1].T) for i in range(kernel.shape[1])}
    return {KernelPlace(layer): np.ascontiguousarray(kernel.T)}


def _digest(value: np.ndarray) -> bytes:
    return hashlib.blake2b(value.tobytes(), digest_size=16).digest()
