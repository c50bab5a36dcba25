"""From the graph to a float ``.tflite``: TensorFlow's converter, then the order and names that clients expect."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mobilebert_lite.common.temporary import scratch_folder
from mobilebert_lite.common.tf import tf
from mobilebert_lite.conversion.kernels import name_kernels, told_apart
from mobilebert_lite.errors import ConversionError
from mobilebert_lite.graph.names import signature_name
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.tflite.edits import DEFAULT_SIGNATURE, add_buffer
from mobilebert_lite.tflite.flatbuffer import read_model, write_model


def convert_network(network: Network, lengths: Sequence[int]) -> bytes:
    """A float ``.tflite`` with one signature per length, the longest first, all over the same buffers.

    Raises ConversionError with the converter's own reason when TensorFlow refuses the graph.
    """
    lengths = sorted(lengths, reverse=True)
    tensors = {name: variable.numpy() for name, variable in network.tensors.items()}
    signatures = {signature_name(network.task.name, length): network.signature(length) for length in lengths}
    read = {variable.ref() for signature in signatures.values() for variable in signature.variables}
    marks = {name: mark for name, mark in told_apart(tensors).items() if network.tensors[name].ref() in read}
    while True:
        model = read_model(_lower(network, signatures, marks, tensors))
        _arrange(model, list(signatures), list(network.form.inputs(lengths[0])),
                 network.task.outputs)
        lost = set(marks) - name_kernels(model, tensors, marks)
        if not lost:
            break
        # TensorFlow multiplies a scale that stands behind a layer into its kernel, which then cannot be put back.
        marks = {name: mark for name, mark in marks.items() if name not in lost}
    _part_kernels(model)
    return write_model(model)


def _lower(network: Network, signatures: Mapping[str, Any], marks: Mapping[str, np.ndarray],
           tensors: Mapping[str, np.ndarray]) -> bytes:
    """What TensorFlow makes of ``network`` while some of its ``tensors`` hold ``marks``."""
    try:
        _assign(network, marks)
        return _convert(network, signatures)
    finally:
        _assign(network, {name: tensors[name] for name in marks})


def _assign(network: Network, values: Mapping[str, np.ndarray]) -> None:
    for name, value in values.items():
        network.tensors[name].assign(value)


def _convert(network: Network, signatures: Mapping[str, Any]) -> bytes:
    with scratch_folder() as folder:
        try:
            tf.saved_model.save(network, str(folder), signatures=dict(signatures))
        except (OSError, tf.errors.OpError) as error:
            last = str(error).split(";")[-1].strip()
            raise ConversionError(f"cannot write temporary files in {folder} (set TMPDIR to a folder with room): "
                                  f"{last}") from None
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=list(signatures))
        try:
            content: bytes = converter.convert()
        except Exception as error:  # the converter raises kinds of its own, private to TensorFlow
            reason = str(error).strip().splitlines()
            raise ConversionError(f"TensorFlow could not convert the graph: {reason[0] if reason else error!r}"
                                  ) from error
    return content


def rewrite(content: bytes, change: Callable[[Any], object]) -> bytes:
    """``content`` after ``change`` has edited its object form in place."""
    model = read_model(content)
    change(model)
    return write_model(model)


def _arrange(model: Any, names: Sequence[str], inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Longest signature first, inputs and outputs in the documented order, tensors named as the signature names them.

    TensorFlow sorts signatures, inputs and outputs alphabetically; clients without metadata read by position.
    """
    by_name = {definition.signatureKey.decode(): definition for definition in model.signatureDefs}
    subgraphs = []
    for index, name in enumerate(names):
        definition = by_name[name]
        subgraph = model.subgraphs[definition.subgraphIndex]
        definition.inputs = _ordered(definition.inputs, inputs)
        definition.outputs = _ordered(definition.outputs, outputs)
        subgraph.inputs = [entry.tensorIndex for entry in definition.inputs]
        subgraph.outputs = [entry.tensorIndex for entry in definition.outputs]
        for entry in (*definition.inputs, *definition.outputs):
            # Names stay unique over the file: the quantizer keys its ranges by them.
            suffix = "" if index == 0 else f"_{name.rsplit('_', 1)[1]}"
            subgraph.tensors[entry.tensorIndex].name = entry.name + suffix.encode()
        subgraph.name = name.encode()
        definition.subgraphIndex = index
        subgraphs.append(subgraph)
    model.subgraphs = subgraphs
    model.signatureDefs = [by_name[name] for name in names]


def _part_kernels(model: Any) -> None:
    """Matrices of different shapes in buffers of their own. Where their bytes are equal, all zero above all, TensorFlow
    stores them once, and the quantizer would give both the scales of one."""
    first: dict[int, tuple[int, ...]] = {}
    copies: dict[tuple[int, tuple[int, ...]], int] = {}
    for tensor in (tensor for subgraph in model.subgraphs for tensor in subgraph.tensors):
        data = model.buffers[tensor.buffer].data
        if data is None or tensor.shape is None or len(tensor.shape) != 2:
            continue
        shape = tuple(map(int, tensor.shape))
        if first.setdefault(tensor.buffer, shape) != shape:
            key = int(tensor.buffer), shape
            if key not in copies:
                copies[key] = add_buffer(model, data)
            tensor.buffer = copies[key]


def _ordered(entries: Sequence[Any], names: Sequence[str]) -> list[Any]:
    by_name = {entry.name.decode(): entry for entry in entries}
    return [by_name[name] for name in names]


def add_default_signature(model: Any) -> None:
    """The first signature also under the name that generic tools look for."""
    alias = copy.copy(model.signatureDefs[0])
    alias.signatureKey = DEFAULT_SIGNATURE.encode()
    model.signatureDefs = [*model.signatureDefs, alias]
