"""TensorFlow checkpoints by their structure: entries of the index, blocks, shards, and the description of objects."""

from __future__ import annotations

import random
from typing import Any

import sstables
from hostile_values import TEXTS, Case, damaged_bytes, damaged_text, number

OBJECT_GRAPH = b"_CHECKPOINTABLE_OBJECT_GRAPH"
Entries = list[tuple[bytes, bytes]]
TYPES = (*range(26), 100, 101, 119, 120, 1000)


def mutate(rng: random.Random, case: Case) -> tuple[str, Case]:
    """A checkpoint with one of its files damaged."""
    index = next(name for name in case if name.endswith(".index"))
    data = next(name for name in case if ".data-" in name)
    entries = sstables.read(case[index])
    kinds = [_entry, _entry, _entry, _head, _keys, _blocks, _files, _numbers, _raw]
    if any(key == OBJECT_GRAPH for key, _ in entries):
        kinds += [_objects, _objects]
    return rng.choice(kinds)(rng, case, index, data, entries)


def _messages() -> Any:
    from tensorflow.core.protobuf import tensor_bundle_pb2

    return tensor_bundle_pb2


def _entry(rng: random.Random, case: Case, index: str, data: str, entries: Entries) -> tuple[str, Case]:
    """Type, shape, shard, place, size, sum or slices of one tensor, or of all."""
    places = range(1, len(entries))
    what, changed = "", entries[:]
    how = rng.choice(("type", "shape", "shape", "shard", "place", "size", "sum", "slices", "same", "unknown"))
    value, wide = rng.choice(TYPES), number(rng, len(case[data]))
    shape = rng.choice(([wide], [1 << 31, 1 << 31], [1 << 62, 4], [-1], [-2, 3], [0, 1 << 40], [1] * 300, [], None,
                        [1 << 32, 1 << 32]))
    for place in rng.choice(([rng.choice(places)], [rng.choice(places)], places)):
        entry = _messages().BundleEntryProto.FromString(changed[place][1])
        what = f"entry: {how}"
        _put(entry, how, {"type": value, "shape": shape, "wide": wide, "first": entries[1][1]})
        changed[place] = (changed[place][0], entry.SerializeToString() + (b"\xff\x01\x02" if how == "unknown" else b""))
    return what, {**case, index: sstables.write(changed)}


def _put(entry: Any, how: str, values: dict[str, Any]) -> None:
    narrow = (values["wide"] + (1 << 31)) % (1 << 32) - (1 << 31)
    wide = (values["wide"] + (1 << 63)) % (1 << 64) - (1 << 63)
    if how == "type":
        entry.dtype = values["type"]
    elif how == "shape":
        del entry.shape.dim[:]
        entry.shape.unknown_rank = values["shape"] is None
        for size in values["shape"] or ():
            entry.shape.dim.add(size=(size + (1 << 63)) % (1 << 64) - (1 << 63))
    elif how == "shard":
        entry.shard_id = narrow
    elif how == "place":
        entry.offset = wide
    elif how == "size":
        entry.size = wide
    elif how == "sum":
        entry.crc32c = values["wide"] & 0xFFFFFFFF
    elif how == "same":
        first = type(entry).FromString(values["first"])
        entry.offset, entry.size = first.offset, first.size
    elif how == "slices":
        for _ in range(3):
            extent = entry.slices.add().extent.add()
            extent.start, extent.length = wide, wide


def _head(rng: random.Random, case: Case, index: str, data: str, entries: Entries) -> tuple[str, Case]:
    """What the index says of the whole checkpoint."""
    head = _messages().BundleHeaderProto.FromString(entries[0][1])
    narrow = (number(rng) + (1 << 31)) % (1 << 32) - (1 << 31)
    how = rng.choice(("shards", "order", "version", "absent", "bytes"))
    if how == "shards":
        head.num_shards = narrow
    elif how == "order":
        head.endianness = 1
    elif how == "version":
        head.version.producer, head.version.min_consumer = narrow, narrow
    value = head.SerializeToString()
    if how == "bytes":
        value = rng.choice((b"", b"\xff" * 20, b"\x08" + b"\xff" * 9 + b"\x01"))
    return f"head: {how}", {**case, index: sstables.write(([] if how == "absent" else [(b"", value)]) + entries[1:])}


def _keys(rng: random.Random, case: Case, index: str, data: str, entries: Entries) -> tuple[str, Case]:
    """Names twice, out of order, of any characters, absent, or 50,000 of them."""
    changed, place = entries[:], rng.randrange(1, len(entries))
    key, value = changed[place]
    how = rng.choice(("twice", "order", "name", "absent", "many", "layers"))
    if how == "twice":
        changed.insert(place, changed[place])
    elif how == "order":
        rng.shuffle(changed)
    elif how == "name":
        changed[place] = (rng.choice((*(one.encode("utf-8", "surrogatepass") for one in TEXTS), b"\xff\xfe")), value)
        changed.sort()
    elif how == "absent":
        del changed[place]
    elif how == "many":
        empty = _messages().BundleEntryProto.FromString(value)
        empty.size, empty.crc32c = 0, sstables.masked_sum(b"")
        del empty.shape.dim[:]
        empty.shape.dim.add(size=0)
        more, count = rng.choice((value, empty.SerializeToString())), rng.choice((5000, 19_000, 50_000))
        changed = sorted([*changed, *((key + b"/%d" % i, more) for i in range(count))])
    else:
        many = rng.choice((b"999", b"1000000", b"99999999999999999999"))
        changed = sorted((key.replace(b"layer_0/", b"layer_" + many + b"/")
                          .replace(b"weights-1/", b"weights-" + many + b"/"), value) for key, value in changed)
    return f"keys: {how}", {**case, index: sstables.write(changed)}


