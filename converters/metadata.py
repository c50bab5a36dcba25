"""What a ``.tflite`` of ours says about itself, and the files it carries.

The provenance is JSON in the metadata entry ``mbl``; vocabulary and labels are appended as a zip, so that
``unzip -l model.tflite`` lists them. Reading needs neither TensorFlow nor a generated schema.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from mobilebert_lite.converters.tables import Flatbuffer
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
    """The metadata entry ``name`` of the flatbuffer, or None. Raises ModelFileError when the flatbuffer is damaged."""
    model = Flatbuffer(content).root()
    for entry in model.vector(_MODEL_METADATA):
        if entry.bytes(_METADATA_NAME) == name.encode():
            buffers, index = model.vector(_MODEL_BUFFERS), entry.uint(_METADATA_BUFFER)
            if index >= len(buffers):
                raise ModelFileError(f"the flatbuffer is damaged: metadata entry {name!r} is in buffer {index}, "
                                     f"but there are {len(buffers)}")
            return buffers[index].bytes(_BUFFER_DATA)
    return None
