"""Messages between a process and its interpreter: a JSON header, then blocks of bytes. No pickles."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

# Header's length, then its "sizes" say how long the blocks are.
_LENGTH = struct.Struct("<Q")
LARGEST_HEADER = 64 << 20
# More than the largest outputs, logits over 120,000 words at 512 places.
LARGEST_BLOCK = 4 << 30

Message = tuple[dict[str, Any], list[bytes]]


def write(stream: BinaryIO, header: Mapping[str, Any], blocks: Sequence[bytes | memoryview] = ()) -> None:
    """Send one message."""
    data = json.dumps({**header, "sizes": [len(block) for block in blocks]}).encode()
    stream.write(_LENGTH.pack(len(data)) + data)
    for block in blocks:
        stream.write(block)
    stream.flush()


def read(stream: BinaryIO) -> Message:
    """Wait for one message. Raises EOFError when the other side has gone, ValueError when it talks nonsense."""
    length = _LENGTH.unpack(_exactly(stream, _LENGTH.size))[0]
    if length > LARGEST_HEADER:
        raise ValueError(f"a header of {length} bytes")
    header = json.loads(_exactly(stream, length))
    sizes = header.pop("sizes")
    if any(not 0 <= size <= LARGEST_BLOCK for size in sizes):
        raise ValueError(f"blocks of {sizes} bytes")
    return header, [_exactly(stream, size) for size in sizes]


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data
