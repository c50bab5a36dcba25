"""Ranges of activations, measured by running the float file on texts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from mobilebert_lite.errors import ConversionError
from mobilebert_lite.tflite.graph import Graphs, Operator, Subgraph

TensorRanges = dict[str, tuple[float, float]]
# Signature -> its inputs, text by text.
CalibrationSamples = Mapping[str, Sequence[Mapping[str, np.ndarray]]]
# Index of a tensor -> which of its axes are the tokens, where it has them: the second of [1, S, …], the third of
# [1, A, S, …], or the first of [S · n, …], with or without a 1 before it.
Watched = Mapping[int, int]
Values = Callable[[Watched], Iterable[tuple[int, np.ndarray]]]

# What computes with heads apart from each other; a TRANSPOSE may bring [1, S, A, d].
_BY_HEAD = ("BATCH_MATMUL", "ADD", "SOFTMAX")


def measure_ranges(content: bytes, samples: CalibrationSamples, threads: int = 2) -> TensorRanges:
    """Least and greatest value of every float activation, by tensor name.

    True extremes: a moving average would clip what rare texts reach, and costs accuracy. Raises ConversionError
    naming the tensor when an activation is not finite.
    """
    ranges: TensorRanges = {}
    for tensor, value in activations(content, samples, threads):
        _widen(ranges, tensor, value)
    tie(Graphs.read(content), ranges)
    return ranges


def activations(content: bytes, samples: CalibrationSamples, threads: int = 2,
                padding: bool = False) -> Iterator[tuple[str, np.ndarray]]:
    """Name and value of every float activation for each text that ``observe`` runs, with or without ``padding``."""
    for subgraph, values in observe(content, Graphs.read(content), samples, threads, padding):
        for index, value in values(_activations(subgraph)):
            yield subgraph.tensors[index].name, value


def observe(content: bytes, graphs: Graphs, samples: CalibrationSamples, threads: int,
            padding: bool = False) -> Iterator[tuple[Subgraph, Values]]:
    """Run texts; yields the subgraph that each ran in and a function that reads tensors: indices → (index, value).

    The texts are those of the first signature: the others compute the same activations, and ``tie`` gives them its
    ranges. One that TensorFlow drew with other operators is run for itself. ``graphs`` are those of
    ``content``, a float file.
    """
    from ai_edge_litert.interpreter import Interpreter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that preserving all tensors is for debugging
        interpreter = Interpreter(model_content=content, experimental_preserve_all_tensors=True, num_threads=threads)
    alike = _alike(graphs)
    for entry in graphs.entries:
        if entry.subgraph in alike[1:]:
            continue
        runner = interpreter.get_signature_runner(entry.name)
        for inputs in samples.get(entry.name, ()):
            runner(**inputs)
            # The alternatives of a multiple-choice question are rows of the batch.
            mask = None if padding else inputs["mask"].reshape(-1, inputs["mask"].shape[-1]).astype(bool)
            yield entry.subgraph, partial(_read, interpreter, entry.subgraph.index, mask)


def _read(interpreter: Any, subgraph: int, mask: np.ndarray | None,
          wanted: Watched) -> Iterator[tuple[int, np.ndarray]]:
    for index, axis in wanted.items():
        value = interpreter.get_tensor(index, subgraph)
        yield index, value if mask is None else _read_part(value, mask, axis)


def tie(graphs: Graphs, ranges: TensorRanges) -> None:
    """The ranges of the first signature for the same activations at every length, in place.

    Scales and biases are then equal and stored once, and the longest length answers as in a file of its own.
    """
    first, *others = _alike(graphs)
    for subgraph in others:
        for theirs, ours in zip(first.operators, subgraph.operators, strict=True):
            for source, target in zip(theirs.outputs, ours.outputs, strict=True):
                if source.name in ranges:
                    ranges[target.name] = ranges[source.name]


def _alike(graphs: Graphs) -> list[Subgraph]:
    """The subgraph of the first signature, and those of the others that have the same operators."""
    first, *others = [entry.subgraph for entry in graphs.entries]
    return [first, *(other for other in others if _codes(other) == _codes(first))]


def _codes(subgraph: Subgraph) -> list[tuple[str, int]]:
    return [(operator.name, operator.version) for operator in subgraph.operators]


def _activations(subgraph: Subgraph) -> Watched:
    """Every float tensor that some operator computes."""
    # fusion.wide_heads draws a network without a batch.
    rows = any(reads_scores(operator) and len(operator.operand(0).shape) == 3 for operator in subgraph.operators)
    return {tensor.index: 0 if rows else 2 if operator.name in _BY_HEAD else 1
            for operator in subgraph.operators for tensor in operator.outputs if tensor.kind == "FLOAT32"}


def reads_scores(operator: Operator) -> bool:
    """Whether it is the softmax of an attention: over [1, A, R, S], or [1, R · A, S]."""
    return operator.name == "SOFTMAX" and len(operator.operand(0).shape) > 2


def _read_part(value: np.ndarray, mask: np.ndarray, axis: int) -> np.ndarray:
    """The rows of tokens in an activation whose tokens are on ``axis`` (``Watched``): what stands at padding reaches
    no answer, and may be extreme."""
    width, length = value.shape[-1], mask.shape[1]
    if value.ndim == 3 and value.shape[:2] == mask.shape:
        value = value[mask]
    elif axis == 2 and len(mask) == 1 and value.ndim == 4 and value.shape[2] == length:
        value = value[:, :, mask[0]]
    elif axis == 0 and value.ndim in (2, 3) and value.shape[-2] % length == 0:
        value = value.reshape(length, -1, width)[mask[0]].reshape(-1, width)
    return value


def _widen(ranges: TensorRanges, name: str, value: np.ndarray) -> None:
    low, high = float(value.min()), float(value.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ConversionError(f"calibration: activation {name.split(';')[-1]} is not finite ({low}, {high}); "
                              "the checkpoint overflows float32 on these texts")
    # Zero must be representable: padding and ReLU put it in every tensor.
    known = ranges.get(name, (0.0, 0.0))
    ranges[name] = (min(known[0], low), max(known[1], high))
