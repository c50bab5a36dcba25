"""What all mutators share: numbers and JSON values that tend to hurt, and damage that asks for no structure.

A case is a folder's files by name. A mutator takes random numbers and a whole case, and gives (what it did, the case
damaged); the same numbers give the same case.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Case = dict[str, bytes]
Mutator = Callable[[random.Random, Case], tuple[str, Case]]

NUMBERS = (0, 1, 2, 3, 127, 128, 255, 256, 65535, 1 << 20, (1 << 31) - 1, -(1 << 31), -1, -2, -128, 1000, 7)
WIDE = (*NUMBERS, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 40, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, -(1 << 63))
TEXTS = ("", " ", "[UNK]", "##", "\x1b[31m\x07", "\x9b2J", "[/red]", "x" * 100_000, "a\nError: b", "\u2028", "\u202e",
         "²", "१", "\ud800", "../../outside", "/etc/passwd", "con\0trol", "null", "NaN", "1e400", "true", "\ufeff",
         "e\u0301" * 500, "%s{0}${HOME}")
# What `json.dumps` does not write; each stands in a text until it is put in place of it.
RAW: Mapping[str, bytes] = {
    "<digits>": b"9" * 5000, "<negative digits>": b"-" + b"9" * 5000, "<1e400>": b"1e400", "<-1e400>": b"-1e400",
    "<nan>": b"NaN", "<infinity>": b"Infinity", "<-0>": b"-0", "<deep list>": b"[" * 3000 + b"]" * 3000,
    "<deeper list>": b"[" * 100_000 + b"]" * 100_000, "<deep object>": b'{"a":' * 3000 + b"1" + b"}" * 3000,
    "<long list>": b"[" + b"0," * 200_000 + b"0]", "<twice>": b'{"a": 1, "a": 2}', "<nothing>": b""}
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, 2, -1, 0.5, 1e-320, 1 << 31, 1 << 63, 1 << 70, 10 ** 300, 1_000_000, [], [[]], [None],
    {}, {"a": 1}, {"": None}, {"0": "a", "1": ["b"]}, [0, "a", None, {}], *TEXTS, *RAW)


def number(rng: random.Random, *near: int) -> int:
    """One that tends to hurt, or one beside those that stand ``near``."""
    return rng.choice((*WIDE, *(value + step for value in near for step in (-8, -1, 0, 1, 8)), rng.getrandbits(31)))


def dumped(value: Any) -> bytes:
    """``value`` as JSON with RAW in it."""
    text = json.dumps(value).encode()
    for name, raw in RAW.items():
        text = text.replace(json.dumps(name).encode(), raw)
    return text


def changed_json(rng: random.Random, value: Any) -> Any:
    """A copy of ``value`` with one or a few places changed: another value, none, a neighbor's, or many times."""
    holder = [json.loads(json.dumps(value))]
    if rng.random() < 0.1:  # alone: many times what is large already would be larger than any memory
        _multiply(rng, *_place(rng, holder))
        return holder[0]
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        _change(rng, *_place(rng, holder))
    return holder[0]


def _place(rng: random.Random, value: Any) -> tuple[Any, Any]:
    """A list or an object somewhere inside, and one of its keys."""
    while True:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = rng.choice(keys) if len(keys) else None
        if key is None or not isinstance(value[key], dict | list) or not value[key] or rng.random() < 0.15:
            return value, key
        value = value[key]


def _change(rng: random.Random, place: Any, key: Any) -> None:
    if key is None:
        return
    how = rng.choice(("value", "value", "value", "none", "wrapped", "neighbor", "name"))
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    if how == "value":
        place[key] = rng.choice((*VALUES, *WIDE))
    elif how == "none" and len(keys) > 1:
        del place[key]
    elif how == "wrapped":
        place[key] = rng.choice(([place[key]], {"a": place[key]}, [[place[key]]], str(place[key])))
    elif how == "neighbor":
        other = rng.choice(keys)
        place[key], place[other] = place[other], place[key]
    elif isinstance(place, dict):
        place[rng.choice(TEXTS)] = place[key]
    else:
        place.append(place[key])


def _multiply(rng: random.Random, place: Any, key: Any) -> None:
    """A small value thousands of times, in a list or under other names."""
    if key is None or len(str(place[key])) > 200:
        return
    if isinstance(place, dict):
        place.update({f"{key}{i}": place[key] for i in range(20_000)})
    else:
        place.extend([place[key]] * rng.choice((1, 2, 20_000)))


def damaged_text(rng: random.Random, text: bytes) -> tuple[str, bytes]:
    """Another encoding, another end, or a piece that does not belong there."""
    place = rng.randrange(len(text) + 1)
    changes: Sequence[tuple[str, Callable[[], bytes]]] = (
        ("cut", lambda: text[:place]), ("BOM", lambda: b"\xef\xbb\xbf" + text),
        ("UTF-16", lambda: text.decode("utf-8", "replace").encode("utf-16")),
        ("UTF-32", lambda: text.decode("utf-8", "replace").encode("utf-32")),
        ("UTF-16 cut", lambda: text.decode("utf-8", "replace").encode("utf-16")[:place | 1]),
        ("CR LF", lambda: text.replace(b"\n", b"\r\n")), ("CR", lambda: text.replace(b"\n", b"\r")),
        ("NUL", lambda: text[:place] + b"\0" * rng.choice((1, 1000)) + text[place:]),
        ("no UTF-8", lambda: text[:place] + b"\xff\xfe\xed\xa0\x80" + text[place:]),
        ("controls", lambda: text[:place] + b"\x1b[2J\x07\xc2\x9b" + text[place:]),
        ("empty", lambda: b""), ("newlines", lambda: b"\n" * 1_000_000), ("spaces", lambda: b" " * 1_000_000),
        ("one line", lambda: text.replace(b"\n", b" ") * 50),
        ("many", lambda: text * max(1, 1_000_000 // (len(text) + 1))),
        ("pointer", lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"),
        ("brackets", lambda: b"[" * 200_000), ("braces", lambda: b'{"a":' * 50_000), ("bits", lambda: bits(rng, text)),
        ("piece", lambda: text[:place] + text[place // 2:place] * rng.choice((1, 3, 100)) + text[place:]))
    what, make = rng.choice(changes)
    return what, make()


def bits(rng: random.Random, content: bytes) -> bytes:
    """A few bits, anywhere."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 2, 8, 64)) if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def damaged_bytes(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    """Bits, an end that comes early, a piece of another place, or bytes that go on."""
    place = rng.randrange(len(content) + 1)
    how = rng.choice(("bits", "cut", "piece", "more", "hole"))
    if how == "bits":
        return how, bits(rng, content)
    if how == "piece":
        size, source = rng.choice((4, 16, 64, 1024)), rng.randrange(len(content) + 1)
        return how, content[:place] + content[source:source + size] + content[place + rng.choice((0, size)):]
    if how == "more":
        return how, content + rng.choice((b"\0", b"\xff" * 100, content, b"\0" * 1_000_000))
    return how, content[:place] + (content[place + rng.randrange(1, 5000):] if how == "hole" else b"")
