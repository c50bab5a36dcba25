"""Named arrays as messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobilebert_lite.errors import ModelFileError


def pack(arrays: Mapping[str, np.ndarray]) -> tuple[list[Any], list[memoryview]]:
    """(names, dtypes and shapes) and the bytes. Raises ModelFileError for arrays of texts."""
    described, blocks = [], []
    for name, value in arrays.items():
        value = np.asarray(value)
        if value.dtype.kind not in "biufc":
            raise ModelFileError(f"{name!r} holds texts; only numbers pass between processes")
        described.append([name, value.dtype.str, list(value.shape)])
        blocks.append(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    return described, blocks


def unpack(described: Sequence[Any], blocks: Sequence[bytes]) -> dict[str, np.ndarray]:
    """The arrays of ``pack``, read-only. Raises ValueError where bytes and shapes do not fit."""
    return {name: np.frombuffer(block, dtype).reshape(shape)
            for (name, dtype, shape), block in zip(described, blocks, strict=True)}
