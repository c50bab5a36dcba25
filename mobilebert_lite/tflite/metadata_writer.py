"""Writing what ``tflite_metadata`` reads, with the flatbuffers runtime and the schema's field numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import flatbuffers

from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.tflite.metadata import (
    BERT_TOKENIZER,
    CONTENTS,
    FEATURE,
    FILE_TYPES,
    IDENTIFIER,
    PROCESS_UNITS,
    VOCABULARY,
    AssociatedFile,
    ModelMetadata,
    ProcessUnit,
    SubgraphMetadata,
    TensorMetadata,
)


def pack_metadata(metadata: ModelMetadata) -> bytes:
    """The bytes of the entry TFLITE_METADATA; ``min_parser_version`` is stated anew.

    Raises ModelFileError for content or process units other than a feature and BERT's tokenizer.
    """
    metadata = replace(metadata, min_parser_version=_min_parser_version(metadata))
    writer = _Writer()
    writer.finish(writer.model(metadata))
    return bytes(writer.builder.Output())


def _min_parser_version(metadata: ModelMetadata) -> str:
    """From the "History" of the schema: 1.1.0 brought process units to subgraphs, 1.0.1 the vocabulary."""
    if any(one.input_process_units or one.output_process_units for one in metadata.subgraphs):
        return "1.1.0"
    files = [*metadata.files]
    for one in metadata.subgraphs:
        files += [*one.files, *(file for tensor in (*one.inputs, *one.outputs) for file in tensor.files)]
    return "1.0.1" if any(file.type == VOCABULARY for file in files) else "1.0.0"


class _Writer:
    """Children before their parents, as flatbuffers are built; slots are the schema's."""

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder(4096)

    def finish(self, root: int) -> None:
        self.builder.Finish(root, file_identifier=IDENTIFIER)

    def model(self, value: ModelMetadata) -> int:
        return self._table(8, {
            0: self._text(value.name), 1: self._text(value.description), 2: self._text(value.version),
            3: self._vector([self._subgraph(one) for one in value.subgraphs]),
            4: self._text(value.author), 5: self._text(value.license), 6: self._files(value.files),
            7: self._text(value.min_parser_version)})

    def _subgraph(self, value: SubgraphMetadata) -> int:
        return self._table(7, {
            0: self._text(value.name), 1: self._text(value.description),
            2: self._vector([self._tensor(one) for one in value.inputs]),
            3: self._vector([self._tensor(one) for one in value.outputs]),
            4: self._files(value.files), 5: self._units(value.input_process_units),
            6: self._units(value.output_process_units)})

    def _tensor(self, value: TensorMetadata) -> int:
        return self._table(7, {
            0: self._text(value.name), 1: self._text(value.description),
            2: self._vector([self.builder.CreateString(name) for name in value.dimension_names]),
            3: self._content(value.content), 4: self._units(value.process_units), 5: self._stats(value),
            6: self._files(value.files)})

    def _content(self, kind: str) -> int:
        if kind == "NONE":
            return 0
        if kind != FEATURE:
            raise ModelFileError(f"cannot write metadata of a tensor that holds {kind}; only {FEATURE} is known")
        return self._table(2, {1: self._table(0, {})}, {0: CONTENTS.index(kind)})

    def _stats(self, value: TensorMetadata) -> int:
        if not value.minimum and not value.maximum:
            return 0
        return self._table(2, {0: self._floats(value.maximum), 1: self._floats(value.minimum)})

    def _units(self, values: Sequence[ProcessUnit]) -> int:
        return self._vector([self._unit(one) for one in values])

    def _unit(self, value: ProcessUnit) -> int:
        if value.kind != BERT_TOKENIZER:
            raise ModelFileError(f"cannot write the process unit {value.kind}; only {BERT_TOKENIZER} is known")
        options = self._table(1, {0: self._files(value.files)})
        return self._table(2, {1: options}, {0: PROCESS_UNITS.index(value.kind)})

    def _files(self, values: Sequence[AssociatedFile]) -> int:
        return self._vector([self._file(one) for one in values])

    def _file(self, value: AssociatedFile) -> int:
        if value.type not in FILE_TYPES:
            raise ModelFileError(f"cannot write associated file {value.name!r} of unknown type {value.type!r}")
        return self._table(4, {0: self._text(value.name), 1: self._text(value.description),
                               3: self._text(value.locale)}, {2: FILE_TYPES.index(value.type)})

    # The parts of a flatbuffer; 0 stands for what is absent.

    def _table(self, slots: int, offsets: Mapping[int, int], numbers: Mapping[int, int] | None = None) -> int:
        self.builder.StartObject(slots)
        for slot, offset in offsets.items():
            self.builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        for slot, number in (numbers or {}).items():
            self.builder.PrependUint8Slot(slot, number, 0)
        return int(self.builder.EndObject())

    def _text(self, value: str) -> int:
        return int(self.builder.CreateString(value)) if value else 0

    def _vector(self, offsets: Sequence[int]) -> int:
        return self._prepend(offsets, self.builder.PrependUOffsetTRelative)

    def _floats(self, values: Sequence[float]) -> int:
        return self._prepend(values, self.builder.PrependFloat32)

    def _prepend(self, values: Sequence[Any], prepend: Any) -> int:
        if not values:
            return 0
        self.builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            prepend(value)
        return int(self.builder.EndVector())
