"""TFLite Metadata: what is written is read again, every file carries it, and hostile bytes end in one error."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.tflite.container import read_entry, read_files
from mobilebert_lite.tflite.edits import set_metadata
from mobilebert_lite.tflite.flatbuffer import read_model
from mobilebert_lite.tflite.metadata import (
    ENTRY,
    AssociatedFile,
    ModelMetadata,
    ProcessUnit,
    SubgraphMetadata,
    TensorMetadata,
    parse_metadata,
    read_metadata,
)
from mobilebert_lite.tflite.metadata_writer import _Writer, pack_metadata

WORDS = AssociatedFile("vocab.txt", "words", "VOCABULARY")
# Every field has a value of its own.
FULL = ModelMetadata(
    "name", "described: ½ é", "7", "author", "license",
    (SubgraphMetadata(
        "first", "graph",
        (TensorMetadata("ids", "input", ("batch", "token"), minimum=(0.0,), maximum=(511.0,),
                        process_units=(ProcessUnit("BertTokenizerOptions"),)),
         TensorMetadata("mask", content="NONE")),
        (TensorMetadata("probability", files=(AssociatedFile("labels.txt", "labels", "TENSOR_AXIS_LABELS", "en"),
                                              AssociatedFile("étiquettes.txt", "", "TENSOR_AXIS_LABELS", "fr"))),),
        (AssociatedFile("graph.txt", type="DESCRIPTIONS"),), (ProcessUnit("BertTokenizerOptions", (WORDS,)),),
        (ProcessUnit("BertTokenizerOptions"),)),
     SubgraphMetadata("second")),
    (AssociatedFile("readme.txt"),), "1.1.0")


def test_everything_written_is_read() -> None:
    assert parse_metadata(pack_metadata(FULL)) == FULL


def test_nothing_is_read_as_nothing() -> None:
    assert parse_metadata(pack_metadata(ModelMetadata())) == ModelMetadata(min_parser_version="1.0.0")


@pytest.mark.parametrize(("metadata", "version"), [
    (ModelMetadata(files=(WORDS,)), "1.0.1"),
    (ModelMetadata(subgraphs=(SubgraphMetadata(files=(WORDS,)),)), "1.0.1"),
    (ModelMetadata(subgraphs=(SubgraphMetadata(outputs=(TensorMetadata("x", files=(WORDS,)),)),)), "1.0.1"),
    (ModelMetadata(subgraphs=(SubgraphMetadata(inputs=(TensorMetadata("x"),)),)), "1.0.0"),
    (ModelMetadata(subgraphs=(SubgraphMetadata(output_process_units=(ProcessUnit("BertTokenizerOptions"),)),)),
     "1.1.0"),
])
def test_oldest_reader(metadata: ModelMetadata, version: str) -> None:
    assert parse_metadata(pack_metadata(metadata)).min_parser_version == version


@pytest.mark.parametrize(("metadata", "named"), [
    (ModelMetadata(files=(AssociatedFile("x", type="9"),)), "'9'"),
    (ModelMetadata(subgraphs=(SubgraphMetadata(inputs=(TensorMetadata("x", content="ImageProperties"),)),)),
     "ImageProperties"),
    (ModelMetadata(subgraphs=(SubgraphMetadata(input_process_units=(ProcessUnit("RegexTokenizerOptions"),)),)),
     "RegexTokenizerOptions"),
])
def test_what_cannot_be_written_is_named(metadata: ModelMetadata, named: str) -> None:
    with pytest.raises(ModelFileError, match=named):
        pack_metadata(metadata)


# Files

@pytest.mark.parametrize("task", ["qa", "classification"])
def test_converted_files_describe_every_subgraph(converted: Callable[[str, str], Path], task: str) -> None:
    """In the order of the subgraph's inputs and outputs, which clients pair with it by position."""
    content = converted(task, "dynamic").read_bytes()
    found, model = read_metadata(content), read_model(content)
    assert found is not None
    assert [graph.name for graph in found.subgraphs] == [f"{task}_48", f"{task}_32"]
    for described, graph in zip(found.subgraphs, model.subgraphs, strict=True):
        names = [[graph.tensors[index].name.decode() for index in indices] for indices in (graph.inputs, graph.outputs)]
        for tensors, expected in zip((described.inputs, described.outputs), names, strict=True):
            suffix = described.name.removeprefix(task)
            assert [tensor.name for tensor in tensors] == [name.removesuffix(suffix) for name in expected]
            assert all(tensor.description and tensor.content == "FeatureProperties"
                       and tensor.dimension_names[0] == "batch" for tensor in tensors)
        [unit] = described.input_process_units
        assert (unit.kind, [(file.name, file.type) for file in unit.files]) == (
            "BertTokenizerOptions", [("vocab.txt", "VOCABULARY")])
    assert [tensor.name for tensor in found.subgraphs[0].outputs] == (
        ["end_logits", "start_logits"] if task == "qa" else ["probability"])
    assert found.min_parser_version == "1.1.0"


