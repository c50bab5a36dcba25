"""Ranges of activations, measured by running the float file on texts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from mobilebert_lite.errors import ConversionError
from mobilebert_lite.tflite.flatbuffer import read_model, schema
from mobilebert_lite.tflite.op_versions import operator_name

TensorRanges = dict[str, tuple[float, float]]
# Signature -> its inputs, text by text.
CalibrationSamples = Mapping[str, Sequence[Mapping[str, np.ndarray]]]
# Index of a tensor -> whether its third axis are the tokens, as in [1, A, S, …].
Watched = Mapping[int, bool]
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
    tie(read_model(content), ranges)
    return ranges


def activations(content: bytes, samples: CalibrationSamples, threads: int = 2,
                padding: bool = False) -> Iterator[tuple[str, np.ndarray]]:
    """Name and value of every float activation for each text that ``observe`` runs, with or without ``padding``."""
    model = read_model(content)
    for subgraph, values in observe(content, model, samples, threads, padding):
        for index, value in values(_activations(model, subgraph)):
            yield subgraph.tensors[index].name.decode(), value


def observe(content: bytes, model: Any, samples: CalibrationSamples, threads: int,
            padding: bool = False) -> Iterator[tuple[Any, Values]]:
    """Run texts; yields the subgraph that each ran in and a function that reads tensors: indices → (index, value).

    The texts are those of the first signature: the others compute the same activations, and ``tie`` gives them its
    ranges. One that TensorFlow drew with other operators is run for itself. ``model`` is the object form of
    ``content``, a float file.
    """
    from ai_edge_litert.interpreter import Interpreter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that preserving all tensors is for debugging
        interpreter = Interpreter(model_content=content, experimental_preserve_all_tensors=True, num_threads=threads)
    alike = _alike(model)
    for definition in model.signatureDefs:
        name, number = definition.signatureKey.decode(), int(definition.subgraphIndex)
        if any(model.subgraphs[number] is other for other in alike[1:]):
            continue
        runner = interpreter.get_signature_runner(name)
        for inputs in samples.get(name, ()):
            runner(**inputs)
            # The alternatives of a multiple-choice question are rows of the batch.
            mask = None if padding else inputs["mask"].reshape(-1, inputs["mask"].shape[-1]).astype(bool)
            yield model.subgraphs[number], partial(_read, interpreter, number, mask)


def _read(interpreter: Any, subgraph: int, mask: np.ndarray | None,
          wanted: Watched) -> Iterator[tuple[int, np.ndarray]]:
    for index, by_head in wanted.items():
        value = interpreter.get_tensor(index, subgraph)
        yield index, value if mask is None else _read_part(value, mask, by_head)


def tie(model: Any, ranges: TensorRanges) -> None:
    """The ranges of the first signature for the same activations at every length, in place.

    Scales and biases are then equal and stored once, and the longest length answers as in a file of its own.
    """
    first, *others = _alike(model)
    for subgraph in others:
        for theirs, ours in zip(first.operators, subgraph.operators, strict=True):
            for source, target in zip(theirs.outputs, ours.outputs, strict=True):
                name = first.tensors[source].name.decode()
                if name in ranges:
                    ranges[subgraph.tensors[target].name.decode()] = ranges[name]


def _alike(model: Any) -> list[Any]:
    """The subgraph of the first signature, and those of the others that have the same operators."""
    first, *others = [model.subgraphs[definition.subgraphIndex] for definition in model.signatureDefs]
    return [first, *(other for other in others if _codes(other) == _codes(first))]


def _codes(subgraph: Any) -> list[int]:
    return [operator.opcodeIndex for operator in subgraph.operators]


def _activations(model: Any, subgraph: Any) -> Watched:
    """Every float tensor that some operator computes."""
    return {int(index): operator_name(model.operatorCodes[operator.opcodeIndex]) in _BY_HEAD
            for operator in subgraph.operators for index in operator.outputs
            if subgraph.tensors[index].type == schema().TensorType.FLOAT32}


def _read_part(value: np.ndarray, mask: np.ndarray, by_head: bool) -> np.ndarray:
    """The rows of tokens in an activation [1, S, C] or, ``by_head``, [1, A, S, …]: what stands at padding reaches no
    answer, and may be extreme."""
    if value.ndim == 3 and value.shape[:2] == mask.shape:
        return value[mask]
    if by_head and value.ndim == 4 and len(mask) == 1 and value.shape[2] == mask.shape[1]:
        return value[:, :, mask[0]]
    return value


def _widen(ranges: TensorRanges, name: str, value: np.ndarray) -> None:
    low, high = float(value.min()), float(value.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ConversionError(f"calibration: activation {name.split(';')[-1]} is not finite ({low}, {high}); "
                              "the checkpoint overflows float32 on these texts")
    # Zero must be representable: padding and ReLU put it in every tensor.
    known = ranges.get(name, (0.0, 0.0))
    ranges[name] = (min(known[0], low), max(known[1], high))
