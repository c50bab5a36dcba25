"""Ranges of activations, measured by running the float file on texts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from mobilebert_lite.converters.flatbuffer import read_model, schema
from mobilebert_lite.converters.op_versions import operator_name
from mobilebert_lite.errors import ConversionError

Ranges = dict[str, tuple[float, float]]
Samples = Mapping[str, Sequence[Mapping[str, np.ndarray]]]
# Index of a tensor -> whether its third axis are the tokens, as in [1, A, S, …].
Watched = Mapping[int, bool]
Values = Callable[[Watched], Iterable[tuple[int, np.ndarray]]]

# What computes with heads apart from each other; a TRANSPOSE may bring [1, S, A, d].
_BY_HEAD = ("BATCH_MATMUL", "ADD", "SOFTMAX")


def measure_ranges(content: bytes, samples: Samples, threads: int = 2) -> Ranges:
    """Least and greatest value of every float activation, by tensor name, over ``samples`` (signature -> inputs).

    True extremes: a moving average would clip what rare texts reach, and costs accuracy. Raises ConversionError
    naming the tensor when an activation is not finite.
    """
    model = read_model(content)
    ranges: Ranges = {}
    for subgraph, values in observe(content, model, samples, threads):
        for index, value in values(_activations(model, subgraph)):
            _widen(ranges, subgraph.tensors[index].name.decode(), value)
    tie(model, ranges)
    return ranges


def observe(content: bytes, model: Any, samples: Samples, threads: int) -> Iterator[tuple[Any, Values]]:
    """Run every text; yields the subgraph it ran in and a function that reads tensors: indices → (index, value).

    Values are without padding. ``model`` is the object form of ``content``, a float file.
    """
    from ai_edge_litert.interpreter import Interpreter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that preserving all tensors is for debugging
        interpreter = Interpreter(model_content=content, experimental_preserve_all_tensors=True, num_threads=threads)
    for definition in model.signatureDefs:
        name, number = definition.signatureKey.decode(), definition.subgraphIndex
        runner = interpreter.get_signature_runner(name)
        for inputs in samples.get(name, ()):
            runner(**inputs)
            yield model.subgraphs[number], partial(_read, interpreter, number, inputs["mask"].astype(bool))


def _read(interpreter: Any, subgraph: int, mask: np.ndarray, wanted: Watched) -> Iterator[tuple[int, np.ndarray]]:
    for index, by_head in wanted.items():
        yield index, _read_part(interpreter.get_tensor(index, subgraph), mask, by_head)


def tie(model: Any, ranges: Ranges) -> None:
    """One range for the same activation at every length, so that scales and biases are equal and stored once."""
    shapes = [[operator.opcodeIndex for operator in subgraph.operators] for subgraph in model.subgraphs]
    # A length that TensorFlow drew otherwise keeps ranges of its own.
    alike = [subgraph for subgraph, shape in zip(model.subgraphs, shapes, strict=True) if shape == shapes[0]]
    for operators in zip(*(subgraph.operators for subgraph in alike), strict=True):
        names = [subgraph.tensors[operator.outputs[0]].name.decode()
                 for subgraph, operator in zip(alike, operators, strict=True)]
        known = [ranges[name] for name in names if name in ranges]
        if known:
            ranges.update(dict.fromkeys(names, (min(low for low, _ in known), max(high for _, high in known))))


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
    if by_head and value.ndim == 4 and value.shape[2] == mask.shape[1]:
        return value[:, :, mask[0]]
    return value


def _widen(ranges: Ranges, name: str, value: np.ndarray) -> None:
    low, high = float(value.min()), float(value.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ConversionError(f"calibration: activation {name.split(';')[-1]} is not finite ({low}, {high}); "
                              "the checkpoint overflows float32 on these texts")
    # Zero must be representable: padding and ReLU put it in every tensor.
    known = ranges.get(name, (0.0, 0.0))
    ranges[name] = (min(known[0], low), max(known[1], high))
