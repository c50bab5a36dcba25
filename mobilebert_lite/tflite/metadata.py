"""TFLite Metadata: what a file tells Task Library, MediaPipe and Android Studio about its inputs and outputs.

It is a flatbuffer of its own in the metadata entry TFLITE_METADATA. Schema: metadata_schema.fbs 1.5.0 of
tensorflow/tflite-support, which MediaPipe shares. Read here are the parts that models of text use; writing is in
``tflite_metadata_writer``.
"""

from __future__ import annotations

from dataclasses import dataclass

from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.tflite.container import read_entry
from mobilebert_lite.tflite.tables import Flatbuffer, Table

ENTRY, IDENTIFIER = "TFLITE_METADATA", b"M001"

# Enumerations and unions of the schema: the place in the tuple is the number in the file.
FILE_TYPES = ("UNKNOWN", "DESCRIPTIONS", "TENSOR_AXIS_LABELS", "TENSOR_VALUE_LABELS",
              "TENSOR_AXIS_SCORE_CALIBRATION", "VOCABULARY", "SCANN_INDEX_FILE")
CONTENTS = ("NONE", "FeatureProperties", "ImageProperties", "BoundingBoxProperties", "AudioProperties")
PROCESS_UNITS = ("NONE", "NormalizationOptions", "ScoreCalibrationOptions", "ScoreThresholdingOptions",
                 "BertTokenizerOptions", "SentencePieceTokenizerOptions", "RegexTokenizerOptions")
BERT_TOKENIZER, FEATURE = "BertTokenizerOptions", "FeatureProperties"
AXIS_LABELS, VOCABULARY = "TENSOR_AXIS_LABELS", "VOCABULARY"
# In which field of its table a process unit keeps its vocabulary.
VOCABULARY_SLOTS = {BERT_TOKENIZER: 0, "SentencePieceTokenizerOptions": 1, "RegexTokenizerOptions": 1}

# Names and descriptions take a few kilobytes; vocabulary and labels stand outside.
_LARGEST = 4 << 20


@dataclass(frozen=True)
class AssociatedFile:
    """A file in the zip behind the model."""

    name: str
    description: str = ""
    # One of FILE_TYPES; a number that the schema does not know is given in digits.
    type: str = "UNKNOWN"
    # Language of the file, as "en"; empty where there is no choice.
    locale: str = ""


@dataclass(frozen=True)
class ProcessUnit:
    """What a client does to a text before the model reads it, or to a score after."""

    # One of PROCESS_UNITS.
    kind: str
    # The vocabulary of a tokenizer; other options of a unit are not read.
    files: tuple[AssociatedFile, ...] = ()


@dataclass(frozen=True)
class TensorMetadata:
    """An input or output, by its place in the subgraph; clients find it by ``name``."""

    name: str
    description: str = ""
    dimension_names: tuple[str, ...] = ()
    # One of CONTENTS.
    content: str = FEATURE
    process_units: tuple[ProcessUnit, ...] = ()
    # Least and greatest values, one for all or one for each element; empty when not stated.
    minimum: tuple[float, ...] = ()
    maximum: tuple[float, ...] = ()
    files: tuple[AssociatedFile, ...] = ()


@dataclass(frozen=True)
class SubgraphMetadata:
    """One subgraph, inputs and outputs in its own order."""

    name: str = ""
    description: str = ""
    inputs: tuple[TensorMetadata, ...] = ()
    outputs: tuple[TensorMetadata, ...] = ()
    files: tuple[AssociatedFile, ...] = ()
    input_process_units: tuple[ProcessUnit, ...] = ()
    output_process_units: tuple[ProcessUnit, ...] = ()


@dataclass(frozen=True)
class ModelMetadata:
    """The whole description."""

    name: str = ""
    description: str = ""
    version: str = ""
    author: str = ""
    license: str = ""
    subgraphs: tuple[SubgraphMetadata, ...] = ()
    files: tuple[AssociatedFile, ...] = ()
    # The oldest schema whose readers understand all of it, as "1.1.0".
    min_parser_version: str = ""


def read_metadata(content: bytes) -> ModelMetadata | None:
    """The metadata of the ``.tflite`` ``content``, or None where it has none. Raises ModelFileError when damaged."""
    raw = read_entry(content, ENTRY)
    return None if raw is None else parse_metadata(raw)


def parse_metadata(raw: bytes) -> ModelMetadata:
    """``raw``, the bytes of the entry, read. Raises ModelFileError when they are of another schema, or damaged."""
    source = Flatbuffer(raw)
    if not source.has_identifier(IDENTIFIER):
        raise ModelFileError(f"metadata entry {ENTRY} is of another schema: its identifier is {raw[4:8]!r}, "
                             f"not {IDENTIFIER!r}")
    if len(raw) > _LARGEST:
        raise ModelFileError(f"metadata entry {ENTRY} has {len(raw)} bytes; at most {_LARGEST} are read")
    table = source.root()
    return ModelMetadata(table.text(0), table.text(1), table.text(2), table.text(4), table.text(5),
                         tuple(_subgraph(one) for one in table.vector(3)), _files(table, 6), table.text(7))


def _subgraph(table: Table) -> SubgraphMetadata:
    return SubgraphMetadata(table.text(0), table.text(1), _tensors(table, 2), _tensors(table, 3), _files(table, 4),
                            _units(table, 5), _units(table, 6))


def _tensors(parent: Table, slot: int) -> tuple[TensorMetadata, ...]:
    return tuple(_tensor(table) for table in parent.vector(slot))


def _tensor(table: Table) -> TensorMetadata:
    content, stats = table.table(3), table.table(5)
    return TensorMetadata(table.text(0), table.text(1), table.texts(2),
                          _name(CONTENTS, content.byte(0) if content else 0), _units(table, 4),
                          stats.floats(1) if stats else (), stats.floats(0) if stats else (), _files(table, 6))


def _units(parent: Table, slot: int) -> tuple[ProcessUnit, ...]:
    return tuple(_unit(table) for table in parent.vector(slot))


def _unit(table: Table) -> ProcessUnit:
    kind, options = _name(PROCESS_UNITS, table.byte(0)), table.table(1)
    return ProcessUnit(kind, _files(options, VOCABULARY_SLOTS[kind]) if options and kind in VOCABULARY_SLOTS else ())


def _files(parent: Table, slot: int) -> tuple[AssociatedFile, ...]:
    return tuple(AssociatedFile(table.text(0), table.text(1), _name(FILE_TYPES, table.byte(2)), table.text(3))
                 for table in parent.vector(slot))


def _name(names: tuple[str, ...], number: int) -> str:
    return names[number] if number < len(names) else str(number)