def test_labels_are_those_of_the_zip(converted: Callable[[str, str], Path]) -> None:
    content = converted("classification", "dynamic").read_bytes()
    found = read_metadata(content)
    assert found is not None
    [output] = found.subgraphs[0].outputs
    assert [(file.name, file.type) for file in output.files] == [("labels.txt", "TENSOR_AXIS_LABELS")]
    carried = read_files(content)
    assert carried["labels.txt"].decode().splitlines() == ["music", "weather", "alarm", "none of these"]
    ids = found.subgraphs[0].inputs[0]
    assert (ids.minimum, ids.maximum) == ((0.0,), (len(carried["vocab.txt"].splitlines()) - 1,))
    assert (output.minimum, output.maximum) == ((0.0,), (1.0,))


# Hostile bytes

def test_another_schema() -> None:
    raw = pack_metadata(FULL)
    with pytest.raises(ModelFileError, match=r"another schema.*b'TFL3'"):
        parse_metadata(raw[:4] + b"TFL3" + raw[8:])
    with pytest.raises(ModelFileError, match="another schema"):
        parse_metadata(b"")


def test_damaged_bytes_are_read_or_refused() -> None:
    """Every truncation, and 5,000 changes of one to four bytes."""
    raw, rng, refused = pack_metadata(FULL), random.Random(0), 0
    cases = [raw[:length] for length in range(8, len(raw))]
    for _ in range(5000):
        changed = bytearray(raw)
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(8, len(raw))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        cases.append(bytes(changed))
    for case in cases:
        try:
            parse_metadata(case)
        except ModelFileError:
            refused += 1
    assert 1000 < refused < len(cases)


def test_tables_that_unfold_without_end() -> None:
    """A thousand subgraphs that are one, with a thousand inputs that are one: a million names in ten kilobytes."""
    writer = _Writer()
    inputs = writer._vector([writer._tensor(TensorMetadata("x" * 900))] * 1000)
    graphs = writer._vector([writer._table(7, {2: inputs})] * 1000)
    writer.finish(writer._table(8, {3: graphs}))
    raw = bytes(writer.builder.Output())
    assert len(raw) < 10_000
    started = time.monotonic()
    with pytest.raises(ModelFileError, match="named again and again"):
        parse_metadata(raw)
    assert time.monotonic() - started < 30


def test_entry_of_a_buffer_that_is_not_there(converted: Callable[[str, str], Path]) -> None:
    from mobilebert_lite.tflite.flatbuffer import write_model

    model = read_model(converted("classification", "dynamic").read_bytes())
    set_metadata(model, "elsewhere", b"x")
    model.metadata[-1].buffer = len(model.buffers)
    content = write_model(model)
    assert read_entry(content, ENTRY) is not None
    with pytest.raises(ModelFileError, match="'elsewhere' is in buffer"):
        read_entry(content, "elsewhere")
