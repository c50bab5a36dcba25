"""Ranges of activations, measured by running the float file on texts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobilebert_lite.converters.flatbuffer import read_model, schema
from mobilebert_lite.errors import ConversionError

Ranges = dict[str, tuple[float, float]]


def measure_ranges(content: bytes, samples: Mapping[str, Sequence[Mapping[str, np.ndarray]]],
                   threads: int = 2) -> Ranges:
    """Least and greatest value of every float activation, by tensor name, over ``samples`` (signature -> inputs).

    True extremes: a moving average would clip what rare texts reach, and costs accuracy. Raises ConversionError
    naming the tensor when an activation is not finite.
    """
    from ai_edge_litert.interpreter import Interpreter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that preserving all tensors is for debugging
        interpreter = Interpreter(model_content=content, experimental_preserve_all_tensors=True, num_threads=threads)
    model = read_model(content)
    ranges: Ranges = {}
    for definition in model.signatureDefs:
        name = definition.signatureKey.decode()
        watched = _activations(model.subgraphs[definition.subgraphIndex])
        runner = interpreter.get_signature_runner(name)
        for inputs in samples.get(name, ()):
            runner(**inputs)
            for index, tensor in watched:
                _widen(ranges, tensor, _read_part(interpreter.get_tensor(index, definition.subgraphIndex), inputs))
    _tie(model, ranges)
    return ranges


def _tie(model: Any, ranges: Ranges) -> None:
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


def _activations(subgraph: Any) -> list[tuple[int, str]]:
    """Index and name of every float tensor that some operator computes."""
    computed = sorted({int(index) for operator in subgraph.operators for index in operator.outputs})
    return [(index, subgraph.tensors[index].name.decode()) for index in computed
            if subgraph.tensors[index].type == schema().TensorType.FLOAT32]


def _read_part(value: np.ndarray, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """The rows of tokens in an activation [1, S, C]: what stands at padding reaches no answer, and may be extreme.

    The alternatives of a multiple-choice question are rows of the batch.
    """
    mask = inputs["mask"].reshape(-1, inputs["mask"].shape[-1])
    return value[mask.astype(bool)] if value.ndim == 3 and value.shape[:2] == mask.shape else value


def _widen(ranges: Ranges, name: str, value: np.ndarray) -> None:
    low, high = float(value.min()), float(value.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ConversionError(f"calibration: activation {name.split(';')[-1]} is not finite ({low}, {high}); "
                              "the checkpoint overflows float32 on these texts")
    # Zero must be representable: padding and ReLU put it in every tensor.
    known = ranges.get(name, (0.0, 0.0))
    ranges[name] = (min(known[0], low), max(known[1], high))
