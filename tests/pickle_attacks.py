"""Pickles that would run something, in every way the pickle machine has, and files of weights that are damaged."""

from __future__ import annotations

import io
import pickle
import random
import struct
import zipfile
from collections.abc import Callable, Iterator

import numpy as np
from torch_writer import (
    MAGIC,
    ORDERED,
    VERSION,
    call,
    mapping,
    name,
    number,
    several,
    storage,
    tensor,
    text,
    whole,
    zipped,
)

# Names that run what they are given, read or write files, or lead to names that do.
NAMES = (
    "os.system", "posix.system", "nt.system", "os.popen", "os.execv", "os.remove", "os.mkdir", "subprocess.Popen",
    "subprocess.run", "subprocess.check_output", "builtins.eval", "builtins.exec", "builtins.compile",
    "builtins.getattr", "builtins.__import__", "builtins.open", "builtins.globals", "builtins.type", "builtins.object",
    "__builtin__.eval", "__builtin__.set", "operator.attrgetter", "operator.methodcaller", "functools.partial",
    "importlib.import_module", "pickle.loads", "_pickle.loads", "marshal.loads", "_codecs.encode", "codecs.decode",
    "copyreg._reconstructor", "copyreg.__newobj__", "types.FunctionType", "types.CodeType", "ctypes.CDLL",
    "runpy.run_path", "pathlib.Path", "shutil.rmtree", "socket.socket", "urllib.request.urlopen", "webbrowser.open",
    "timeit.timeit", "pdb.run", "numpy.load", "numpy.core.multiarray._reconstruct", "numpy.core.multiarray.scalar",
    "numpy.ndarray", "numpy.f2py.crackfortran.getlincoef", "torch.load", "torch.jit.load", "torch.hub.load",
    "torch.storage._load_from_bytes", "torch._utils._rebuild_sparse_tensor", "torch._dynamo.guards.GuardBuilder.get",
    "torch.FloatStorage.from_file", "torch.float32.__class__", "collections.OrderedDict.fromkeys",
    "collections.defaultdict", "collections._sys.modules", "transformers.trainer.TrainingArguments", "__main__.Model")


def _call(module: str, attribute: str, argument: bytes) -> bytes:
    return call(name(module, attribute), argument)


def _stack(module: str, attribute: str, argument: bytes) -> bytes:
    return call(text(module) + text(attribute) + b"\x93", argument)


def _instance(module: str, attribute: str, argument: bytes) -> bytes:
    return b"(" + argument + f"i{module}\n{attribute}\n".encode()


def _object(module: str, attribute: str, argument: bytes) -> bytes:
    return b"(" + name(module, attribute) + argument + b"o"


def _new(module: str, attribute: str, argument: bytes) -> bytes:
    return name(module, attribute) + several(argument) + b"\x81"


def _new_with_names(module: str, attribute: str, argument: bytes) -> bytes:
    return name(module, attribute) + several(argument) + b"}\x92"


def _build(module: str, attribute: str, argument: bytes) -> bytes:
    return name(module, attribute) + mapping([(text("__setstate__"), argument)]) + b"b"


WAYS: dict[str, Callable[[str, str, bytes], bytes]] = {
    "reduce": _call, "stack_global": _stack, "inst": _instance, "obj": _object, "newobj": _new,
    "newobj_ex": _new_with_names, "build": _build}
# Those that call a plain function, so that Python's own machine shows that they would.
CALLING = ("reduce", "stack_global", "inst", "obj")

BASE = np.arange(24, dtype=np.float32).reshape(4, 6)
GOOD = tensor(storage("0", "float32", 24), (4, 6), (6, 1))


def _places(attack: bytes) -> dict[str, bytes]:
    """``attack`` wherever a value can stand in a state dict."""
    odd = several(text("storage"), attack, text("0"), text("cpu"), number(24)) + b"Q"
    return {
        "value": mapping([(text("x"), GOOD), (text("y"), attack)]), "key": mapping([(attack, GOOD)]), "root": attack,
        "hooks": mapping([(text("x"), call(name("torch._utils", "_rebuild_tensor_v2"), storage("0", "float32", 24),
                                           number(0), several(number(4)), several(number(1)), b"\x89", attack))]),
        "storage": mapping([(text("x"), tensor(odd, (4,), (1,)))]), "reference": mapping([(text("x"), attack + b"Q")]),
        "state": mapping([(text("x"), GOOD)], ORDERED) + attack + b"b",
        "thrown away": attack + b"0" + mapping([(text("x"), GOOD)])}


