"""Files that promise, in few bytes, more than a machine has: for readers of untrusted bytes."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
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


def _signatures(count: int, size: int) -> dict[str, Any]:
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


def _called(depth: int, width: int) -> dict[str, Any]:
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


def tflite() -> dict[str, bytes]:
    """Every kind of such a file, by name."""
    code, graph, tensor, shape = ({"version": 1, "custom_code": b"c" * 1000}, adding()["subgraphs"][0],
                                  {"shape": np.ones(100_000, np.int32), "name": b"t"}, np.ones(8, np.int32))
    return {name: encode(model) for name, model in {
        "names": adding(subgraphs=[{"tensors": [{"shape": [1], "name": b"x" * (1 << 20)}] * 20_000}]),
        "own tables, one name": _names(20_000),
        "signatures": _signatures(1000, 10), "signatures, long names": _signatures(1000, 1 << 20),
        "signatures, many": _signatures(15_000, 10),
        "inputs": _inputs(14_000), "scales": _scales(15_000, 30_000), "buffers": _buffers(15_000, 1 << 20),
        "readers": _readers(14_000, 250_000), "softmaxes": _softmaxes(10_000), "called": _called(1000, 2),
        "dense calls": _dense_calls(1000, 20), "metadata": _metadata(30_000, 1 << 20),
        "operator codes": adding(operator_codes=[code] * 1_000_000),
        "operator codes, fewer": adding(operator_codes=[code] * 30_000),
        "subgraphs": adding(subgraphs=[graph] * 1024),
        "shapes": adding(subgraphs=[{"tensors": [tensor] * 20_000}]),
        "variants": adding(subgraphs=[{"tensors": [{"shape": [1], "variant_tensors": [{"shape": shape}] * 30_000}]}]),
        "custom options": _custom(20_000, 1 << 20),
        "provenance of lists": _provenance(b'{"a":[' + b"[]," * 1_000_000 + b"1]}"),
        "provenance, deep": _provenance(b"[" * 1_000_000),
        "provenance, long number": _provenance(b'{"a":' + b"9" * 1_000_000 + b"}"),
    }.items()} | archives()


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


def archives() -> dict[str, bytes]:
    """Files that carry too much."""
    plain = encode(adding(metadata=[{"name": b"mbl", "buffer": 1}],
                          buffers=[{}, {"data": np.frombuffer(b'{"task":"classification"}', np.uint8)}],
                          signature_defs=[{"inputs": [{"name": b"x", "tensor_index": 0}],
                                           "outputs": [{"name": b"probability", "tensor_index": 2}],
                                           "signature_key": b"classification_16"}]))
    words = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
    return {
        "archive, 60 million labels": with_archive(plain, {"labels.txt": b"\n" * 60_000_000, "vocab.txt": words}),
        "archive, 8 million labels": with_archive(plain, {"labels.txt": b"\n" * 8_000_000, "vocab.txt": words}),
        "archive, labels": with_archive(plain, {"vocab.txt": words, "labels.txt":
                                                b"".join(b"%x\n" % i for i in range(1_200_000))}),
        "archive, words": with_archive(plain, {"vocab.txt": words + b"".join(b"%x\n" % i for i in range(1_200_000))}),
        "archive, many words": with_archive(plain, {"vocab.txt": words + b"a\n" * 10_000_000}),
        "archive, one line": with_archive(plain, {"vocab.txt": words + b"a" * 50_000_000}),
        "archive, entries": with_archive(plain, {f"{i}": b"" for i in range(100_000)}),
    }


def write_all(folder: Any, kinds: Sequence[str] = ()) -> None:
    """All of them as files."""
    for name, content in tflite().items():
        if not kinds or name in kinds:
            (folder / f"{name.replace(', ', '-').replace(' ', '_')}.tflite").write_bytes(content)


if __name__ == "__main__":
    import sys
    from pathlib import Path

    write_all(Path(sys.argv[1]))
    json.dumps({})
