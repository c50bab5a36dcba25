"""The object form of a ``.tflite`` and back, over the schema that ai-edge-litert ships."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import flatbuffers
import numpy as np

from mobilebert_lite.tflite.schema_tables import TABLES, UNIONS

IDENTIFIER = b"TFL3"

# Larger vectors are weights, which are already shared as buffers.
_LARGEST_SHARED = 8192


def schema() -> Any:
    """The generated schema module; imported late, it is large."""
    from ai_edge_litert import schema_py_generated

    return schema_py_generated


def is_tflite(content: bytes | memoryview) -> bool:
    """Whether the bytes carry the file identifier of a TFLite flatbuffer."""
    return len(content) >= 8 and bytes(content[4:8]) == IDENTIFIER


def read_model(content: bytes) -> Any:
    """``ModelT`` of the flatbuffer ``content``; its arrays are views of it.

    Buffers that stand behind the flatbuffer (the form for files beyond 2 GB, which ai-edge-quantizer always writes
    and old runtimes cannot read) are brought inside.
    """
    from mobilebert_lite.tflite.verifier import read_tables

    model = _object("Model", read_tables(content))
    for buffer in model.buffers:
        if buffer.offset > 1:  # 1 stands for an empty buffer
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
        buffer.offset = buffer.size = 0
    return model


def _object(table: str, fields: Mapping[str, Any]) -> Any:
    """What the generated reader makes of a table, which takes four times as long."""
    make, kinds = _maker(table)
    made = make()
    for name, value in fields.items():
        attribute, kind = kinds[name]
        if kind in UNIONS:
            member = _members(kind)[fields.get(f"{name}_type", 0):][:1]
            value = _object(member[0], value) if member and value is not None else None
        elif kind in TABLES:
            value = _object(kind, value)
        elif kind[0] == "[" and kind[1:-1] in TABLES:
            value = [_object(kind[1:-1], one) for one in value]
        setattr(made, attribute, value)
    return made


@cache
def _maker(table: str) -> tuple[Any, dict[str, tuple[str, str]]]:
    """The generated class of a table, and (its attribute, kind) of each field."""
    kinds = {}
    for field in TABLES.get(table, "").split():
        name, _, kind = field.partition(":")
        first, *rest = name.split("_")
        kinds[name] = first + "".join(one[:1].upper() + one[1:] for one in rest), kind
    return getattr(schema(), f"{table}T"), kinds


@cache
def _members(union: str) -> tuple[str, ...]:
    return tuple(UNIONS[union].split())


def write_model(model: Any) -> bytes:
    """The flatbuffer of ``model``, equal vectors stored once."""
    builder = _Builder(_size(model) + (1 << 20))
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


class _Builder(flatbuffers.Builder):
    """Shares small equal vectors: the zero points of every channel of every dense layer are one vector of zeros."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._known: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: np.ndarray) -> int:
        key = (x.dtype.str, x.tobytes()) if x.nbytes <= _LARGEST_SHARED else None
        if key is not None and key in self._known:
            return self._known[key]
        if x.dtype == np.uint8:
            self.Prep(16, x.nbytes)  # schema.fbs: Buffer.data has force_align 16
        offset: int = super().CreateNumpyVector(x)
        if key is not None:
            self._known[key] = offset
        return offset


def _size(model: Any) -> int:
    return sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None)