def programs(argument: bytes) -> Iterator[tuple[str, str, bytes]]:
    """(what it is, a name that it holds, the pickle), each of which would call something with ``argument``."""
    for i, full in enumerate(NAMES):
        module, attribute = full.rsplit(".", 1)
        for j, (way, make) in enumerate(WAYS.items()):
            places = _places(make(module, attribute, argument))
            place = list(places)[(i + j) % len(places)]
            yield f"{full} by {way} as {place}", full, places[place]


def odd_programs() -> dict[str, bytes]:
    """What no name gives away."""
    good = mapping([(text("x"), GOOD)])
    return {
        "extension": b"\x82\x01" + several() + b"R", "text reference": b"Pmodule\n", "computed name": b"}}\x93",
        "name of numbers": number(1) + number(2) + b"\x93", "call of a text": call(text("system"), text("x")),
        "call of a tensor": call(GOOD, text("x")), "call of a storage type": call(name("torch", "FloatStorage")),
        "call without a tuple": name("torch", "Size") + b"]R",
        "state of a tensor": mapping([(text("x"), GOOD + b"}b")]),
        "dictionary with arguments": call(name("collections", "OrderedDict"), b"]"),
        "reference that is a text": text("0") + b"Q", "reference of two": several(text("storage"), text("0")) + b"Q",
        "reference to a module": several(text("module"), text("a"), text("b"), text("c"), text("d")) + b"Q",
        "storage of a text": mapping([(text("x"), tensor(text("0"), (4,), (1,)))]),
        "tensor without arguments": mapping([(text("x"), call(name("torch._utils", "_rebuild_tensor_v2")))]),
        "tensor of itself": mapping([(text("x"), call(name("torch._tensor", "_rebuild_from_type_v2"),
                                                      name("torch._tensor", "_rebuild_from_type_v2"),
                                                      name("torch", "Tensor"), several(), b"N"))]),
        "key that is a tuple": mapping([(several(number(1)), GOOD)]), "key that is a list": mapping([(b"]", GOOD)]),
        "tuples in tuples": b")" + b"\x85" * 100_000, "list of itself": b"]q\0h\0a",
        "lists of lists": b"]q\0" + b"](h\0h\0eq\0" * 1000, "memo far away": b"Nr\xff\xff\xff\xffR",
        "memo that is not there": b"h\x09", "empty stack": b"R", "mark alone": b"(", "mark as value": b"(q\0",
        "pop": good + b"0", "number of a million digits": b"\x8b\xff\xff\xff\x7f",
        "number as text": b"L" + b"9" * 9999 + b"L\n",
        "number of 255 bytes": b"\x8a\xff" + bytes(254) + b"\x01", "bytes to come": b"\x8e" + b"\xff" * 7 + b"\x7f",
        "text to come": b"X\xff\xff\xff\xff", "long text to come": b"\x8d" + b"\xff" * 7 + b"\x7f",
        "half a surrogate": mapping([(b"X\x03\0\0\0\xed\xa0\x80", GOOD)]) + b"0" + name("os", "system"),
        "name of many lines": mapping([(text("x"), text("o\ns") + text("sys\ntem\x1b[31m") + b"\x93")]),
        "very long name": text("a" * 100_000) + text("b" * 100_000) + b"\x93",
        "many instructions": b"}" * 1_100_000, "many bytes": text("x" * (17 << 20)),
        "pickle in a text": mapping([(text("x"), text(whole(name("os", "system")).decode("latin-1")))])}


def files(pickled: bytes) -> dict[str, bytes]:
    """Files of torch.save that hold the pickle, by where in them."""
    stream = whole(pickled)
    return {"zip": zipped(pickled, {"0": BASE.tobytes()}), "magic": stream, "version": MAGIC + stream,
            "system": MAGIC + VERSION + stream,
            "value": MAGIC + VERSION + whole(mapping([(text("little_endian"), b"\x88")])) + stream + whole(b"]")}


