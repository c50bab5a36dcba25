"""What delegates take of a graph, from the list of nodes that a runtime has prepared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# What a runtime appends for each partition that a delegate takes.
_DELEGATE = "DELEGATE"


@dataclass(frozen=True)
class Delegation:
    """What a delegate, XNNPACK as a rule, takes of a signature."""

    partitions: int
    # Operators that stay with the built-in kernels, in the order of execution: (index, name).
    outside: tuple[tuple[int, str], ...]


def delegation_of(nodes: Sequence[Mapping[str, Any]], outputs: Iterable[int]) -> Delegation:
    """Partitions among ``nodes`` (as ``Session.nodes`` lists them), and what stays outside.

    A replaced node stays in the list, so what still runs is found backwards from what is read: by ``outputs`` and by
    the partitions.
    """
    partitions = [node for node in nodes if node["name"] == _DELEGATE]
    producer = {index: node for node in nodes if node["name"] != _DELEGATE for index in node["outputs"]}
    delegated = {index for node in partitions for index in node["outputs"]}
    outside: dict[int, str] = {}
    wanted = [*(index for node in partitions for index in node["inputs"]), *outputs]
    while wanted:
        node = producer.get(index := wanted.pop())
        if node is None or index in delegated or node["index"] in outside:
            continue
        outside[node["index"]] = node["name"]
        wanted += node["inputs"]
    return Delegation(len(partitions), tuple(sorted(outside.items())))


def nodes_of(interpreter: Any) -> dict[str, Any]:
    """What the first subgraph of a prepared interpreter executes, tensors by index.

    ``nodes`` (``index``, ``name``, ``inputs``, ``outputs``, in order) and ``outputs``.
    """
    nodes = [{"index": int(node["index"]), "name": str(node["op_name"]), "inputs": list(map(int, node["inputs"])),
              "outputs": list(map(int, node["outputs"]))} for node in interpreter._get_ops_details()]
    return {"nodes": nodes, "outputs": [int(one["index"]) for one in interpreter.get_output_details()]}
