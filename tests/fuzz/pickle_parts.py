"""``pytorch_model.bin`` by its structure: instructions of pickles, memo, names, storages, and entries of the zip."""

from __future__ import annotations

import io
import pickletools
import random
import struct
import warnings
import zipfile
from collections.abc import Callable, Sequence

import pickle_attacks
from hostile_values import TEXTS, Case, damaged_bytes, number
from torch_writer import STORAGES, name, several, text
from torch_writer import number as number_instruction

NAME = "pytorch_model.bin"
Instructions = list[tuple[str, bytes]]
# Names that are read, and where they do not belong.
KNOWN = (*(("torch", storage) for storage in STORAGES.values()), ("collections", "OrderedDict"), ("torch", "Size"),
         ("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_parameter"), ("torch", "device"),
         ("torch.storage", "UntypedStorage"), ("torch.storage", "TypedStorage"),
         ("torch._tensor", "_rebuild_from_type_v2"))
SINGLE = (b"(", b"0", b"1", b"2", b"N", b"}", b"]", b")", b"t", b"u", b"s", b"e", b"a", b"R", b"b", b"Q", b"o", b".",
          b"\x81", b"\x85", b"\x86", b"\x87", b"\x88", b"\x89", b"\x8f", b"\x90", b"\x93", b"\x94", b"\x92")


def instructions(pickled: bytes) -> tuple[Instructions, bytes]:
    """(name, bytes) of each instruction of a pickle, and what follows it."""
    found = list(pickletools.genops(pickled))
    ends = [place for _, _, place in found[1:]] + [found[-1][2] + 1]
    return ([(code.name, pickled[place:end]) for (code, _, place), end in zip(found, ends, strict=True)],
            pickled[ends[-1]:])


def mutate(rng: random.Random, case: Case) -> tuple[str, Case]:
    """The file of ``case`` damaged."""
    content = case[NAME]
    if rng.random() < 0.15:
        what, changed = pickle_attacks.mutate(rng.getrandbits(31), content)
        return what, {**case, NAME: changed}
    if content.startswith(b"PK"):
        change = rng.choice((_zip_program, _zip_program, _zip_storages, _zip_entries))
    else:
        change = rng.choice((_old_program, _old_program, _old_storages))
    what, changed = change(rng, content)
    return what, {**case, NAME: changed}


def _program(rng: random.Random, pickled: bytes) -> tuple[str, bytes]:
    found, rest = instructions(pickled)
    changes = rng.sample(PROGRAM, rng.choice((1, 1, 1, 2)))
    for change in changes:
        change(rng, found)
    return " and ".join(change.__name__ for change in changes), b"".join(raw for _, raw in found) + rest


def _numbers(rng: random.Random, found: Instructions) -> None:
    """Offsets, shapes, strides, counts."""
    _replace(rng, found, ("BININT", "BININT1", "BININT2", "LONG1"), lambda: number_instruction(number(rng)))


def _texts(rng: random.Random, found: Instructions) -> None:
    """Names of tensors, keys of storages, kinds of references."""
    odd = [one.encode("utf-8", "surrogatepass") for one in TEXTS]
    _replace(rng, found, ("BINUNICODE",), lambda: rng.choice((
        text("storage"), text("0"), text("1"), text("cuda:0"), text("layer.999999999.weight"),
        *(b"X" + struct.pack("<I", len(one)) + one for one in odd))))


def _globals(rng: random.Random, found: Instructions) -> None:
    """Other names, of what is read and of what runs something."""
    _replace(rng, found, ("GLOBAL",), lambda: name(*(
        rng.choice(KNOWN) if rng.random() < 0.6 else rng.choice(pickle_attacks.NAMES).rsplit(".", 1))))


def _memo(rng: random.Random, found: Instructions) -> None:
    """Values kept, and fetched again at other places: a thing inside itself, or one thing at many places."""
    places = range(1, len(found))  # the shortest pickles have three
    put, get = sorted(rng.choices(places, k=2))  # a change before may have left one place
    found.insert(get, ("LONG_BINGET", b"j" + struct.pack("<I", rng.choice((5, 5, 5, 6, 0xFFFFFFFF)))))
    found.insert(put, ("LONG_BINPUT", b"r" + struct.pack("<I", rng.choice((5, 5, 5, 0xFFFFFFFF)))))


def _order(rng: random.Random, found: Instructions) -> None:
    """One left out, two exchanged, or one elsewhere."""
    one, other = rng.randrange(1, len(found)), rng.randrange(1, len(found))
    how = rng.randrange(3)
    if how == 0:
        del found[one]
    elif how == 1:
        found[one], found[other] = found[other], found[one]
    else:
        found.insert(other, found.pop(one))


def _more(rng: random.Random, found: Instructions) -> None:
    """One more, or the same ones many times."""
    place = rng.randrange(1, len(found))
    if rng.random() < 0.5:
        found.insert(place, ("", rng.choice(SINGLE) * rng.choice((1, 1, 2, 1000, 300_000))))
    else:
        piece = found[place:place + rng.choice((1, 8, 30))]
        found[place:place] = piece * rng.choice((1, 3, 1000))


