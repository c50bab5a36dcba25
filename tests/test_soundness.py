"""Reading with every offset checked, and each thing that an interpreter would take on trust."""

from __future__ import annotations

import inspect
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from graphs import BOOL, FLOAT32, INT32, STRING, Graph, adding, endless, recursive, sharing

from mobilebert_lite.cli.inspect import command
from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.tflite import soundness, verifier
from mobilebert_lite.tflite.container import append_files
from mobilebert_lite.tflite.flatbuffer import IDENTIFIER, read_model, schema
from mobilebert_lite.tflite.schema_tables import TABLES, UNIONS
from mobilebert_lite.tflite.soundness import check_tflite
from mobilebert_lite.tflite.verifier import read_tables

_FLAGS = {"i8": "Int8", "u8": "Uint8", "bool": "Bool", "u16": "Uint16", "i32": "Int32", "u32": "Uint32",
          "f32": "Float32", "i64": "Int64", "u64": "Uint64"}


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    """Class of the generated reader -> its source. Cut here, as ``inspect`` reads the whole module for each class."""
    _, *parts = re.split(r"^class (\w+)\(.*$", inspect.getsource(schema()), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("table", TABLES)
def test_tables_are_those_of_the_schema(sources: dict[str, str], table: str) -> None:
    """Every slot has the accessor of that name, for that kind, in the generated reader; and none is missing."""
    source = sources[table]
    methods = {(match[1].lower(), (int(match[3]) - 4) // 2): match[0] for match in re.finditer(
        r"    def (\w+)\(self(, j)?\):\n        o = [^\n]*Offset\((\d+)\)\)\n.*?(?=\n\n|\Z)", source, re.DOTALL)}
    accessors = {key for key in methods if not key[0].endswith(("asnumpy", "isnone"))}
    assert len({slot for _, slot in accessors}) == sum(bool(name) for name, _ in verifier._slots(table))
    expected = set()
    for slot, (name, kind) in enumerate(verifier._slots(table)):
        if not name:
            continue
        key = name.replace("_", ""), slot
        expected |= {key, (f"{key[0]}length", slot)} if kind[0] == "[" else {key}
        inner = kind.strip("[]")
        wanted = (f"{_FLAGS[inner]}Flags" if inner in _FLAGS else "String(" if inner == "string" else
                  "Union(" if inner in UNIONS else f"{inner}()")
        assert wanted in methods[key], (table, name)
    assert accessors == expected


def test_unions_are_those_of_the_schema() -> None:
    for name, members in UNIONS.items():
        generated = {key: value for key, value in vars(getattr(schema(), name)).items() if isinstance(value, int)}
        assert generated == {member: i for i, member in enumerate(members.split())}


def test_values_are_those_of_the_generated_reader() -> None:
    content = endless().bytes()
    tables, model = read_tables(content), read_model(content)
    assert tables["description"] == model.description
    assert [code.get("builtin_code", 0) for code in tables["operator_codes"]] == [
        code.builtinCode for code in model.operatorCodes]
    for ours, theirs in zip(tables["subgraphs"], model.subgraphs, strict=True):
        assert [tensor["name"] for tensor in ours["tensors"]] == [tensor.name for tensor in theirs.tensors]
        assert [tensor["shape"].tolist() for tensor in ours["tensors"]] == [
            tensor.shape.tolist() for tensor in theirs.tensors]
        assert [one["inputs"].tolist() for one in ours["operators"]] == [
            one.inputs.tolist() for one in theirs.operators]
    assert tables["subgraphs"][0]["operators"][0]["builtin_options"] == {
        "cond_subgraph_index": 1, "body_subgraph_index": 2}


def _differences(ours: Any, theirs: Any, where: str) -> Iterator[str]:
    """Places at which two trees of generated objects differ, the types of their values too."""
    if type(ours) is not type(theirs):
        yield f"{where}: {type(ours)} and {type(theirs)}"
    elif isinstance(ours, np.ndarray):
        if ours.dtype != theirs.dtype or ours.tobytes() != theirs.tobytes():
            yield where
    elif isinstance(ours, list):
        for i, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from _differences(*pair, f"{where}[{i}]")
    elif hasattr(ours, "__dict__"):
        assert vars(ours).keys() == vars(theirs).keys()
        for name, value in vars(ours).items():
            yield from _differences(value, vars(theirs)[name], f"{where}.{name}")
    elif ours != theirs:
        yield f"{where}: {ours} and {theirs}"


@pytest.mark.parametrize("mode", ["int8", "none"])
def test_objects_are_those_of_the_generated_reader(converted: Callable[[str, str], Path], mode: str) -> None:
    for content in (converted("qa", mode).read_bytes(), endless().bytes()):
        theirs = schema().ModelT.InitFromPackedBuf(content, 0)
        for buffer in theirs.buffers:
            assert buffer.offset <= 1
            buffer.offset = buffer.size = 0
        assert list(_differences(read_model(content), theirs, "model")) == []


def _root(content: bytes) -> int:
    return int(struct.unpack_from("<I", content, 0)[0])


def _layout(content: bytes) -> int:
    return int(_root(content) - struct.unpack_from("<i", content, _root(content))[0])


def _slot(content: bytes, slot: int) -> int:
    """Where the value of the root's ``slot`` stands."""
    return _root(content) + int(struct.unpack_from("<H", content, _layout(content) + 4 + 2 * slot)[0])


def _target(content: bytes, slot: int) -> int:
    where = _slot(content, slot)
    return where + int(struct.unpack_from("<I", content, where)[0])


def put(form: str, where: Callable[[bytes], int], value: int) -> Callable[[bytes], bytes]:
    """A number in place of another."""
    def change(content: bytes) -> bytes:
        changed = bytearray(content)
        struct.pack_into(form, changed, where(content), value)
        return bytes(changed)
    return change


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "too short": (lambda content: content[:7], "Model: the file ends"),
    "root outside": (put("<I", lambda _: 0, 1 << 30), "Model: an offset of 1073741824 leads outside"),
    "root of 0": (put("<I", lambda _: 0, 0), "Model: an offset of 0"),
    "root unaligned": (put("<I", lambda _: 0, 10), "Model: it starts at byte 10"),
    "layout outside": (put("<i", _root, -(1 << 30)), "Model: its layout is outside"),
    "layout before": (put("<i", _root, 1 << 30), "Model: its layout is outside"),
    "layout too short": (put("<H", _layout, 2), "Model: its layout is malformed"),
    "layout odd": (put("<H", _layout, 7), "Model: its layout is malformed"),
    "layout too long": (put("<H", _layout, 0xFFFE), "Model: its layout is malformed"),
    "table too long": (put("<H", lambda content: _layout(content) + 2, 0xFFFF), "Model: it goes on after the end"),
    "table too short": (put("<H", lambda content: _layout(content) + 2, 4), "Model.version: it stands outside"),
    "field outside": (put("<H", lambda content: _layout(content) + 4, 0x7FFC), "Model.version: it stands outside"),
    "field unaligned": (put("<H", lambda content: _layout(content) + 4, 6), "Model.version: it stands outside"),
    "vector outside": (put("<I", lambda content: _slot(content, 2), 1 << 30), "Model.subgraphs: an offset"),
    "vector too long": (put("<I", lambda content: _target(content, 2), 1 << 30), "Model.subgraphs: 1,073,741,824 el"),
    "text too long": (put("<I", lambda content: _target(content, 3), 1 << 30), "Model.description: 1,073,741,824"),
    "text without end": (put("<I", lambda content: _target(content, 3), 5), "Model.description: a text without"),
    "element outside": (put("<I", lambda content: _target(content, 2) + 4, 1 << 30), "Model.subgraphs: an offset"),
    "cut": (lambda content: content[:-8], "goes on after|leads outside|without its end|on go on"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage(name: str) -> None:
    change, message = DAMAGE[name]
    content = change(adding().bytes())
    with pytest.raises(ModelFileError, match=f"damaged at .*({message})"):
        read_tables(content)


@pytest.mark.parametrize(("tensors", "name", "message"), [
    (70_000, 10, "unfolds into more parts"), (1000, 100_000, "named again and again")])
def test_tables_that_multiply(tensors: int, name: int, message: str) -> None:
    """Offsets that all lead to one table count every time, and so does its name."""
    assert len(read_tables(sharing(1000, 100))["subgraphs"][0]["tensors"]) == 1000
    with pytest.raises(ModelFileError, match=message):
        read_tables(sharing(tensors, name))


def test_indices_count() -> None:
    """One vector of them may hang on many tables, and each is looked at."""
    graph = adding()
    graph.now.inputs = np.zeros(500_000, np.int32)
    with pytest.raises(ModelFileError, match="unfolds into more parts"):
        read_tables(graph.bytes())


def test_options_of_a_later_schema() -> None:
    """A union's member that is not known yet is a table whose fields are passed over."""
    graph = adding()
    set_to("operators.0.builtinOptionsType", 254)(graph)
    set_to("operators.0.builtinOptions.potScaleInt16", False)(graph)
    later = read_tables(graph.bytes())["subgraphs"][0]["operators"][0]
    assert later["builtin_options_type"] == 254
    assert later["builtin_options"] == {}


Change = Callable[[Graph], Any]


def set_to(path: str, value: Any) -> Change:
    """``operators.0.inputs`` = value, from the first subgraph on; ``/`` begins at the model."""
    def change(graph: Graph) -> None:
        at = graph.model if path[0] == "/" else graph.model.subgraphs[0]
        *steps, last = path.strip("/").split(".")
        for step in steps:
            at = at[int(step)] if step.isdigit() else getattr(at, step)
        setattr(at, last, np.array(value, np.int32) if isinstance(value, list) else value)
    return change


def _quantized(scales: int, zeros: int, axis: int) -> Change:
    def change(graph: Graph) -> None:
        made = schema().QuantizationParametersT()
        made.scale, made.zeroPoint = np.ones(scales, np.float32), np.zeros(zeros, np.int64)
        made.quantizedDimension = axis
        graph.now.tensors[1].quantization = made
    return change


def _texts(*header: int) -> Change:
    return lambda graph: graph.tensor([2], STRING, np.array([*header], np.int32).tobytes())


def _twice(graph: Graph) -> None:
    graph.signature("add", 0, {"x": 0}, {"y": 2})


def _behind(offset: int, size: int) -> Change:
    def change(graph: Graph) -> None:
        graph.model.buffers[1].offset, graph.model.buffers[1].size = offset, size
    return change


def _entry(buffer: int) -> Change:
    def change(graph: Graph) -> None:
        made = schema().MetadataT()
        made.name, made.buffer = b"mbl", buffer
        graph.model.metadata = [made]
    return change


UNSOUND: dict[str, tuple[Change, str]] = {
    "version": (set_to("/version", 2), "schema version 2"),
    "no subgraph": (set_to("/subgraphs", []), "no subgraph"),
    "type": (set_to("tensors.0.type", 99), "tensor 0: unknown type 99"),
    "type below 0": (set_to("tensors.0.type", -1), "tensor 0: unknown type -1"),
    "shape": (set_to("tensors.0.shape", [2, -3]), r"tensor 0: shape \[2, -3\]"),
    "rank": (set_to("tensors.0.shape", [1] * 9), "tensor 0: shape"),
    "size": (set_to("tensors.0.shape", [1 << 16, 1 << 16]), "needs 17,179,869,184 bytes"),
    "overflow": (set_to("tensors.0.shape", [1 << 30] * 4), "bytes; the most is"),
    "signature of a shape": (set_to("tensors.0.shapeSignature", [-1]), "a signature of 1 dimensions for 2"),
    "buffer": (set_to("tensors.1.buffer", 7), "tensor 1: buffer 7 of 2"),
    "buffer too short": (set_to("tensors.1.shape", [4]), r"shape \[4\] needs 16 bytes, but its buffer has 12"),
    "buffer too long": (set_to("tensors.1.shape", [2]), r"shape \[2\] needs 8 bytes, but its buffer has 12"),
    "buffer behind": (_behind(100, 1 << 40), "buffer 1: .* from byte 100 on"),
    "scales": (_quantized(3, 1, 0), "3 scales and 1 zero points"),
    "scales along nothing": (_quantized(3, 3, 1), r"3 scales along dimension 1 of shape \[3\]"),
    "scales along too little": (_quantized(2, 2, 0), r"2 scales along dimension 0 of shape \[3\]"),
    "scales before": (_quantized(3, 3, -1), "3 scales along dimension -1"),
    "texts": (_texts(1, 12, 12), "buffer 2: 2 texts do not fit"),
    "texts outside": (_texts(2, 16, 17, 99), "buffer 2: texts outside"),
    "texts backwards": (_texts(2, 16, 15, 16), "buffer 2: texts outside"),
    "texts in the header": (_texts(2, 4, 5, 16), "buffer 2: texts outside"),
    "input of the subgraph": (set_to("inputs", [9]), "subgraph 0: inputs: tensor 9 of 3"),
    "output of the subgraph": (set_to("outputs", [-1]), "subgraph 0: outputs: tensor -1 of 3"),
    "output that is never written": (set_to("operators", []), "output tensor 2 is never written"),
    "operator code": (set_to("operators.0.opcodeIndex", 3), "operator 0: operator code 3 of 1"),
    "operand": (set_to("operators.0.inputs", [0, 3]), "operator 0: inputs: tensor 3 of 3"),
    "operand below": (set_to("operators.0.inputs", [0, -2]), "operator 0: inputs: tensor -2"),
    "result left out": (set_to("operators.0.outputs", [-1]), "operator 0: outputs: tensor -1"),
    "intermediate": (set_to("operators.0.intermediates", [3]), "operator 0: intermediates: tensor 3"),
    "read too early": (set_to("operators.0.inputs", [0, 2]), "it reads tensor 2, which nothing before"),
    "constant written": (set_to("operators.0.outputs", [1]), "it writes tensor 1, which is a constant"),
    "custom options": (set_to("operators.0.largeCustomOptionsSize", 1 << 50), "its custom options end at"),
    "signature's subgraph": (set_to("/signatureDefs.0.subgraphIndex", 1), "signature 'add': subgraph 1 of 1"),
    "signature's tensor": (set_to("/signatureDefs.0.inputs.0.tensorIndex", 2), "its inputs have tensor 2"),
    "signature's result": (set_to("/signatureDefs.0.outputs.0.tensorIndex", 99), "its outputs have tensor 99"),
    "signature twice": (_twice, "signature 'add': it is there twice"),
    "metadata": (_entry(5), "metadata entry 0: buffer 5 of 2"),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_unsound(name: str) -> None:
    change, message = UNSOUND[name]
    graph = adding()
    check_tflite(graph.bytes())
    change(graph)
    with pytest.raises(ModelFileError, match=message):
        check_tflite(graph.bytes())


def test_names_in_a_signature() -> None:
    graph = adding()
    graph.model.signatureDefs[0].inputs *= 2
    with pytest.raises(ModelFileError, match="signature 'add': two inputs of one name"):
        check_tflite(graph.bytes())


@pytest.mark.parametrize(("operator", "options", "good", "bad", "message"), [
    ("MAX_POOL_2D", "Pool2DOptions", {"strideW": 1, "strideH": 1, "filterWidth": 1, "filterHeight": 1},
     {"filterHeight": 0}, "Pool2DOptions.filter_height is 0"),
    ("SPACE_TO_DEPTH", "SpaceToDepthOptions", {"blockSize": 2}, {"blockSize": -2}, "block_size is -2"),
    ("SPLIT", "SplitOptions", {"numSplits": 1}, {"numSplits": 0}, "num_splits is 0"),
    ("CONV_2D", "Conv2DOptions", {"strideW": 1, "strideH": 1}, {"strideW": 0}, "stride_w is 0"),
    ("CONV_2D", "Conv2DOptions", {"strideW": 1, "strideH": 1}, {"dilationHFactor": 0}, "dilation_h_factor is 0"),
])
def test_options(operator: str, options: str, good: dict[str, int], bad: dict[str, int], message: str) -> None:
    def made(values: dict[str, int]) -> bytes:
        graph = Graph()
        graph.subgraph()
        graph.tensor([1, 2, 2, 4])
        graph.tensor([1, 2, 2, 4])
        graph.operator(operator, (0,), (1,), options, **values)
        return graph.bytes()

    check_tflite(made(good))
    with pytest.raises(ModelFileError, match=message):
        check_tflite(made(good | bad))


def test_missing_options() -> None:
    """Numbers that must be positive have no default that is."""
    graph = Graph()
    graph.subgraph()
    graph.tensor([1, 2, 2, 4])
    graph.tensor([1, 2, 2, 4])
    graph.operator("CONV_2D", (0,), (1,))
    with pytest.raises(ModelFileError, match="stride_w is 0"):
        check_tflite(graph.bytes())


def test_subgraphs_that_call() -> None:
    check_tflite(endless().bytes())
    with pytest.raises(ModelFileError, match="subgraph 3 calls itself"):
        check_tflite(recursive().bytes())
    graph = endless()
    graph.model.subgraphs[0].operators[0].builtinOptions.bodySubgraphIndex = 3
    with pytest.raises(ModelFileError, match="subgraph 0, operator 0: it calls subgraph 3 of 3"):
        check_tflite(graph.bytes())
    graph.model.subgraphs[0].operators[0].builtinOptions = None
    graph.model.subgraphs[0].operators[0].builtinOptionsType = 0
    with pytest.raises(ModelFileError, match="subgraph 0 calls itself"):
        check_tflite(graph.bytes())


def test_too_many_subgraphs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundness, "LARGEST_SUBGRAPHS", 2)
    with pytest.raises(ModelFileError, match="3 subgraphs; the most is 2"):
        check_tflite(endless().bytes())


def test_what_is_sound() -> None:
    """Operands left out, constants without elements, texts, scalars, a scale for each channel."""
    graph = adding()
    graph.now.operators[0].inputs = np.array([0, 1, -1], np.int32)
    graph.tensor([], INT32, np.zeros(1, np.int32))
    graph.tensor([0], FLOAT32)
    graph.tensor([2], STRING, np.array([2, 16, 16, 16], np.int32).tobytes())
    graph.tensor([3], BOOL, np.ones(3, np.uint8))
    _quantized(3, 3, 0)(graph)
    check_tflite(graph.bytes())


def test_files_in_use(tmp_path: Path) -> None:
    """What is read through ``read_tflite`` is checked, and the message names the file."""
    from mobilebert_lite.running.model import read_tflite

    path = tmp_path / "model.tflite"
    content = adding().bytes()
    path.write_bytes(content)
    assert read_tflite(path) == content
    assert content[4:8] == IDENTIFIER
    path.write_bytes(content[:-40])
    with pytest.raises(ModelFileError, match=f"^{re.escape(str(path))}: the flatbuffer is damaged"):
        read_tflite(path)


def test_names_do_not_steer_the_terminal(tmp_path: Path) -> None:
    """Neither by control characters nor by rich's own markup."""
    graph = adding()
    graph.model.description = b"\x1b[2J[/red]"
    graph.now.tensors[1].name = b"\x1b[31m[/blue] :smile:"
    path = tmp_path / "model.tflite"
    path.write_bytes(append_files(graph.bytes(), {"\x07[/green]": b"x"}))
    done = CliRunner().invoke(command, [str(path), "--all"])
    assert done.exit_code == 0, done.output
    assert not set(done.output) & {"\x1b", "\x07"}
    for shown in ("[2J[/red]", "[/blue] :smile:", "[/green]", "ADD"):
        assert shown in done.output
