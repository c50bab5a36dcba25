"""The index of a TensorFlow checkpoint, looked through before TensorFlow's native reader believes it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mobilebert_lite.converters.files import sorted_table
from mobilebert_lite.converters.files.sorted_table import TableError

_MOST_AXES = 32
# 24 blocks have some 1,200 variables; training keeps two or three more for each.
_MOST_ENTRIES = 20_000


def check(index: Path, shards: Sequence[Path]) -> None:
    """Raise TableError unless every tensor of ``index`` lies in its shard and is as long as its shape says.

    All of them together are no longer than the shards, and not more than any network has.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import tensor_bundle_pb2 as messages

    sizes = [path.stat().st_size for path in shards]
    left = sum(sizes)
    try:
        entries = sorted_table.read(index.read_bytes())
        key, value = next(entries, (b"", b""))
        _check_head(key, messages.BundleHeaderProto.FromString(value), len(shards))
        for count, (key, value) in enumerate(entries):
            if count >= _MOST_ENTRIES:
                raise TableError(f"it names more than {_MOST_ENTRIES:,} variables, which no MobileBERT has")
            entry = messages.BundleEntryProto.FromString(value)
            _check_entry(key, entry, sizes)
            left -= entry.size
    except DecodeError:
        raise TableError("an entry is no description of a tensor") from None
    if left < 0:
        raise TableError("its tensors are larger than its data")


def _check_head(key: bytes, head: Any, shards: int) -> None:
    if key:
        raise TableError("it does not begin with what it says of itself")
    if head.num_shards != shards:
        raise TableError(f"it says that there are {head.num_shards} parts of data; there are {shards}")
    if head.endianness:
        raise TableError("its numbers are of the other byte order")


def _check_entry(key: bytes, entry: Any, sizes: Sequence[int]) -> None:
    import tensorflow as tf

    shape = [one.size for one in entry.shape.dim]
    if entry.shape.unknown_rank or len(shape) > _MOST_AXES or min(shape, default=0) < 0:
        raise _wrong(key, f"has the shape {shape[:_MOST_AXES]}")
    within = 0 <= entry.shard_id < len(sizes) and min(entry.offset, entry.size) >= 0
    if not within or entry.offset + entry.size > sizes[entry.shard_id]:
        raise _wrong(key, "lies outside the data")
    for one in entry.slices:
        _check_slice(key, one, shape)
    try:
        dtype = tf.dtypes.as_dtype(entry.dtype)
        width = 1 if dtype == tf.string else dtype.size
    except (TypeError, KeyError):
        raise _wrong(key, f"is of an unknown type, {entry.dtype}") from None
    if entry.dtype >= 100 or dtype in (tf.resource, tf.variant):
        raise _wrong(key, f"is of the type {dtype.name}, which no weights have")
    count = math.prod(shape)
    # A variable in parts has no bytes of its own; it is put together of theirs.
    if entry.slices and count * width > sum(sizes):
        raise _wrong(key, f"has the shape {shape}, which is larger than the data")
    if not entry.slices and (count > entry.size if dtype == tf.string else count * width != entry.size):
        raise _wrong(key, f"is {entry.size} bytes long, not as long as its shape {shape} says")


def _check_slice(key: bytes, one: Any, shape: Sequence[int]) -> None:
    """Of a variable that was saved in parts. A part without a length spans its axis."""
    ends = [(extent.start, extent.length if extent.HasField("length") else None) for extent in one.extent]
    if len(ends) != len(shape) or any(start < 0 or (start if length is None else length < 1 or start + length > size)
                                      for (start, length), size in zip(ends, shape, strict=True)):
        raise _wrong(key, f"is saved in parts that do not fit its shape {list(shape)}")


def _wrong(key: bytes, what: str) -> TableError:
    return TableError(f"{key[:200].decode('utf-8', 'replace')} {what}")
