"""The files of ``torch.save`` without PyTorch, and without running anything that they say.

Both layouts are a pickle whose tensors point at storages beside it. Since PyTorch 1.6 the file is a zip:
``NAME/data.pkl``, and for each storage an entry ``NAME/data/KEY`` that is not compressed. Before, four pickles follow
one another (magic number, version, byte order, the value), then one with the list of storages, and for each storage
a count (int64) and its elements. Format: torch/serialization.py.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mobilebert_lite.converters.files.pickles import Machine, PickleError, damaged, shown
from mobilebert_lite.converters.files.torch_tensors import DICTIONARY, KNOWN, Storage, View, state_dict, storage, view

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_TAR = (257, b"ustar")
# A state dict has an entry for each tensor; bytes of the list of them.
_MOST_ENTRIES, _LONGEST_LIST = 50_000, 16 << 20
# Float32 numbers in place of smaller ones, and tensors that share a storage, take more memory than the file.
_LARGEST_GROWTH = 8


def read(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """The tensors of ``path`` by name, as float32, and where in the file they were.

    The place is "" where the file is a state dict, else the key of the one inside. Tensors that are the same elements
    of one storage are one array. Raises PickleError, whose text follows the name of the file, or OSError.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(512)
        stream.seek(0)
        value, content = (_zip if start.startswith(b"PK\x03\x04") else _legacy)(stream, size, start)
        calls, place = state_dict(value)
        views = {name: view(name, call) for name, call in calls.items()}
        return _arrays(views, content, size), place


def _arrays(views: dict[str, View], content: Callable[[str], bytearray], size: int) -> dict[str, np.ndarray]:
    """Every storage is read once, and only one is held at a time."""
    by_key: dict[str, list[View]] = {}
    for one in dict.fromkeys(views.values()):
        by_key.setdefault(one.key, []).append(one)
    if sum(4 * one.elements for ones in by_key.values() for one in ones) > _LARGEST_GROWTH * size:
        raise PickleError(f"is damaged: its tensors are more than {_LARGEST_GROWTH} times as large as the file")
    arrays = {one: array for key, ones in by_key.items() for one, array in _of(ones, content(key))}
    return {name: arrays[one] for name, one in views.items()}


def _of(views: list[View], content: bytearray) -> list[tuple[View, np.ndarray]]:
    return [(one, one.of(content)) for one in views]


class _Storages:
    """Every storage that a pickle names."""

    def __init__(self) -> None:
        self.by_key: dict[str, Storage] = {}

    def refer(self, reference: Any) -> Storage:
        """What ``reference`` points at. Raises PickleError when it was another before."""
        one = storage(reference)
        known = self.by_key.setdefault(one.key, one)
        if (known.dtype, known.stored) != (one.dtype, one.stored):
            raise damaged()
        return one

    def load(self, stream: BinaryIO) -> Any:
        return Machine(KNOWN, DICTIONARY, self.refer).load(stream)


def _zip(stream: BinaryIO, size: int, _: bytes) -> tuple[Any, Callable[[str], bytearray]]:
    """The value, and how to read a storage, of the layout of PyTorch 1.6 and later."""
    careful = _Careful(stream)
    try:
        archive = zipfile.ZipFile(careful)
    except Exception as error:  # zipfile fails in any way on a damaged archive
        raise _broken(error) from None
    careful.most = size
    entries = {info.filename: info for info in archive.infolist()}
    data = [name for name in entries if name.endswith("/data.pkl")]
    if len(data) != 1:
        raise PickleError("is a zip, but not one of torch.save: it has no data.pkl")
    folder = data[0].removesuffix("data.pkl")
    if f"{folder}constants.pkl" in entries:
        raise PickleError("is a TorchScript program, not weights; save the model's state_dict instead")
    if sum(info.file_size for info in entries.values()) > size or len(entries) > _MOST_ENTRIES:
        raise PickleError("is damaged: its entries are larger than the file")

    def content(name: str, least: int = 0) -> bytearray:
        info = entries.get(folder + name)
        if info is None or info.file_size < least:
            raise PickleError(f"is damaged: {shown(name)} in it is missing or too short; download it again")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise PickleError("has compressed or encrypted entries, which torch.save does not write")
        if getattr(info, "CRC", None) == 0:
            del info.CRC  # torch.save writes no sums when asked not to; zipfile then compares nothing
        try:
            with archive.open(info) as entry:
                read = bytearray(entry.read())
        except Exception as error:  # as above
            raise _broken(error) from None
        if len(read) != info.file_size:
            raise PickleError(f"is damaged: {shown(name)} in it ends early; download it again")
        return read

    if f"{folder}byteorder" in entries and content("byteorder") != b"little":
        raise _big_endian()
    storages = _Storages()
    value = storages.load(io.BytesIO(content("data.pkl")))
    return value, lambda key: content(f"data/{key}", storages.by_key[key].stored_bytes)


class _Careful:
    """A stream for zipfile, which reads a list of entries of any length."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.most = stream, _LONGEST_LIST
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, size: int = -1) -> bytes:
        if size > self.most:
            raise zipfile.BadZipFile("its list of entries is too long")
        return self._stream.read(size if size >= 0 else self.most)


def _legacy(stream: BinaryIO, size: int, start: bytes) -> tuple[Any, Callable[[str], bytearray]]:
    """The value, and how to read a storage, of the layout before 1.6, which newer ones write when asked to."""
    if start[_TAR[0]:].startswith(_TAR[1]):
        raise PickleError("is a tar file, as PyTorch wrote before 0.1.10; load it with such a version and save it "
                          "again with a newer one")
    if not start.startswith(b"\x80"):
        raise PickleError("is no file of torch.save; download it again")
    storages = _Storages()
    if storages.load(stream) != _MAGIC:
        raise PickleError("is a pickle, but not one of torch.save")
    if storages.load(stream) != _PROTOCOL:
        raise PickleError(f"has another version of torch.save's layout than {_PROTOCOL}, the only one there was")
    system = storages.load(stream)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise _big_endian()
    value, keys = storages.load(stream), storages.load(stream)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or len(set(keys)) != len(keys):
        raise damaged()
    places = {}
    for key in keys:
        one, count = storages.by_key.get(key), stream.read(8)
        if one is None or count != struct.pack("<q", one.stored):
            raise damaged()
        places[key] = stream.tell()
        if stream.seek(one.stored_bytes, io.SEEK_CUR) > size:
            raise PickleError(f"is damaged: it ends within storage {shown(key)}; download it again")

    def content(key: str) -> bytearray:
        if key not in places:
            raise damaged()
        stream.seek(places[key])
        return bytearray(stream.read(storages.by_key[key].stored_bytes))

    return value, content


def _broken(error: Exception) -> PickleError:
    return PickleError(f"is a damaged zip ({shown(str(error) or type(error).__name__)}); download it again")


def _big_endian() -> PickleError:
    return PickleError("has the byte order of big-endian machines; save it again on another")
