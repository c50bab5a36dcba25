"""Files that break one point of a contract each, made by editing the tables of a good one."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite.edits import set_metadata
from mobilebert_lite.tflite.flatbuffer import read_model, schema, write_model
from mobilebert_lite.tflite.metadata import ENTRY, ModelMetadata, TensorMetadata, read_metadata
from mobilebert_lite.tflite.metadata_writer import pack_metadata
from mobilebert_lite.tflite.op_versions import operator_name

Edit = Callable[[bytes], bytes]


def on_model(change: Callable[[Any], object]) -> Edit:
    """An edit of the object form; carried files stay."""
    def edit(content: bytes) -> bytes:
        model = read_model(content)
        change(model)
        return metadata.append_files(write_model(model), metadata.read_files(content))
    return edit


def on_metadata(change: Callable[[ModelMetadata], ModelMetadata]) -> Edit:
    """An edit of the TFLite Metadata."""
    def edit(content: bytes) -> bytes:
        found = read_metadata(content)
        assert found is not None
        return on_model(lambda model: set_metadata(model, ENTRY, pack_metadata(change(found))))(content)
    return edit


def on_files(change: Callable[[dict[str, bytes]], dict[str, bytes]], method: int = zipfile.ZIP_STORED) -> Edit:
    """An edit of the carried files."""
    def edit(content: bytes) -> bytes:
        stream = io.BytesIO(write_model(read_model(content)))
        with zipfile.ZipFile(stream, "a", method) as archive:
            for name, data in change(metadata.read_files(content)).items():
                archive.writestr(name, data)
        return stream.getvalue()
    return edit


def tokenizer(**settings: Any) -> Edit:
    """Other settings of the tokenizer in the provenance."""
    return provenance(tokenizer=settings)


def provenance(**values: Any) -> Edit:
    """Other values in the provenance."""
    def change(content: bytes) -> bytes:
        said = metadata.read_provenance(content) | values
        return on_model(lambda model: set_metadata(model, metadata.ENTRY, json.dumps(said).encode()))(content)
    return change


def first(found: ModelMetadata, **changes: Any) -> ModelMetadata:
    """``found`` with another first subgraph."""
    return replace(found, subgraphs=(replace(found.subgraphs[0], **changes), *found.subgraphs[1:]))


def rename(side: str, old: str, new: str) -> Edit:
    """One tensor's name in the metadata."""
    def change(found: ModelMetadata) -> ModelMetadata:
        tensors: tuple[TensorMetadata, ...] = getattr(found.subgraphs[0], side)
        assert any(one.name == old for one in tensors)
        return first(found, **{side: tuple(replace(one, name=new) if one.name == old else one for one in tensors)})
    return on_metadata(change)


def reorder(side: str, places: tuple[int, ...]) -> Edit:
    """Subgraph, signatures and metadata in another order, all alike: a right file but for the positions."""
    def edit(content: bytes) -> bytes:
        content = on_metadata(lambda found: first(found, **{
            side: tuple(getattr(found.subgraphs[0], side)[place] for place in places)}))(content)

        def change(model: Any) -> None:
            indices = getattr(model.subgraphs[0], side)
            setattr(model.subgraphs[0], side, [indices[place] for place in places])
            for definition in model.signatureDefs:
                entries = getattr(definition, side)
                setattr(definition, side, [entries[place] for place in places])
        return on_model(change)(content)
    return edit


def tensor_of(model: Any, side: str, number: int) -> Any:
    """Input or output ``number`` of the first subgraph."""
    return model.subgraphs[0].tensors[getattr(model.subgraphs[0], side)[number]]


def set_tensor(side: str, numbers: tuple[int, ...], **values: Any) -> Edit:
    """Fields of inputs or outputs."""
    def change(model: Any) -> None:
        for number in numbers:
            for name, value in values.items():
                setattr(tensor_of(model, side, number), name, value)
    return on_model(change)


def without_entry(name: str) -> Edit:
    """A metadata entry gone."""
    def change(model: Any) -> None:
        assert any(entry.name.decode() == name for entry in model.metadata)
        model.metadata = [entry for entry in model.metadata if entry.name.decode() != name]
    return on_model(change)


def damaged_metadata(content: bytes) -> bytes:
    """Metadata of another schema."""
    return on_model(lambda model: set_metadata(model, ENTRY, b"\x08\0\0\0M999" + bytes(32)))(content)


def version(name: str, number: int) -> Edit:
    """Another version on all operators of a kind."""
    def change(model: Any) -> None:
        codes = [code for code in model.operatorCodes if operator_name(code) == name]
        assert codes
        for code in codes:
            code.version = number
    return on_model(change)


def logits(content: bytes) -> bytes:
    """The output taken from before the softmax."""
    def change(model: Any) -> None:
        subgraph = model.subgraphs[0]
        [softmax] = [one for one in subgraph.operators if one.outputs[0] == subgraph.outputs[0]]
        assert operator_name(model.operatorCodes[softmax.opcodeIndex]) == "SOFTMAX"
        subgraph.outputs = [softmax.inputs[0]]
        for definition in model.signatureDefs:
            definition.outputs[0].tensorIndex = softmax.inputs[0]
    return on_model(change)(content)


def custom(name: str) -> Edit:
    """The operator TRANSPOSE in the place of a custom one."""
    def change(model: Any) -> None:
        [code] = [code for code in model.operatorCodes if operator_name(code) == "TRANSPOSE"]
        code.builtinCode = code.deprecatedBuiltinCode = schema().BuiltinOperator.CUSTOM
        code.customCode = name.encode()
    return on_model(change)


def second_subgraph(model: Any) -> None:
    """The graph twice."""
    model.subgraphs = [*model.subgraphs, model.subgraphs[0]]


def more_outputs(model: Any) -> None:
    """An input is also an output."""
    subgraph = model.subgraphs[0]
    subgraph.outputs = [*subgraph.outputs, subgraph.inputs[0]]


def fewer_inputs(model: Any) -> None:
    """Two inputs are left."""
    model.subgraphs[0].inputs = list(model.subgraphs[0].inputs[:2])


def weights_of_first_dense(model: Any) -> Any:
    """The int8 weights of the first dense layer that has some."""
    subgraph = model.subgraphs[0]
    for operator in subgraph.operators:
        if operator_name(model.operatorCodes[operator.opcodeIndex]) == "FULLY_CONNECTED":
            tensor = subgraph.tensors[operator.inputs[1]]
            if tensor.type == schema().TensorType.INT8:
                return tensor
    raise AssertionError("no int8 dense layer")


def no_scale(model: Any) -> None:
    """Quantized weights without their scales."""
    weights_of_first_dense(model).quantization = None


def zero_point(model: Any) -> None:
    """Asymmetric weights."""
    quantization = weights_of_first_dense(model).quantization
    quantization.zeroPoint = np.full(len(quantization.scale), 3, np.int64)


def huge_constant(model: Any) -> None:
    """The mask constant of float32 in place of the file's."""
    for tensor in model.subgraphs[0].tensors:
        data = model.buffers[tensor.buffer].data
        if data is not None and len(data) == 4 and tensor.type == schema().TensorType.FLOAT32:
            value = data.view(np.float32)[0]
            if value < -1000:
                model.buffers[tensor.buffer].data = np.array([-3.4e38], np.float32).view(np.uint8)
                return
    raise AssertionError("no mask constant")
