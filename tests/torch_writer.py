"""Files as torch.save writes them, and files that attack whoever reads them: pickles put together by hand.

The instructions are those of Lib/pickletools.py; nothing here imports torch.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
VERSION = b"\x80\x02M\xe9\x03."
STORAGES = {"float32": "FloatStorage", "float64": "DoubleStorage", "float16": "HalfStorage",
            "bfloat16": "BFloat16Storage", "int64": "LongStorage", "int32": "IntStorage", "int16": "ShortStorage",
            "int8": "CharStorage", "uint8": "ByteStorage", "bool": "BoolStorage", "complex64": "ComplexFloatStorage"}


def name(module: str, attribute: str) -> bytes:
    """GLOBAL."""
    return f"c{module}\n{attribute}\n".encode()


def text(value: str) -> bytes:
    """BINUNICODE."""
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def number(value: int) -> bytes:
    """BININT, or LONG1 for what does not fit."""
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    encoded = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(encoded)]) + encoded


def several(*items: bytes) -> bytes:
    """TUPLE."""
    return b"(" + b"".join(items) + b"t"


def call(function: bytes, *arguments: bytes) -> bytes:
    """REDUCE."""
    return function + several(*arguments) + b"R"


def mapping(items: Iterable[tuple[bytes, bytes]], start: bytes = b"}") -> bytes:
    """A dictionary, or what ``start`` makes."""
    return start + b"(" + b"".join(key + value for key, value in items) + b"u"


ORDERED = name("collections", "OrderedDict") + b")R"


def whole(value: bytes) -> bytes:
    """A pickle of protocol 2."""
    return b"\x80\x02" + value + b"."


def storage(key: str, dtype: str, count: int) -> bytes:
    """A reference to elements beside the pickle."""
    return several(text("storage"), name("torch", STORAGES[dtype]), text(key), text("cpu"), number(count)) + b"Q"


def tensor(source: bytes, shape: Sequence[int], strides: Sequence[int], offset: int = 0) -> bytes:
    """As ``torch._utils._rebuild_tensor_v2`` gets it."""
    return call(name("torch._utils", "_rebuild_tensor_v2"), source, number(offset), several(*map(number, shape)),
                several(*map(number, strides)), b"\x89", ORDERED)


def parts(tensors: Mapping[str, np.ndarray], dtype: str = "float32") -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Name -> tensor in the pickle, and key -> bytes of its storage."""
    pickled, storages = {}, {}
    for i, (key, array) in enumerate(tensors.items()):
        strides = [stride // array.itemsize for stride in np.ascontiguousarray(array).strides]
        pickled[key] = tensor(storage(str(i), dtype, array.size), array.shape, strides)
        storages[str(i)] = stored(array, dtype)
    return pickled, storages


def stored(array: np.ndarray, dtype: str) -> bytes:
    """The elements; bfloat16 is the upper half of float32."""
    if dtype == "bfloat16":
        return bytes((array.astype(np.float32).view(np.uint32) >> 16).astype("<u2").tobytes())
    return array.astype(dtype).tobytes()


def state_dict(pickled: Mapping[str, bytes]) -> bytes:
    """An OrderedDict with the attribute that ``Module.state_dict`` gives it."""
    metadata = mapping([(text("_metadata"), mapping([(text(""), mapping([(text("version"), number(1))]))], ORDERED))])
    return mapping([(text(key), value) for key, value in pickled.items()], ORDERED) + metadata + b"b"


def zipped(value: bytes, storages: Mapping[str, bytes], folder: str = "pytorch_model",
           method: int = zipfile.ZIP_STORED) -> bytes:
    """The layout of PyTorch 1.6 and later."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr(f"{folder}/data.pkl", whole(value))
        archive.writestr(f"{folder}/byteorder", b"little")
        for key, content in storages.items():
            archive.writestr(f"{folder}/data/{key}", content)
        archive.writestr(f"{folder}/version", b"3\n")
    return stream.getvalue()


def legacy(value: bytes, storages: Mapping[str, bytes], sizes: Mapping[str, int], little: bool = True) -> bytes:
    """The layout before; ``sizes`` are the bytes of an element of each storage."""
    order = b"\x88" if little else b"\x89"
    system = mapping([(text("protocol_version"), number(1001)), (text("little_endian"), order)])
    keys = b"](" + b"".join(map(text, storages)) + b"e"
    content = b"".join(struct.pack("<q", len(data) // sizes[key]) + data for key, data in storages.items())
    return MAGIC + VERSION + whole(system) + whole(value) + whole(keys) + content


def checkpoint(tensors: Mapping[str, np.ndarray], layout: str = "zip", dtype: str = "float32") -> bytes:
    """A whole ``pytorch_model.bin``."""
    pickled, storages = parts(tensors, dtype)
    if layout == "zip":
        return zipped(state_dict(pickled), storages)
    size = 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
    return legacy(state_dict(pickled), storages, dict.fromkeys(storages, size))
