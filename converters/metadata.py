"""What a ``.tflite`` of ours says about itself, and the files it carries.

The provenance is JSON in the metadata entry ``mbl``; vocabulary and labels are appended as a zip, so that
``unzip -l model.tflite`` lists them. Reading needs neither TensorFlow nor a generated schema.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

from mobilebert_lite.errors import ModelFileError

ENTRY = "mbl"
VOCABULARY, LABELS = "vocab.txt", "labels.txt"

# Larger than any vocabulary; a hostile zip must not fill the memory.
_LARGEST_FILE = 64 << 20

# Slots of the tables in tensorflow/compiler/mlir/lite/schema/schema.fbs: Model.metadata, Model.buffers,
# Metadata.name, Metadata.buffer, Buffer.data.
_MODEL_BUFFERS, _MODEL_METADATA = 4, 6
_METADATA_NAME, _METADATA_BUFFER, _BUFFER_DATA = 0, 1, 0


def append_files(content: bytes, files: Mapping[str, bytes]) -> bytes:
    """``content`` followed by a zip of ``files``; the same input gives the same bytes."""
    if not files:
        return content
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return stream.getvalue()


def read_files(content: bytes) -> dict[str, bytes]:
    """The appended files by name; empty where there are none. Nothing is written anywhere.

    Raises ModelFileError for a damaged archive or one that unpacks to more than 64 MiB.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(info.file_size for info in archive.infolist()) > _LARGEST_FILE:
                raise ModelFileError("the files appended to the model unpack to more than 64 MiB")
            return {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise ModelFileError(f"the files appended to the model are damaged: {error}") from None


def read_provenance(content: bytes) -> dict[str, Any]:
    """The JSON of the ``mbl`` entry; empty for a file of another toolkit. Raises ModelFileError when damaged."""
    raw = read_entry(content, ENTRY)
    if raw is None:
        return {}
    try:
        value = json.loads(raw)
    except ValueError:
        raise ModelFileError("the model's own description (metadata entry 'mbl') is damaged") from None
    return value if isinstance(value, dict) else {}


def read_entry(content: bytes, name: str) -> bytes | None:
    """The metadata entry ``name`` of the flatbuffer, or None."""
    try:
        model = _Table(content, struct.unpack_from("<I", content, 0)[0])
        buffers = model.vector(_MODEL_BUFFERS)
        for entry in model.vector(_MODEL_METADATA):
            if entry.bytes(_METADATA_NAME) == name.encode():
                return buffers[entry.uint(_METADATA_BUFFER)].bytes(_BUFFER_DATA)
    except (struct.error, IndexError):
        raise ModelFileError("the flatbuffer is damaged: an offset leads outside the file") from None
    return None


class _Table:
    """A flatbuffer table at ``position``; every read is checked against the file's end."""

    def __init__(self, content: bytes, position: int) -> None:
        self.content, self.position = content, position

    def _slot(self, slot: int) -> int:
        """Where the value of ``slot`` stands; 0 when it is absent."""
        vtable = self.position - struct.unpack_from("<i", self.content, self.position)[0]
        if vtable < 0:
            raise IndexError(vtable)
        size = struct.unpack_from("<H", self.content, vtable)[0]
        where = 4 + 2 * slot
        if where + 2 > size:
            return 0
        offset = struct.unpack_from("<H", self.content, vtable + where)[0]
        return self.position + offset if offset else 0

    def uint(self, slot: int) -> int:
        """An unsigned 32-bit scalar, 0 by default."""
        where = self._slot(slot)
        return int(struct.unpack_from("<I", self.content, where)[0]) if where else 0

    def _target(self, slot: int) -> tuple[int, int]:
        """Where the vector of ``slot`` begins and how many elements it has."""
        where = self._slot(slot)
        if not where:
            return 0, 0
        start = where + struct.unpack_from("<I", self.content, where)[0]
        return start + 4, struct.unpack_from("<I", self.content, start)[0]

    def bytes(self, slot: int) -> bytes:
        """A string or a vector of bytes."""
        start, count = self._target(slot)
        if start + count > len(self.content):
            raise IndexError(start + count)
        return self.content[start:start + count]

    def vector(self, slot: int) -> list[_Table]:
        """A vector of tables."""
        start, count = self._target(slot)
        if start + 4 * count > len(self.content):
            raise IndexError(start)
        return [_Table(self.content, start + 4 * i + struct.unpack_from("<I", self.content, start + 4 * i)[0])
                for i in range(count)]
