"""What a ``.tflite`` of ours says about itself, and the files it carries.

The provenance is JSON in the metadata entry ``mbl``; vocabulary and labels are appended as a zip, so that
``unzip -l model.tflite`` lists them. Reading needs neither TensorFlow nor a generated schema.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from mobilebert_lite.common.budget import LINE, Budget
from mobilebert_lite.common.json_text import parse
from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.tflite.tables import Flatbuffer

ENTRY = "mbl"
_DESCRIPTION = f"the model's own description (metadata entry {ENTRY!r})"
# What is read of it again, and as what.
_PROVENANCE = {"task": str, "form": dict, "fusion": list, "float16": dict, "npu": dict}
_FUSION = {"rule": str, "applied": bool, "message": str}
_FLOAT16 = {"bits_above": float, "bits_below": float, "largest": float, "largest_in": str, "smallest_typical": float,
            "smallest_in": str}
VOCABULARY, LABELS = "vocab.txt", "labels.txt"

_MOST_FILES = 1000

# Slots of the tables in tensorflow/compiler/mlir/lite/schema/schema.fbs: of Model, Metadata and Buffer, and of
# SignatureDef, TensorMap, SubGraph and Tensor.
_MODEL_SUBGRAPHS, _MODEL_BUFFERS, _MODEL_METADATA, _MODEL_SIGNATURES = 2, 4, 6, 7
_METADATA_NAME, _METADATA_BUFFER, _BUFFER_DATA = 0, 1, 0
_SIGNATURE_OUTPUTS, _SIGNATURE_KEY, _SIGNATURE_SUBGRAPH = 1, 2, 4
_MAP_TENSOR, _SUBGRAPH_TENSORS, _TENSOR_SHAPE = 1, 0, 0


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

    Raises ModelFileError for a damaged archive or one that unpacks to more than its budget.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [info for info in archive.infolist() if not info.is_dir()]
            budget = Budget(len(content))
            _check_entries(entries, budget)
            files = {info.filename: archive.read(info) for info in entries}
        for name, data in files.items():
            budget.keep(data.count(b"\n"), LINE, f"{name!r}, appended to the model,")
        return files
    except ModelFileError:
        raise
    except Exception as error:  # zipfile fails in any way on a damaged archive: struct.error, zlib.error, EOFError, …
        raise ModelFileError(f"the files appended to the model are damaged: {error or type(error).__name__}") from None


def _check_entries(entries: Sequence[zipfile.ZipInfo], budget: Budget) -> None:
    if len(entries) > _MOST_FILES:
        raise ModelFileError(f"{len(entries):,} files are appended to the model; the most is {_MOST_FILES}")
    budget.copy(sum(info.file_size for info in entries), "the archive of appended files")
    for info in entries:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ModelFileError(f"{info.filename!r}, appended to the model, is compressed by method "
                                 f"{info.compress_type}; use deflate, or none")


def read_provenance(content: bytes) -> dict[str, Any]:
    """The JSON of the ``mbl`` entry; empty for a file of another toolkit. Raises ModelFileError when damaged."""
    raw = read_entry(content, ENTRY)
    if raw is None:
        return {}
    value = parse(raw, _DESCRIPTION, ModelFileError)
    if not isinstance(value, dict):
        raise ModelFileError(f"{_DESCRIPTION} is a JSON {type(value).__name__}, not an object")
    value = {name: one for name, one in value.items() if one is not None or name not in _PROVENANCE}
    _check(value, {name: kind for name, kind in _PROVENANCE.items() if name in value}, "")
    for note in value.get("fusion", []):
        _check(note, _FUSION, "fusion.")
    if value.get("float16"):
        _check(value["float16"], _FLOAT16, "float16.")
    return value


def _check(value: Any, kinds: Mapping[str, type], where: str) -> None:
    for name, kind in kinds.items():
        found = value.get(name) if isinstance(value, dict) else value
        # JSON does not tell 1.0 from 1, and an integer in it may be longer than any float.
        if type(found) is not kind and not (kind is float and type(found) is int and abs(found) < 1 << 53):
            raise ModelFileError(f"{_DESCRIPTION} is damaged: {where}{name} is {str(found)[:40]!r}")


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


def last_axis(content: bytes, signature: str) -> int | None:
    """The last axis of the only output of ``signature``; None where it has none, or several outputs.

    ``content`` must be sound (``soundness.check_tflite``). Raises ModelFileError where it is not.
    """
    model = Flatbuffer(content).root()
    for one in model.vector(_MODEL_SIGNATURES):
        if one.text(_SIGNATURE_KEY) == signature and len(outputs := one.vector(_SIGNATURE_OUTPUTS)) == 1:
            graph = model.vector(_MODEL_SUBGRAPHS)[one.uint(_SIGNATURE_SUBGRAPH)]
            tensor = graph.vector(_SUBGRAPH_TENSORS)[outputs[0].uint(_MAP_TENSOR)]
            return next(iter(tensor.ints(_TENSOR_SHAPE)[::-1]), None)
    return None