def _value(rng: random.Random, found: Instructions) -> None:
    """Something else for a value."""
    odd = list(pickle_attacks.odd_programs().items())
    place = rng.randrange(1, len(found))
    found[place] = ("", rng.choice((several(), several(number_instruction(1)), b"G" + struct.pack(">d", 1e300),
                                    *(program for _, program in odd if len(program) < 1 << 20))))


def _replace(rng: random.Random, found: Instructions, codes: Sequence[str], make: Callable[[], bytes]) -> None:
    places = [i for i, (code, _) in enumerate(found) if code in codes]
    for place in rng.sample(places, min(len(places), rng.choice((1, 1, 2, len(places))))):
        found[place] = ("", make())


PROGRAM = (_numbers, _numbers, _texts, _globals, _memo, _order, _more, _value)


def _entries(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {entry: archive.read(entry) for entry in archive.namelist()}


def _packed(entries: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", method) as archive:
        warnings.simplefilter("ignore")  # names that are there twice
        for entry, held in entries:
            archive.writestr(zipfile.ZipInfo(entry), held, method)
    return stream.getvalue()


def _zip_program(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    entries = _entries(content)
    [program] = [entry for entry in entries if entry.endswith("data.pkl")]
    what, entries[program] = _program(rng, entries[program])
    return what, _packed(list(entries.items()))


def _zip_storages(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    """Storages that are absent, short, long, of another tensor, or said to be of the other byte order."""
    entries = _entries(content)
    keys = [entry for entry in entries if "/data/" in entry]
    one, other = rng.sample(keys, 2)
    how = rng.choice(("absent", "short", "long", "empty", "another", "order", "version"))
    if how == "absent":
        del entries[one]
    elif how in ("order", "version"):
        entry = next(entry for entry in entries if entry.endswith("/byteorder" if how == "order" else "/version"))
        entries[entry] = rng.choice((b"big", b"", b"\xff", b"x" * 100_000, b"4\n", b"-1"))
    else:
        entries[one] = {"short": entries[one][:-1], "long": entries[one] + bytes(rng.choice((1, 100_000))),
                        "empty": b"", "another": entries[other]}[how]
    return f"storage {how}", _packed(list(entries.items()))


def _zip_entries(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    """The archive itself: packed, names twice or of any kind, thousands of entries, numbers of its tables."""
    entries = list(_entries(content).items())
    how = rng.choice(("packed", "twice", "names", "many", "bomb", "tables", "tables", "comment", "raw"))
    if how == "packed":
        return how, _packed(entries, rng.choice((8, 12, 14)))
    if how == "twice":
        return how, _packed([*entries, rng.choice(entries), rng.choice(entries)])
    if how == "names":
        place = rng.randrange(len(entries))
        entries[place] = (rng.choice([one for one in TEXTS if one != "\ud800"])[:60_000] or "x", entries[place][1])
        return how, _packed(entries)
    if how == "many":
        return how, _packed([*entries, *((f"pytorch_model/data/x{i}", b"") for i in range(rng.choice((1500, 60_000))))])
    if how == "bomb":
        return how, _packed([(entry, bytes(30 << 20) if entry.endswith("data/0") else held)
                             for entry, held in entries], zipfile.ZIP_DEFLATED)
    if how == "comment":
        return how, content + rng.choice((b"\0" * 70_000, b"PK\5\6" + bytes(18), b"PK\x06\x07" + bytes(16)))
    return (how, _tables(rng, content)) if how == "tables" else damaged_bytes(rng, content)


def _tables(rng: random.Random, content: bytes) -> bytes:
    """Numbers of local headers, of the list of entries, and of the end of the archive."""
    changed = bytearray(content)
    signature, fields = rng.choice((
        (b"PK\3\4", ((4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2))),
        (b"PK\1\2", ((6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (34, 2), (42, 4))),
        (b"PK\5\6", ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)))))
    places = [i for i in range(len(content) - 4) if content[i:i + 4] == signature]
    for place in rng.sample(places, min(len(places), rng.choice((1, 1, 3)))):
        offset, size = rng.choice(fields)
        value = number(rng, len(content), place) & (1 << 8 * size) - 1
        changed[place + offset:place + offset + size] = value.to_bytes(size, "little")
    return bytes(changed)


def _old_program(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    """One of the five pickles of the old layout."""
    which, before = rng.choice((0, 1, 2, 3, 3, 3, 3, 4)), b""
    for _ in range(which):
        found, content = instructions(content)
        before += b"".join(raw for _, raw in found)
    what, changed = _program(rng, content)
    return f"pickle {which}: {what}", before + changed


def _old_storages(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    """Counts and numbers behind the pickles of the old layout."""
    before = b""
    for _ in range(5):
        found, content = instructions(content)
        before += b"".join(raw for _, raw in found)
    if rng.random() < 0.5:
        (count,) = struct.unpack_from("<q", content)
        return "count", before + struct.pack("<Q", number(rng, count) & (1 << 64) - 1) + content[8:]
    what, changed = damaged_bytes(rng, content)
    return f"storages: {what}", before + changed
