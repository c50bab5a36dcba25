"""``.tflite`` by the structure of its flatbuffer: every offset, vector and number of every table, and who shares what.

`mutations.py` changes bytes, objects and appended files; here parents are led to the same children, at the level below
what any writer of objects can say.
"""

from __future__ import annotations

import random
import struct
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mutations
from hostile_values import TEXTS, Case, changed_json, dumped, number

from mobilebert_lite.tflite import container
from mobilebert_lite.tflite.edits import set_metadata
from mobilebert_lite.tflite.flatbuffer import read_model, schema, write_model
from mobilebert_lite.tflite.schema_tables import TABLES, UNIONS

NAME = "model.tflite"
WIDTHS = {"i8": 1, "u8": 1, "bool": 1, "u16": 2, "i32": 4, "u32": 4, "f32": 4, "i64": 8, "u64": 8}


@dataclass
class Places:
    """Where a flatbuffer's parts stand. Each label is a field such as ``Tensor.name``, each item of a list ``…[]``."""

    # Label -> (where the offset stands, where it leads).
    offsets: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    # Label -> (where, bytes) of numbers in tables.
    numbers: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    # Label -> (where the length stands, bytes of an element).
    vectors: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    seen: set[int] = field(default_factory=set)


def places(content: bytes) -> Places:
    """Of a whole file."""
    found = Places()
    _table(content, "Model", struct.unpack_from("<I", content)[0], found)
    return found


