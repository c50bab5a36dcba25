"""Messages between a process and its interpreter: a JSON header, then blocks of bytes. No pickles."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

# Header's length, then its "sizes" say how long the blocks are.
_LENGTH = struct.Struct("<Q")
LARGEST_HEADER = 16 << 20
# A request holds a file of at most 2 GiB, and inputs. The largest outputs are logits over 120,000 words at 512 places,
# 245 MB.
LARGEST_REQUEST, LARGEST_ANSWER = 4 << 30, 256 << 20

Message = tuple[dict[str, Any], list[bytes]]


def write(stream: BinaryIO, header: Mapping[str, Any], blocks: Sequence[bytes | memoryview] = ()) -> None:
    """Send one message."""
    data = json.dumps({**header, "sizes": [len(block) for block in blocks]}).encode()
    stream.write(_LENGTH.pack(len(data)) + data)
    for block in blocks:
        stream.write(block)
    stream.flush()


def read(stream: BinaryIO, largest: int) -> Message:
    """Wait for one message, whose blocks have at most ``largest`` bytes together.

    Raises EOFError when the other side has gone, ValueError when it talks nonsense.
    """
    length = _LENGTH.unpack(_exactly(stream, _LENGTH.size))[0]
    if length > LARGEST_HEADER:
        raise ValueError(f"a header of {length} bytes")
    header = json.loads(_exactly(stream, length))
    sizes = header.pop("sizes")
    if any(size < 0 for size in sizes) or sum(sizes) > largest:
        raise ValueError(f"blocks of {sizes} bytes")
    return header, [_exactly(stream, size) for size in sizes]


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data