def _blocks(rng: random.Random, case: Case, index: str, data: str, entries: Entries) -> tuple[str, Case]:
    """What a block says of itself: how it is packed, where its entries begin, and what they share; or the footer."""
    how = rng.choice(("packing", "restarts", "shared", "footer", "empty"))
    if how == "packing":
        content = sstables.write(entries, packing=rng.choice((1, 2, 4, 255)))
    elif how == "restarts":
        content = sstables.write(entries, restarts=number(rng, len(entries)))
    elif how == "shared":
        content = sstables.write(entries, shared=rng.choice((1, 5, 1 << 31, 1 << 35)))
    elif how == "empty":
        content = sstables.write([])
    else:
        footer = bytearray(case[index][-sstables.FOOTER:])
        handles = b"".join(sstables.varint(number(rng, len(case[index])) & (1 << 64) - 1) for _ in range(3))
        footer[:len(handles)] = handles
        content = case[index][:-sstables.FOOTER] + bytes(footer[:sstables.FOOTER - 8]) + case[index][-8:]
    return f"blocks: {how}", {**case, index: content}


def _objects(rng: random.Random, case: Case, index: str, data: str, entries: Entries) -> tuple[str, Case]:
    """Another description of the program's objects, in its place in the data; its sum is right."""
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    place = next(i for i, (key, _) in enumerate(entries) if key == OBJECT_GRAPH)
    entry = _messages().BundleEntryProto.FromString(entries[place][1])
    # A tensor of one text: its length, the sum of that, the text.
    held = case[data][entry.offset:entry.offset + entry.size]
    length, start = sstables.read_varint(held, 0)
    graph = TrackableObjectGraph.FromString(held[start + 4:start + 4 + length])
    for node in rng.sample(list(graph.nodes), min(len(graph.nodes), rng.choice((1, 5, len(graph.nodes))))):
        narrow = (number(rng, len(graph.nodes)) + (1 << 31)) % (1 << 32) - (1 << 31)
        for child in node.children:
            child.node_id, child.local_name = rng.choice(
                ((narrow, child.local_name), (0, "scale"), (child.node_id, "gamma")))
        for attribute in node.attributes:
            attribute.full_name = rng.choice([*(one for one in TEXTS if one != "\ud800"), attribute.checkpoint_key])
    text = graph.SerializeToString() if rng.random() < 0.8 else damaged_bytes(rng, graph.SerializeToString())[1]
    size = len(text).to_bytes(4 if len(text) < 1 << 32 else 8, "little")
    head = sstables.varint(len(text))
    lengths_sum = sstables.masked_sum(size).to_bytes(4, "little")
    entry.offset, entry.size = len(case[data]), len(head) + 4 + len(text)
    entry.crc32c = sstables.masked_sum(size + lengths_sum + text)
    changed = entries[:]
    changed[place] = (OBJECT_GRAPH, entry.SerializeToString())
    return "objects", {**case, index: sstables.write(changed), data: case[data] + head + lengths_sum + text}


def _files(rng: random.Random, case: Case, index: str, data: str, entries: Entries) -> tuple[str, Case]:
    """Shards of other numbers, files that are absent, and a ``checkpoint`` that names something else."""
    stem = data.rsplit("-", 3)[0]
    others = [f"{stem}-{part}" for part in ("00000-of-00002", "00001-of-00002", "99998-of-99999", "00000-of-00000")]
    how = rng.choice(("renamed", "more", "absent", "checkpoint", "second"))
    if how == "renamed":
        return how, {**{name: held for name, held in case.items() if name != data}, rng.choice(others): case[data]}
    if how == "more":
        return how, {**case, **dict.fromkeys(rng.sample(others, 2), case[data])}
    if how == "absent":
        gone = rng.choice(sorted(case))
        return f"without {gone}", {name: held for name, held in case.items() if name != gone}
    if how == "second":
        return how, {**case, f"other{index}": case[index], f"other{data}": case[data]}
    named = rng.choice([one for one in TEXTS if one != "\ud800"])
    return how, {**case, "checkpoint": f'model_checkpoint_path: "{named}"\n'.encode(), "other.index": case[index]}


def _numbers(rng: random.Random, case: Case, index: str, data: str, entries: Entries) -> tuple[str, Case]:
    what, changed = damaged_bytes(rng, case[data])
    return f"data: {what}", {**case, data: changed}


def _raw(rng: random.Random, case: Case, index: str, data: str, entries: Entries) -> tuple[str, Case]:
    what, changed = rng.choice((damaged_bytes, damaged_text))(rng, case[index])
    return f"index: {what}", {**case, index: changed}