MUTATIONS = ("bits", "bytes", "words", "cut", "piece", "entries")


def mutate(seed: int, content: bytes) -> tuple[str, bytes]:
    """(what was done, ``content`` damaged); the same seed gives the same file."""
    rng = random.Random(seed)
    kind, changed = MUTATIONS[seed % len(MUTATIONS)], bytearray(content)
    if kind == "bits":
        for _ in range(rng.choice((1, 2, 8))):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif kind == "bytes":
        for _ in range(rng.choice((1, 4, 32))):
            changed[rng.randrange(len(changed))] = rng.choice((*b"cRiobQ.(}]ts\x81\x85\x93\x82", 0, 255))
    elif kind == "words":
        place = rng.randrange(0, len(changed) - 8)
        changed[place:place + 8] = struct.pack("<q", rng.choice((-1, 0, 1, 1 << 31, 1 << 62, len(content), place)))
    elif kind == "cut":
        del changed[rng.randrange(len(changed)):]
    elif kind == "piece":
        size, place = rng.choice((1, 8, 64)), rng.randrange(len(changed))
        source = rng.randrange(len(changed))
        changed[place:place + rng.choice((0, size))] = changed[source:source + size]
    else:
        changed = bytearray(_entries(rng, content))
    return kind, bytes(changed)


def _entries(rng: random.Random, content: bytes) -> bytes:
    """Damage inside a zip whose sums are right; of other files, bytes near the start, where the structure is."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        changed = bytearray(content)
        changed[rng.randrange(min(len(changed), 2000))] = rng.randrange(256)
        return bytes(changed)
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(stream, "w") as copy:
        chosen = rng.choice(archive.namelist())
        for entry in archive.namelist():
            held = bytearray(archive.read(entry))
            if (entry.endswith("data.pkl") or entry == chosen) and held:
                held[rng.randrange(len(held))] = rng.randrange(256)
            copy.writestr(entry, bytes(held))
    return stream.getvalue()


def bombs() -> dict[str, bytes]:
    """Small files that ask for much: each must be refused before it gets it."""
    source = storage("0", "float32", 24)
    big = storage("0", "float32", 1 << 18)
    return {
        "a number spread over a terabyte": zipped(mapping([(text("x"), tensor(source, (1 << 20, 1 << 18), (0, 0)))]),
                                                  {"0": BASE.tobytes()}),
        "a thousand views of one storage": zipped(
            mapping([(text(f"x{i}"), tensor(big, ((1 << 18) - i,), (1,), i)) for i in range(1000)]),
            {"0": bytes(1 << 20)}),
        "empty, and huge": zipped(mapping([(text("x"), tensor(source, (0, 1 << 47, 1 << 47), (1, 1, 1)))]),
                                  {"0": BASE.tobytes()}),
        "storage larger than the file": zipped(
            mapping([(text("x"), tensor(storage("0", "float32", 1 << 40), (4,), (1,)))]), {"0": BASE.tobytes()}),
        "one entry many times": _overlapping()}


def _overlapping() -> bytes:
    """A list of 2,000 entries that are all the same megabyte."""
    content = zipped(mapping([(text(f"x{i}"), tensor(storage(str(i), "float32", 1 << 18), (1 << 18,), (1,)))
                              for i in range(2000)]), {"0": bytes(1 << 20)})
    start = content.rfind(b"PK\x01\x02", 0, content.rfind(b"data/0"))
    end = content.find(b"PK\x01\x02", start + 4)
    entry, head, tail = content[start:end], content[:end], content[end:]
    more = b"".join(entry.replace(b"data/0", f"data/{i}".encode()) for i in range(1, 10)) * 222
    place = tail.rfind(b"PK\x05\x06")
    tail = bytearray(tail)
    count, size, offset = struct.unpack_from("<HII", tail, place + 10)
    struct.pack_into("<HHII", tail, place + 8, count + 1998, count + 1998, size + len(more), offset)
    return head + more + bytes(tail)


def spring(pickled: bytes) -> None:
    """What Python's own machine makes of it."""
    class Unpickler(pickle.Unpickler):
        def persistent_load(self, reference: object) -> object:
            return reference

    Unpickler(io.BytesIO(b"\x80\x04" + pickled + b".")).load()
