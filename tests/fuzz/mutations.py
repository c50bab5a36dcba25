"""Files that are wrong in every way a file can be; the same seed gives the same file."""

from __future__ import annotations

import io
import json
import random
import struct
import warnings
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite.edits import set_metadata
from mobilebert_lite.tflite.flatbuffer import read_model, write_model
from mobilebert_lite.tflite.verifier import read_tables

# Takes the random numbers, the file, and another one.
Mutation = Callable[[random.Random, bytes, bytes], bytes]

NUMBERS = (0, 1, 2, 3, 127, 128, 255, 256, 65535, 1 << 20, (1 << 31) - 1, -(1 << 31), -1, -2, -128, 1000, 7)
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1 << 70, 10 ** 300, 0.5, float("nan"), float("inf"), "", "qa", "[/red]",
    "classification", "features", "\x1b[31m\x07", "x" * 100_000, "\ud800", [], [[]], {}, {"a": 1}, [None],
    "next-sentence", "fill-mask", 4096, 5000)


def bits(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """A few bits, anywhere."""
    return _flipped(rng, content, range(len(content)))


def structure_bits(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """A few bits outside the weights."""
    return _flipped(rng, content, structure(content))


def structure_words(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Words outside the weights, by numbers that tend to hurt."""
    changed, places = bytearray(content), structure(content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        place = rng.choice(places) // 4 * 4
        value = rng.choice((*NUMBERS, len(content), place, rng.getrandbits(31)))
        changed[place:place + 4] = struct.pack("<I", value & 0xFFFFFFFF)
    return bytes(changed)


def truncation(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """The beginning alone, or without a piece of the middle."""
    start = rng.randrange(8, len(content))
    return content[:start] + (content[start + rng.randrange(1, 5000):] if rng.random() < 0.3 else b"")


def splice(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """A piece of another file, or of another place of this one."""
    size = rng.choice((4, 16, 64, 1024, 50_000))
    source = rng.choice((content, other))
    start, place = rng.randrange(0, len(source) - 4, 4), rng.choice(structure(content)) // 4 * 4
    piece = source[start:start + size]
    return content[:place] + piece + content[place + (len(piece) if rng.random() < 0.7 else 0):]


def whole_splice(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """The flatbuffer of one with the appended files of the other, or one after the other."""
    parts = [content, other]
    rng.shuffle(parts)
    if rng.random() < 0.5:
        return parts[0] + parts[1]
    return parts[0][:parts[0].rfind(b"PK\3\4")] + parts[1][max(parts[1].find(b"PK\3\4"), 0):]


def semantics(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Well-formed, but with other numbers in the tables: shapes, types, indices, options, quantization."""
    model = read_model(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        subgraph = rng.choice(model.subgraphs)
        target = rng.choice((rng.choice(subgraph.tensors), rng.choice(subgraph.tensors), rng.choice(subgraph.operators),
                             rng.choice(subgraph.operators).builtinOptions, rng.choice(subgraph.tensors).quantization,
                             rng.choice(model.operatorCodes), subgraph, rng.choice(model.signatureDefs),
                             rng.choice(model.signatureDefs[0].inputs), rng.choice(model.metadata)))
        if target is not None:
            _change(rng, target)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            changed = write_model(model)
    except Exception:  # a number that its field cannot hold
        return structure_words(rng, content, other)
    return metadata.append_files(changed, metadata.read_files(content))


def _change(rng: random.Random, target: Any) -> None:
    names = [name for name, value in vars(target).items() if isinstance(value, int | list | np.ndarray)
             and not isinstance(value, bool)]
    if not names:
        return
    name = rng.choice(names)
    value = getattr(target, name)
    if isinstance(value, int):
        setattr(target, name, rng.choice(NUMBERS))
    elif len(value) and isinstance(value[0], int | np.integer | np.floating):
        fresh = np.array(value)
        fresh[rng.randrange(len(fresh))] = rng.choice(NUMBERS) % 128 if fresh.dtype.kind != "f" else rng.choice(
            (0.0, -1.0, np.inf, np.nan, 1e-30, 1e30))
        if rng.random() < 0.3:
            fresh = fresh[:-1] if rng.random() < 0.5 else np.concatenate([fresh, fresh])
        setattr(target, name, fresh)
    elif len(value) > 1:
        first, second = rng.randrange(len(value)), rng.randrange(len(value))
        value[first], value[second] = value[second], value[first]


def provenance(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Another value somewhere in the description."""
    value = metadata.read_provenance(content)
    for _ in range(rng.choice((1, 1, 3))):
        place: Any = value
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            # The parts that are read again come up more often.
            key = rng.choice([*keys, *(key for key in keys if key in ("task", "form", "fusion", "float16")) ])
            if isinstance(place[key], dict | list) and place[key] and rng.random() < 0.7:
                place = place[key]
                continue
            place[key] = rng.choice(VALUES)
            break
    return _with_entry(content, json.dumps(value).encode())


def entry(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Something else for a description."""
    return _with_entry(content, rng.choice((
        b"", b"{", b"[" * 100_000, b"[]", b"null", b"3", rng.randbytes(64), b"\xff\xfe{}",
        b'{"task": ' + b"9" * 5000 + b"}",
        b'{"task": "qa", "form": []}', b'{"a":' * 5000 + b"1" + b"}" * 5000, metadata.read_entry(other, "mbl") or b"")))


def _with_entry(content: bytes, value: bytes) -> bytes:
    model = read_model(content)
    set_metadata(model, metadata.ENTRY, value)
    return metadata.append_files(write_model(model), metadata.read_files(content))


def archive_bytes(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Bits and words of the zip's own tables."""
    start = content.rfind(b"PK\1\2") if rng.random() < 0.7 else content.rfind(b"PK\3\4")
    return _flipped(rng, content, range(start, len(content)))


def archive(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Names that lead outside, entries twice, far too large, far too many, or compressed in other ways."""
    files = metadata.read_files(content)
    stream = io.BytesIO(content[:content.find(b"PK\3\4")])
    names = rng.choice((["../../outside"], ["/outside"], ["vocab.txt/../../outside"], ["C:\\outside"], ["outside\0"],
                        ["\x1b[2J"], ["[/red]"], ["labels.txt"] * 2, [""], ["x/"], [f"{i}" for i in range(1500)],
                        ["a" * 60_000], ["vocab.txt"]))
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "a", rng.choice((0, 8, 12, 14))) as made:
        warnings.simplefilter("ignore")
        for name, data in files.items():
            if rng.random() < 0.8:
                made.writestr(name, data)
        for name in names:
            made.writestr(zipfile.ZipInfo(name), b"\0" * (rng.choice((0, 10, 70 << 20)) if len(names) == 1 else 1),
                          rng.choice((0, 8)) if len(names) > 1 else 8)
    return stream.getvalue()


def carried(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Another vocabulary, or other labels."""
    files = metadata.read_files(content)
    name = rng.choice(list(files))
    lines = files[name].split(b"\n")
    rng.shuffle(lines)
    files[name] = rng.choice((
        b"", b"\n", b"\xff\xfe", b"\n".join(lines), files[name][:rng.randrange(len(files[name]))], b"\n" * 3_000_000,
        files[name] + b"extra\n" * 1000, files[name].replace(b"[CLS]", b"[cls]"), b"\x1b[31m" + files[name],
        files[name].replace(b"\n", b"\r\n"), files[name].replace(b"\n", b"\0"), b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n",
        b"\n".join(b"same" for _ in lines), b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n" + "\u2028a\u0085b".encode()))
    return metadata.append_files(content[:content.find(b"PK\3\4")], files)


def structure(content: bytes) -> Sequence[int]:
    """Places of the flatbuffer that are no weights."""
    found = np.ones(len(content), bool)
    begin = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
    for buffer in read_tables(content).get("buffers", []):
        data = buffer.get("data", ())
        if len(data) > 64:
            start = data.__array_interface__["data"][0] - begin
            found[start:start + len(data)] = False
    appended = content.find(b"PK\3\4")
    found[appended if appended >= 0 else len(content):] = False
    found[4:8] = False
    return [*map(int, np.flatnonzero(found))]


def _flipped(rng: random.Random, content: bytes, places: Sequence[int]) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 2, 8, 64))):
        changed[rng.choice(places)] ^= 1 << rng.randrange(8)
    return bytes(changed)


MUTATIONS: tuple[Mutation, ...] = (
    bits, structure_bits, structure_words, semantics, truncation, splice, semantics, whole_splice, provenance, entry,
    archive_bytes, archive, carried, semantics, structure_words, provenance)


def mutate(seed: int, files: Sequence[bytes]) -> tuple[str, bytes]:
    """(what was done, the file)."""
    rng = random.Random(seed)
    mutation = MUTATIONS[seed % len(MUTATIONS)]
    content = files[seed // len(MUTATIONS) % len(files)]
    return mutation.__name__, mutation(rng, content, rng.choice([other for other in files if other is not content]))
