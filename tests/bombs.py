"""Files that promise, in few bytes, more than a machine has: for readers of untrusted bytes."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from mobilebert_lite.tflite.schema_tables import TABLES, UNIONS

_FORMS = {"i8": "<b", "u8": "<B", "bool": "<?", "u16": "<H", "i32": "<i", "u32": "<I", "f32": "<f", "i64": "<q",
          "u64": "<Q"}


def encode(model: Mapping[str, Any]) -> bytes:
    """The flatbuffer of ``model``: tables are mappings, strings bytes, vectors of numbers sequences or arrays, unions
    (member, table). An object that stands at several places is written once, which no ordinary writer does."""
    out = bytearray(b"\0\0\0\0TFL3")
    places: dict[int, int] = {}
    links: list[tuple[int, Any]] = []
    for kind, value in reversed(list(_after_children("Model", model, set()))):
        out += bytes(-len(out) % 4)
        if kind in TABLES:
            places[id(value)] = _table(out, kind, value, links)
        elif kind == "string":
            places[id(value)] = len(out)
            out += struct.pack("<I", len(value)) + value + b"\0"
        elif kind[1:-1] in _FORMS:
            form = _FORMS[kind[1:-1]]
            out += bytes(-(len(out) + 4) % 16)
            places[id(value)] = len(out)
            out += struct.pack("<I", len(value)) + np.asarray(value, form).tobytes()
        else:
            places[id(value)] = len(out)
            out += struct.pack("<I", len(value))
            for one in value:
                links.append((len(out), one))
                out += bytes(4)
    struct.pack_into("<I", out, 0, places[id(model)])
    for place, value in links:
        struct.pack_into("<I", out, place, places[id(value)] - place)
    return bytes(out)


def _fields(kind: str, value: Mapping[str, Any]) -> Iterator[tuple[int, str, Any]]:
    """(slot, kind, value) of the fields that are there, the type of a union among them."""
    for slot, field in enumerate(TABLES[kind].split()):
        name, _, form = field.partition(":")
        if name not in value:
            continue
        if form in UNIONS:
            member, table = value[name]
            yield slot - 1, "u8", UNIONS[form].split().index(member)
            yield slot, member, table
        else:
            yield slot, form, value[name]


def _after_children(kind: str, value: Any, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if id(value) in seen:
        return
    seen.add(id(value))
    inner = ([(form, one) for _, form, one in _fields(kind, value) if form not in _FORMS] if kind in TABLES else
             [(kind[1:-1], one) for one in {id(one): one for one in value}.values()]
             if kind[0] == "[" and kind[1:-1] not in _FORMS else [])
    for form, one in inner:
        yield from _after_children(form, one, seen)
    yield kind, value


def _table(out: bytearray, kind: str, value: Mapping[str, Any], links: list[tuple[int, Any]]) -> int:
    fields = list(_fields(kind, value))
    slots, size = 1 + max((slot for slot, _, _ in fields), default=-1), 4
    offsets = [0] * slots
    for slot, form, _ in fields:
        width = struct.calcsize(_FORMS.get(form, "<I"))
        size += -size % width
        offsets[slot], size = size, size + width
    layout = len(out)
    out += struct.pack(f"<{2 + slots}H", 4 + 2 * slots, size, *offsets)
    out += bytes(-len(out) % 8)
    start = len(out)
    out += struct.pack("<i", start - layout) + bytes(size - 4)
    for slot, form, one in fields:
        if form in _FORMS:
            struct.pack_into(_FORMS[form], out, start + offsets[slot], one)
        else:
            links.append((start + offsets[slot], one))
    return start


def adding(**changes: Any) -> dict[str, Any]:
    """A whole file, x + y of four numbers, with other fields of the model."""
    tensor = {"shape": [1, 4], "name": b"t"}
    operator = {"inputs": [0, 1], "outputs": [2], "builtin_options": ("AddOptions", {})}
    graph = {"tensors": [dict(tensor) for _ in range(3)], "inputs": [0, 1], "outputs": [2], "operators": [operator]}
    return {"version": 3, "operator_codes": [{"version": 1}], "subgraphs": [graph], "buffers": [{}], **changes}


def signatures(count: int, size: int) -> dict[str, Any]:
    """``count`` signatures of their own names, over one list of inputs."""
    name = b"x" * size
    maps = [{"name": name, "tensor_index": 0}, {"name": b"y", "tensor_index": 1}]
    return adding(signature_defs=[{"inputs": maps, "outputs": [{"name": b"z", "tensor_index": 2}],
                                   "signature_key": b"s%d" % i} for i in range(count)])


def _inputs(count: int) -> dict[str, Any]:
    """As many inputs as tensors: whoever looks each of them up among the others never ends."""
    tensor = {"shape": [1], "name": b"t"}
    graph = {"tensors": [tensor] * count, "inputs": range(count), "outputs": range(count)}
    return adding(subgraphs=[graph])


def _scales(count: int, size: int) -> dict[str, Any]:
    """Many tensors that share their scales and zero points."""
    quantization = {"scale": np.ones(size, np.float32), "zero_point": np.zeros(size, np.int64)}
    tensor = {"shape": [size], "type": 9, "name": b"t", "quantization": quantization}
    graph = {"tensors": [dict(tensor) for _ in range(count)], "inputs": [0], "outputs": [0]}
    return adding(subgraphs=[graph])


def _buffers(count: int, size: int) -> dict[str, Any]:
    """Many buffers that share their bytes, each with a tensor."""
    data = np.ones(size, np.uint8)
    tensors = [{"shape": [size], "type": 9, "name": b"t", "buffer": i + 1} for i in range(count)]
    graph = {"tensors": tensors, "inputs": [], "outputs": [0]}
    return adding(subgraphs=[graph], buffers=[{}, *({"data": data} for _ in range(count))])


def _readers(count: int, size: int) -> dict[str, Any]:
    """Many operators that read one large constant."""
    data = np.ones(size, np.float32)
    tensors = [{"shape": [size], "name": b"c", "buffer": 1}, {"shape": [size], "name": b"x"},
               *({"shape": [size], "name": b"y"} for _ in range(count))]
    operators = [{"inputs": [0, i + 1], "outputs": [i + 2], "builtin_options": ("AddOptions", {})}
                 for i in range(count)]
    graph = {"tensors": tensors, "inputs": [1], "outputs": [count + 1], "operators": operators}
    return adding(subgraphs=[graph], buffers=[{}, {"data": data.view(np.uint8)}],
                  signature_defs=[{"inputs": [{"name": b"x", "tensor_index": 1}], "signature_key": b"s",
                                   "outputs": [{"name": b"y", "tensor_index": count + 1}]}])


def _softmaxes(count: int) -> dict[str, Any]:
    """A chain of operators that hand values on, and as many that look for where it begins."""
    tensors = [{"shape": [1, 1, 1], "name": b"t"} for _ in range(2 * count + 1)]
    operators = [{"opcode_index": 0, "inputs": [i], "outputs": [i + 1]} for i in range(count)]
    operators += [{"opcode_index": 1, "inputs": [count], "outputs": [count + i + 1],
                   "builtin_options": ("SoftmaxOptions", {"beta": 1.0})} for i in range(count)]
    graph = {"tensors": tensors, "inputs": [0], "outputs": [2 * count], "operators": operators}
    return adding(subgraphs=[graph], operator_codes=[
        {"builtin_code": 22, "deprecated_builtin_code": 22, "version": 1},
        {"builtin_code": 25, "deprecated_builtin_code": 25, "version": 1}])


def called(depth: int, width: int) -> dict[str, Any]:
    """Subgraphs that each call the next one several times, so that the last is called width ** depth times."""
    graphs = []
    for i in range(depth):
        operators = [{"opcode_index": 0, "inputs": [j], "outputs": [j + 1],
                      "builtin_options": ("CallOptions", {"subgraph": i + 1})} for j in range(width)]
        graphs.append({"tensors": [{"shape": [1], "name": b"t"} for _ in range(width + 1)], "inputs": [0],
                       "outputs": [width], "operators": operators})
    last = {"tensors": [{"shape": [1], "name": b"t"} for _ in range(2)], "inputs": [0], "outputs": [1],
            "operators": [{"opcode_index": 1, "inputs": [0], "outputs": [1]}]}
    return adding(subgraphs=[*graphs, last], operator_codes=[
        {"builtin_code": 31, "deprecated_builtin_code": 31, "version": 1},
        {"builtin_code": 28, "deprecated_builtin_code": 28, "version": 1}],
        signature_defs=[{"inputs": [{"name": b"x", "tensor_index": 0}], "signature_key": b"s",
                         "outputs": [{"name": b"y", "tensor_index": width}]}])


def _dense_calls(count: int, width: int) -> dict[str, Any]:
    """Subgraphs that call many of those after them."""
    graphs = []
    for i in range(count):
        called = range(i + 1, min(i + 1 + width, count))
        operators = [{"inputs": [0], "outputs": [1], "builtin_options": ("CallOptions", {"subgraph": j})}
                     for j in called]
        graphs.append({"tensors": [{"shape": [1], "name": b"t"} for _ in range(2)], "inputs": [0],
                       "outputs": [1 if operators else 0], "operators": operators})
    return adding(subgraphs=graphs, operator_codes=[
        {"builtin_code": 31, "deprecated_builtin_code": 31, "version": 1}])


def _metadata(entries: int, size: int) -> dict[str, Any]:
    """Many entries of one name, over one buffer."""
    entry = {"name": b"x" * size, "buffer": 1}
    return adding(metadata=[entry] * entries, buffers=[{}, {"data": np.ones(size, np.uint8)}])


def _provenance(text: bytes) -> dict[str, Any]:
    """An own description of ``text``."""
    return adding(metadata=[{"name": b"mbl", "buffer": 1}], buffers=[{}, {"data": np.frombuffer(text, np.uint8)}])


def _flatbuffers() -> dict[str, Callable[[], dict[str, Any]]]:
    code = {"version": 1, "custom_code": b"c" * 1000}
    tensor, shape = {"shape": np.ones(100_000, np.int32), "name": b"t"}, np.ones(8, np.int32)
    variant = {"shape": shape}
    return {
        "one name of many tensors": lambda: _names(8_000),
        "one tensor with a long name": lambda: adding(subgraphs=[{"tensors": [
            {"shape": [1], "name": b"x" * (1 << 20)}] * 20_000}]),
        "one list of inputs": lambda: signatures(1000, 1 << 20),
        "signatures": lambda: signatures(1025, 10),
        "inputs": lambda: _inputs(14_000), "scales": lambda: _scales(8_000, 30_000),
        "one buffer": lambda: _buffers(4_000, 1 << 20), "custom options": lambda: _custom(4_000, 1 << 20),
        "metadata": lambda: _metadata(30_000, 1 << 20),
        "operator codes": lambda: adding(operator_codes=[code] * 100_000),
        "shapes": lambda: adding(subgraphs=[{"tensors": [tensor] * 20_000}]),
        "variants": lambda: adding(subgraphs=[{"tensors": [{"shape": [1], "variant_tensors": [variant] * 40_000}]}]),
        "subgraphs": lambda: adding(subgraphs=[adding()["subgraphs"][0]] * 1025),
    }


def _described(size: int) -> bytes:
    """A classifier of ours, as far as what it says goes, whose description has lists of lists."""
    return encode(_provenance(b'{"task":"classification","a":[' + b"[]," * size + b"1]}"))


# Name -> the file, made when it is asked for; what refuses it is the check of the flatbuffer.
FLATBUFFERS: dict[str, Callable[[], bytes]] = {
    name: (lambda make=make: encode(make())) for name, make in _flatbuffers().items()}
_WORDS = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"


def _numbers(count: int) -> bytes:
    return b"".join(b"%x\n" % i for i in range(count))


# Name -> files that a model carries, compressed; what refuses them is the reader of the archive.
ARCHIVES: dict[str, Callable[[], dict[str, bytes]]] = {
    "60 million labels": lambda: {"labels.txt": b"\n" * 60_000_000},
    "8 million labels": lambda: {"labels.txt": b"\n" * 8_000_000},
    "labels": lambda: {"labels.txt": _numbers(400_000)},
    "words": lambda: {"vocab.txt": _WORDS + _numbers(400_000)},
    "one word": lambda: {"vocab.txt": _WORDS + b"a" * 50_000_000},
    "entries": lambda: {str(i): b"" for i in range(1_001)},
}


def _names(count: int) -> dict[str, Any]:
    name = b"x" * (1 << 20)
    tensors = [{"shape": [1], "name": name} for _ in range(count)]
    return adding(subgraphs=[{"tensors": tensors, "inputs": [0], "outputs": [0]}])


def _custom(count: int, size: int) -> dict[str, Any]:
    options = np.ones(size, np.uint8)
    operators = [{"inputs": [0, 1], "outputs": [2], "custom_options": options} for _ in range(count)]
    graph = {**adding()["subgraphs"][0], "operators": operators}
    return adding(subgraphs=[graph], operator_codes=[{"builtin_code": 32, "deprecated_builtin_code": 32,
                                                      "custom_code": b"C", "version": 1}])


def with_archive(content: bytes, files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """``content`` with compressed files behind it."""
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()
