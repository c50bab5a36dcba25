"""Ranges of activations, measured by running the float file on texts."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mobilebert_lite.converters.flatbuffer import read_model, schema
from mobilebert_lite.errors import ConversionError

Ranges = dict[str, tuple[float, float]]
# Signature -> its inputs, text by text.
Samples = Mapping[str, Sequence[Mapping[str, np.ndarray]]]


def measure_ranges(content: bytes, samples: Samples, threads: int = 2) -> Ranges:
    """Least and greatest value of every float activation, by tensor name.

    True extremes: a moving average would clip what rare texts reach, and costs accuracy. The first signature is run;
    the others compute the same activations and get its ranges, so that scales and biases are equal and stored once,
    and the longest length answers exactly as in a file of its own. One that TensorFlow drew with other operators is
    run for itself. Raises ConversionError naming the tensor when an activation is not finite.
    """
    model = read_model(content)
    subgraphs = {definition.signatureKey.decode(): model.subgraphs[definition.subgraphIndex]
                 for definition in model.signatureDefs}
    first, *others = subgraphs.values()
    alike = [subgraph for subgraph in others if _codes(subgraph) == _codes(first)]
    ranges: Ranges = {}
    run = {name: samples.get(name, ()) for name, subgraph in subgraphs.items()
           if not any(subgraph is other for other in alike)}
    for tensor, value in activations(content, run, threads):
        _widen(ranges, tensor, value)
    for subgraph in alike:
        _copy(ranges, first, subgraph)
    return ranges


def activations(content: bytes, samples: Samples, threads: int = 2, padding: bool = False,
                names: Collection[str] | None = None) -> Iterator[tuple[str, np.ndarray]]:
    """Name and value of every float activation (or those of ``names``) for each input of ``samples``, with or without
    ``padding``."""
    from ai_edge_litert.interpreter import Interpreter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that preserving all tensors is for debugging
        interpreter = Interpreter(model_content=content, experimental_preserve_all_tensors=True, num_threads=threads)
    model = read_model(content)
    places = {definition.signatureKey.decode(): int(definition.subgraphIndex) for definition in model.signatureDefs}
    for name, given in samples.items():
        watched = [one for one in _activations(model.subgraphs[places[name]]) if names is None or one[1] in names]
        runner = interpreter.get_signature_runner(name)
        for inputs in given:
            runner(**inputs)
            for index, tensor in watched:
                value = interpreter.get_tensor(index, places[name])
                yield tensor, value if padding else _read_part(value, inputs)


def _codes(subgraph: Any) -> list[int]:
    return [operator.opcodeIndex for operator in subgraph.operators]


def _copy(ranges: Ranges, measured: Any, subgraph: Any) -> None:
    """The ranges of ``measured`` also under the names that ``subgraph`` has for the same activations."""
    for theirs, ours in zip(measured.operators, subgraph.operators, strict=True):
        for source, target in zip(theirs.outputs, ours.outputs, strict=True):
            name = measured.tensors[source].name.decode()
            if name in ranges:
                ranges[subgraph.tensors[target].name.decode()] = ranges[name]


def _activations(subgraph: Any) -> list[tuple[int, str]]:
    """Index and name of every float tensor that some operator computes."""
    computed = sorted({int(index) for operator in subgraph.operators for index in operator.outputs})
    return [(index, subgraph.tensors[index].name.decode()) for index in computed
            if subgraph.tensors[index].type == schema().TensorType.FLOAT32]


def _read_part(value: np.ndarray, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """The rows of tokens in an activation [1, S, C], or [1, A, S, …] of the attention: what stands at padding reaches
    no answer, and may be extreme."""
    mask = inputs["mask"].astype(bool)
    if value.ndim == 3 and value.shape[:2] == mask.shape:
        return value[mask]
    if value.ndim == 4 and value.shape[2] == mask.shape[1] != value.shape[1]:
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
