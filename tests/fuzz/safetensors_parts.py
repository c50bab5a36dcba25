"""``model.safetensors`` by its structure: the length of the header, its JSON, offsets, types and shapes."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Callable
from typing import Any

from hostile_values import TEXTS, VALUES, WIDE, Case, changed_json, damaged_bytes, dumped, number

Header = dict[str, Any]
NAME, INDEX, SHARDS = "model.safetensors", "model.safetensors.index.json", 2
TYPES = ("F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F4", "F6_E2M3", "F6_E3M2", "C64", "C128", "BOOL", "U8", "I8",
         "I16", "U16", "F16", "BF16", "I32", "U32", "F64", "I64", "U64", "f32", "F32 ", "", "F128", "\x1b[2J")
BITS = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F16": 16, "BF16": 16, "I16": 16, "U16": 16, "F32": 32, "I32": 32,
        "U32": 32, "F64": 64, "I64": 64, "U64": 64, "C64": 64, "C128": 128}


def split(content: bytes) -> tuple[Header, bytes]:
    """The header, and the numbers."""
    (length,) = struct.unpack_from("<Q", content)
    return json.loads(content[8:8 + length]), content[8 + length:]


def joined(header: bytes, data: bytes) -> bytes:
    """A file of both."""
    return struct.pack("<Q", len(header)) + header + data


def sharded(content: bytes) -> Case:
    """The same tensors in two files with their index."""
    header, data = split(content)
    header.pop("__metadata__", None)
    names, case = sorted(header), {}
    where = {name: f"model-{1 + i * SHARDS // len(names):05d}-of-{SHARDS:05d}.safetensors"
             for i, name in enumerate(names)}
    for file in sorted(set(where.values())):
        own, numbers = {}, b""
        for name in (name for name in names if where[name] == file):
            start, end = header[name]["data_offsets"]
            own[name] = {**header[name], "data_offsets": [len(numbers), len(numbers) + end - start]}
            numbers += data[start:end]
        case[file] = joined(json.dumps(own).encode(), numbers)
    return {**case, INDEX: json.dumps({"metadata": {"total_size": len(data)}, "weight_map": where}).encode()}


def mutate(rng: random.Random, case: Case) -> tuple[str, Case]:
    """One of the safetensors files of ``case``, or its index, damaged."""
    if INDEX in case and rng.random() < 0.5:
        index = json.loads(case[INDEX])
        return "index", {**case, INDEX: dumped(rng.choice((_index, changed_json))(rng, index))}
    name = rng.choice(sorted(name for name in case if name.endswith(".safetensors")))
    change = rng.choice(CHANGES)
    return f"{name}: {change.__name__}", {**case, name: change(rng, case[name])}


def _index(rng: random.Random, index: Any) -> Any:
    """Other files for its tensors."""
    names = sorted(index["weight_map"])
    place = rng.choice((*TEXTS, "..", ".", "sub/model.safetensors", "config.json", "vocab.txt", INDEX, *VALUES))
    index["weight_map"].update(dict.fromkeys(rng.sample(names, rng.choice((1, 2, len(names)))), place))
    return index


def length(rng: random.Random, content: bytes) -> bytes:
    """Another length of the header."""
    (said,) = struct.unpack_from("<Q", content)
    value = number(rng, said, len(content), len(content) - 8, 100_000_000)
    return struct.pack("<Q", value & (1 << 64) - 1) + content[8:]


def offsets(rng: random.Random, content: bytes) -> bytes:
    """Tensors that overlap, stand outside, end before they begin, or are all the same numbers."""
    header, data = split(content)
    names = [name for name in header if name != "__metadata__"]
    one, other = rng.sample(names, 2)
    start, end = header[one]["data_offsets"]
    header[one]["data_offsets"] = rng.choice((
        header[other]["data_offsets"], [end, start], [start, end + number(rng)], [start - 4, end - 4], [start], [],
        [start, end, end], [str(start), end], [float(start), float(end)], [number(rng), number(rng)], [0, len(data)],
        [start, start], None, "0,4", [start + 1, end + 1], [-1, 3]))
    if rng.random() < 0.2:  # all of them
        header.update({name: {**header[name], "data_offsets": header[one]["data_offsets"]} for name in names})
    return joined(dumped(header), data)


def types(rng: random.Random, content: bytes) -> bytes:
    """Other types: where the numbers still fit their shape, and where they do not."""
    header, data = split(content)
    names = [name for name in header if name != "__metadata__"]
    wanted = rng.choice((*TYPES, *VALUES))
    for name in rng.choice((names, [rng.choice(names)])):
        entry = header[name]
        entry["dtype"] = wanted
        if isinstance(wanted, str) and entry["shape"] and rng.random() < 0.7:
            elements = (entry["data_offsets"][1] - entry["data_offsets"][0]) * 8 // BITS.get(wanted, 8)
            rows = math.prod(entry["shape"][:-1])
            entry["shape"][-1] = elements // max(rows, 1)
    return joined(dumped(header), data)


def shapes(rng: random.Random, content: bytes) -> bytes:
    """Products that overflow, nothing times everything, many axes, or no numbers."""
    header, data = split(content)
    entry = header[rng.choice([name for name in header if name != "__metadata__"])]
    entry["shape"] = rng.choice((
        [1 << 32, 1 << 32], [1 << 63, 2], [(1 << 64) - 1], [1 << 64], [-1, -1], [0, 1 << 62, 1 << 62], [0], [],
        [1] * 33, [1] * 70, [1] * 100_000, entry["shape"][::-1], [*entry["shape"], 1], [math.prod(entry["shape"])],
        [float(size) for size in entry["shape"]], [str(size) for size in entry["shape"]], [rng.choice(WIDE)],
        [rng.choice(WIDE), rng.choice(WIDE)], entry["shape"] + [0], rng.choice(VALUES)))
    if rng.random() < 0.3:
        entry["data_offsets"] = [0, 0]
    return joined(dumped(header), data)


def names(rng: random.Random, content: bytes) -> bytes:
    """Names twice, of any characters, of another network, or 50,000 of them."""
    header, data = split(content)
    found = [name for name in header if name != "__metadata__"]
    one = rng.choice(found)
    entry = json.dumps(header[one]).encode()
    how = rng.randrange(5)
    if how == 0:
        return joined(dumped(header)[:-1] + b", " + json.dumps(one).encode() + b": " + entry + b"}", data)
    if how == 1:
        header[rng.choice(TEXTS)] = header.pop(one)
    elif how == 2:
        empty = {"dtype": "F32", "shape": [0], "data_offsets": [len(data), len(data)]}
        header.update({f"{one}.{i}": empty for i in range(50_000)})
    elif how == 3:
        count = rng.choice((100, 100_000, (1 << 31) - 1, 1 << 70))
        header[f"mobilebert.encoder.layer.{count}.output.dense.weight"] = header.pop(one)
    else:
        header[one + rng.choice((".weight_scale", ".qweight", ".SCB", ".lora_A.weight", ".gamma"))] = header.pop(one)
    return joined(dumped(header), data)


def notes(rng: random.Random, content: bytes) -> bytes:
    """Another ``__metadata__``, and spaces around the header."""
    header, data = split(content)
    header["__metadata__"] = rng.choice((*VALUES, {"format": "pt", "a": 1}, {str(i): "x" * 20 for i in range(50_000)}))
    spaces = b" " * rng.choice((0, 1, 7, 1_000_000))
    return joined(rng.choice((b"", b"", spaces)) + dumped(header) + spaces, data)


def tree(rng: random.Random, content: bytes) -> bytes:
    """Any value of the header."""
    header, data = split(content)
    return joined(dumped(changed_json(rng, header)), data)


def raw(rng: random.Random, content: bytes) -> bytes:
    """Damage anywhere."""
    return damaged_bytes(rng, content)[1]


CHANGES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    length, offsets, types, types, shapes, names, notes, tree, raw)
