"""Control flow: which subgraphs an operator calls (WHILE, IF, CALL, CALL_ONCE and StableHLO's), and a subgraph with all
that it calls as a model of its own."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mobilebert_lite.tflite.graph import Graphs, Operator, Subgraph
from mobilebert_lite.tflite.soundness import CALLS

# In the schema, but in no runtime (tensorflow/lite/core/kernels/register.cc).
WITHOUT_KERNEL = ("CALL",)


def calls(subgraph: Subgraph) -> Iterator[tuple[Operator, str, int]]:
    """(operator, field of its options, subgraph that the field names) for control flow."""
    for operator in subgraph.operators:
        for name in CALLS.get(operator.builtin, ()):
            first, *rest = name.split("_")
            field = first + "".join(map(str.capitalize, rest))
            for called in np.atleast_1d(getattr(operator.options, field, 0)):
                yield operator, field, int(called)


def reached(graphs: Graphs, subgraph: int) -> list[int]:
    """That subgraph, and after it all that it calls, directly or through others, each once."""
    order = {subgraph: None}
    for caller in (found := [subgraph]):
        for _, _, called in calls(graphs.subgraphs[caller]):
            if called not in order:
                order[called] = None
                found.append(called)
    return found


def alone(graphs: Graphs, subgraph: int) -> Any:
    """A raw model that begins with that subgraph and goes on with those that it calls; shares the rest."""
    order = reached(graphs, subgraph)
    numbers = {index: number for number, index in enumerate(order)}
    model = copy.copy(graphs.raw)
    model.subgraphs = [_renumbered(graphs.subgraphs[index], numbers) for index in order]
    model.signatureDefs = []
    return model


def _renumbered(subgraph: Subgraph, numbers: Mapping[int, int]) -> Any:
    """The raw ``subgraph`` with the new numbers of the subgraphs that it calls."""
    named_in = {(operator.index, field) for operator, field, _ in calls(subgraph)}
    if not named_in:
        return subgraph.raw
    renumbered = copy.copy(subgraph.raw)
    renumbered.operators = list(subgraph.raw.operators)
    for number in {number for number, _ in named_in}:
        renumbered.operators[number] = copy.deepcopy(subgraph.raw.operators[number])
    for number, field in named_in:
        operator = renumbered.operators[number]
        options = operator.builtinOptions or operator.builtinOptions2
        named = getattr(options, field)
        setattr(options, field, numbers[int(named)] if np.ndim(named) == 0 else [numbers[int(one)] for one in named])
    return renumbered
