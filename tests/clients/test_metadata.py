"""What the libraries' own tools read in our metadata, and what we read in theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from support import environment, run

from mobilebert_lite.tflite.container import read_files
from mobilebert_lite.tflite.flatbuffer import read_model, write_model
from mobilebert_lite.tflite.metadata import (
    AssociatedFile,
    ModelMetadata,
    ProcessUnit,
    SubgraphMetadata,
    TensorMetadata,
    read_metadata,
)

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

TOOLS = Path(__file__).parent / "children" / "metadata_tools.py"
Converted = Callable[[str, str], Path]


def show(model: Path) -> dict[str, Any]:
    """What tflite-support's displayer says."""
    shown: dict[str, Any] = json.loads(run([environment("task-library"), TOOLS, "show", model]))
    return shown


@pytest.mark.parametrize("task", ["qa", "classification"])
def test_their_displayer_prints_what_we_wrote(converted: Converted, task: str) -> None:
    path = converted(task, "dynamic")
    found, shown = read_metadata(path.read_bytes()), show(path)
    assert found is not None
    assert shown["metadata"] == as_json(found)
    assert len(shown["metadata"]["subgraph_metadata"]) == 2
    assert shown["version"] == found.min_parser_version
    assert shown["files"] == list(read_files(path.read_bytes()))


def test_we_read_what_their_writer_wrote(converted: Converted, tmp_path: Path) -> None:
    content = converted("classification", "dynamic").read_bytes()
    model = read_model(content)
    model.metadata = []
    (tmp_path / "bare.tflite").write_bytes(write_model(model))
    for name, data in read_files(content).items():
        (tmp_path / name).write_bytes(data)
    written = tmp_path / "theirs.tflite"
    run([environment("task-library"), TOOLS, "write", tmp_path / "bare.tflite", tmp_path / "vocab.txt",
         tmp_path / "labels.txt", written])
    theirs, ours = read_metadata(written.read_bytes()), read_metadata(content)
    assert theirs is not None
    assert ours is not None
    # Their writer leaves empty statistics in the file.
    assert pruned(as_json(theirs)) == pruned(show(written)["metadata"])
    assert read_files(written.read_bytes()) == read_files(content)
    # The names that clients go by are the same ones.
    for part in ("inputs", "outputs"):
        assert {tensor.name for tensor in getattr(theirs.subgraphs[0], part)} == {
            tensor.name for tensor in getattr(ours.subgraphs[0], part)}


# The metadata in the words of flatc's JSON: fields that are empty are left out.

def as_json(value: ModelMetadata) -> dict[str, Any]:
    return _present({
        "name": value.name, "description": value.description, "version": value.version,
        "subgraph_metadata": [_subgraph(one) for one in value.subgraphs], "author": value.author,
        "license": value.license, "associated_files": [_file(one) for one in value.files],
        "min_parser_version": value.min_parser_version})


def pruned(value: Any) -> Any:
    """Without empty tables at any depth."""
    if isinstance(value, dict):
        return _present({name: pruned(one) for name, one in value.items()})
    return [pruned(one) for one in value] if isinstance(value, list) else value


def _subgraph(value: SubgraphMetadata) -> dict[str, Any]:
    return _present({
        "name": value.name, "description": value.description,
        "input_tensor_metadata": [_tensor(one) for one in value.inputs],
        "output_tensor_metadata": [_tensor(one) for one in value.outputs],
        "associated_files": [_file(one) for one in value.files],
        "input_process_units": [_unit(one) for one in value.input_process_units],
        "output_process_units": [_unit(one) for one in value.output_process_units]})


def _tensor(value: TensorMetadata) -> dict[str, Any]:
    content = {"content_properties_type": value.content, "content_properties": {}}
    return _present({
        "name": value.name, "description": value.description, "dimension_names": list(value.dimension_names),
        "content": content if value.content != "NONE" else {}, "process_units": [_unit(one) for one in
                                                                                  value.process_units],
        "stats": _present({"max": list(value.maximum), "min": list(value.minimum)}),
        "associated_files": [_file(one) for one in value.files]})


def _unit(value: ProcessUnit) -> dict[str, Any]:
    return {"options_type": value.kind, "options": _present({"vocab_file": [_file(one) for one in value.files]})}


def _file(value: AssociatedFile) -> dict[str, Any]:
    return _present({"name": value.name, "description": value.description,
                     "type": value.type if value.type != "UNKNOWN" else "", "locale": value.locale})


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: field for name, field in fields.items() if field not in ("", [], {})}