def _table(content: bytes, table: str, position: int, found: Places) -> None:
    if position in found.seen:
        return
    found.seen.add(position)
    layout = position - struct.unpack_from("<i", content, position)[0]
    (length,) = struct.unpack_from("<H", content, layout)
    types: dict[str, int] = {}
    for slot, (name, kind) in enumerate(_slots(table)[:length // 2 - 2]):
        (offset,) = struct.unpack_from("<H", content, layout + 4 + 2 * slot)
        if not offset or name == "-":
            continue
        where, label = position + offset, f"{table}.{name}"
        if kind in WIDTHS:
            found.numbers[label].append((where, WIDTHS[kind]))
            types[name] = content[where]
        else:
            _follow(content, kind, label, where, types.get(f"{name}_type", 0), found)


def _slots(table: str) -> list[tuple[str, str]]:
    return [(name, kind) for name, _, kind in (one.partition(":") for one in TABLES.get(table, "").split())]


def _follow(content: bytes, kind: str, label: str, where: int, member: int, found: Places) -> None:
    target = where + struct.unpack_from("<I", content, where)[0]
    if kind in UNIONS:
        if not member:
            return
        kind = UNIONS[kind].split()[member]
    found.offsets[label].append((where, target))
    if kind == "string" or kind[0] == "[":
        inner = kind.strip("[]")
        found.vectors[label].append((target, WIDTHS.get(inner, 1 if kind == "string" else 4)))
        if kind != "string" and inner not in WIDTHS:
            (count,) = struct.unpack_from("<I", content, target)
            for i in range(count):
                _follow(content, inner, f"{label}[]", target + 4 + 4 * i, 0, found)
    else:
        _table(content, kind, target, found)


def _split(content: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The flatbuffer, and the appended files."""
    return content[:content.find(b"PK\3\4")], container.read_files(content)


def _led(content: bytes, where: list[int], target: int) -> bytes:
    changed = bytearray(content)
    for place in where:
        struct.pack_into("<I", changed, place, (target - place) & 0xFFFFFFFF)
    return bytes(changed)


def _aligned(content: bytes) -> bytes:
    return content + bytes(-len(content) % 16)


def sharing(rng: random.Random, content: bytes) -> bytes:
    """All fields of one kind lead to one child: the last of its kind, or a text or a vector of a megabyte."""
    found = places(content)
    label = rng.choice(sorted(found.offsets))
    pairs, (start, files) = found.offsets[label], _split(content)
    target = max(target for _, target in pairs)
    if label in found.vectors and rng.random() < 0.6:
        size, width = rng.choice((1000, 100_000, 1_000_000)), found.vectors[label][0][1]
        start = _aligned(start)
        target, start = len(start), start + struct.pack("<I", size // width) + b"a" * size + b"\0"
    return container.append_files(_aligned(_led(start, [where for where, _ in pairs], target)), files)


def crossing(rng: random.Random, content: bytes) -> bytes:
    """Some fields lead to the children of another kind, or just beside their own."""
    found = places(content)
    for _ in range(rng.choice((1, 1, 3))):
        label, other = rng.choice(sorted(found.offsets)), rng.choice(sorted(found.offsets))
        where, own = rng.choice(found.offsets[label])
        beside = own + rng.choice((-4, -1, 1, 4, 8))
        theirs = rng.choice(found.offsets[other])[1]
        target = rng.choice((theirs, beside, len(content) - 4, 0, where, where + number(rng)))
        content = _led(content, [where], target)
    return content


def long_lists(rng: random.Random, content: bytes) -> bytes:
    """A list of tables or texts that names one of them thousands of times."""
    found = places(content)
    label = rng.choice(sorted(label for label in found.offsets if f"{label}[]" in found.offsets))
    where, _ = rng.choice(found.offsets[label])
    count = rng.choice((100, 1000, 20_000, 200_000))
    start, files = _split(content)
    start = _aligned(start)
    # Offsets lead forward, so the child stands behind the list: a table without fields. Those of the children that are
    # there already would lead back, by way of 2**32, which readers must not follow.
    place, ends = len(start), 4 + 4 * count
    bare = struct.pack("<HHi", 4, 4, 4)
    target = rng.choice((place + ends + 4, place + ends + 4, rng.choice(found.offsets[f"{label}[]"])[1]))
    items = b"".join(struct.pack("<I", (target - (place + 4 + 4 * i)) & 0xFFFFFFFF) for i in range(count))
    made = start + struct.pack("<I", count) + items + bare
    return container.append_files(_aligned(_led(made, [where], place)), files)


def lengths(rng: random.Random, content: bytes) -> bytes:
    """Other lengths of vectors and texts."""
    found, changed = places(content), bytearray(content)
    for _ in range(rng.choice((1, 1, 4))):
        where, width = rng.choice(found.vectors[rng.choice(sorted(found.vectors))])
        value = number(rng, struct.unpack_from("<I", content, where)[0], (len(content) - where) // width)
        struct.pack_into("<I", changed, where, value & 0xFFFFFFFF)
    return bytes(changed)


def numbers(rng: random.Random, content: bytes) -> bytes:
    """Other numbers in tables: types, indices, versions, options; of one table, or of all of its kind."""
    found, changed = places(content), bytearray(content)
    for label in rng.sample(sorted(found.numbers), rng.choice((1, 1, 2, 4))):
        value = number(rng, len(found.offsets["Tensor.shape"]), len(found.offsets["Model.buffers[]"]))
        for where, width in rng.choice((found.numbers[label], [rng.choice(found.numbers[label])])):
            changed[where:where + width] = (value & (1 << 8 * width) - 1).to_bytes(width, "little")
    return bytes(changed)


def elements(rng: random.Random, content: bytes) -> bytes:
    """Other elements of vectors of numbers that are no weights: shapes, inputs and outputs, scales, zero points."""
    found, changed = places(content), bytearray(content)
    labels = [label for label, ones in found.vectors.items()
              if ones[0][1] in (4, 8) and f"{label}[]" not in found.offsets]
    label = rng.choice(sorted(labels))
    for where, width in rng.sample(found.vectors[label], min(len(found.vectors[label]), rng.choice((1, 1, 3)))):
        (count,) = struct.unpack_from("<I", content, where)
        for i in range(count) if rng.random() < 0.3 else [rng.randrange(count)] if count else []:
            place = where + 4 + width * i
            changed[place:place + width] = (number(rng) & (1 << 8 * width) - 1).to_bytes(width, "little")
    return bytes(changed)


def signatures(rng: random.Random, content: bytes) -> bytes:
    """Names twice or of any characters, tensors and subgraphs that are not there, maps of thousands of names."""
    model = read_model(content)
    one = rng.choice(model.signatureDefs)
    tensors = rng.choice((one.inputs, one.outputs))
    odd = [text.encode("utf-8", "surrogatepass") for text in TEXTS]
    changes: list[Callable[[], Any]] = [
        lambda: setattr(one, "signatureKey", rng.choice((*odd, None, b"qa_16", b"serving_default"))),
        lambda: setattr(one, "subgraphIndex", number(rng) & 0xFFFFFFFF),
        lambda: setattr(rng.choice(tensors), "name", rng.choice((*odd, None))),
        lambda: setattr(rng.choice(tensors), "tensorIndex", number(rng) & 0xFFFFFFFF),
        lambda: tensors.pop(), lambda: tensors.extend(tensors[:1] * rng.choice((1, 1000))),
        lambda: model.signatureDefs.extend([one] * rng.choice((1, 17, 1000))),
        lambda: model.signatureDefs.clear(), lambda: setattr(one, rng.choice(("inputs", "outputs")), None),
        lambda: model.subgraphs.extend(model.subgraphs[:1] * rng.choice((1, 20))),
        lambda: _numbered(model, one, rng.choice((50, 1000)))]
    for change in rng.sample(changes, rng.choice((1, 1, 2))):
        change()
    return container.append_files(write_model(model), container.read_files(content))


def _numbered(model: Any, one: Any, count: int) -> None:
    """Signatures of different names on the same subgraph."""
    for i in range(count):
        fresh = schema().SignatureDefT()
        fresh.signatureKey, fresh.subgraphIndex = f"qa_{i + 1}".encode(), one.subgraphIndex
        fresh.inputs, fresh.outputs = one.inputs, one.outputs
        model.signatureDefs.append(fresh)


def descriptions(rng: random.Random, content: bytes) -> bytes:
    """Metadata: entries twice, of any name, of other buffers, or damaged inside; provenance changed as a tree."""
    model = read_model(content)
    how = rng.randrange(4)
    if how == 0:
        one = rng.choice(model.metadata)
        model.metadata.extend([one] * rng.choice((1, 5000)))
    elif how == 1:
        rng.choice(model.metadata).buffer = number(rng, len(model.buffers)) & 0xFFFFFFFF
    elif how == 2:
        value = changed_json(rng, container.read_provenance(content))
        set_metadata(model, container.ENTRY, dumped(value))
    else:
        entry = rng.choice(["TFLITE_METADATA", "min_runtime_version", container.ENTRY])
        held = container.read_entry(content, entry) or b"0"
        set_metadata(model, entry, mutations.bits(rng, held + bytes(8), b"") if rng.random() < 0.7 else
                     rng.choice(TEXTS).encode("utf-8", "surrogatepass"))
    return container.append_files(write_model(model), container.read_files(content))


PARTS = (sharing, sharing, crossing, long_lists, lengths, numbers, numbers, elements, signatures, signatures,
         descriptions)


def mutate(rng: random.Random, case: Case) -> tuple[str, Case]:
    """The file of ``case`` damaged: by its structure, or as ``mutations`` has it."""
    content = case[NAME]
    if rng.random() < 0.5:
        change = rng.choice(PARTS)
        return change.__name__, {**case, NAME: change(rng, content)}
    older = rng.choice(mutations.MUTATIONS)
    return older.__name__, {**case, NAME: older(rng, content, case["other.tflite"])}
