"""A session whose interpreter lives in another process."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.running.isolation import arrays, helper, limits
from mobilebert_lite.running.isolation.limits import memory_limit
from mobilebert_lite.running.runtime import Session

# What loading a model, or one inference, may take: a 24-layer model of 26 MB answers in 0.01 s and loads in 0.1 s.
SECONDS, BYTES_PER_SECOND = 8.0, 10e6


class IsolatedSession(Session):
    """As Session; a file that crashes the runtime, never ends or eats the memory becomes a ModelFileError."""

    def __init__(self, content: bytes, threads: int = 1, runtime: str | None = None) -> None:
        """Raises ModelFileError with the reason when the runtime refuses ``content`` or does not survive it."""
        self._connection = helper.Connection(helper.take(), "the process that ran this model")
        loaded, _ = self._connection.ask(
            {"do": "load", "threads": threads, "runtime": runtime, "seconds": time_limit(content),
             "memory": memory_limit(len(content))}, [content])
        self.runtime, self.signatures = loaded["runtime"], loaded["signatures"]

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As the session in the other process does."""
        described, blocks = arrays.pack(inputs)
        answer, packed = self._connection.ask({"do": "run", "signature": signature, "arrays": described}, blocks)
        return arrays.unpack(answer["arrays"], packed)

    def nodes(self) -> dict[str, Any]:
        """As the session in the other process does."""
        nodes: dict[str, Any] = self._connection.ask({"do": "nodes"})[0]["nodes"]
        return nodes

    def close(self) -> None:
        """Let go of the interpreter; its process is free for another."""
        if (kept := self._connection.leave()) is not None:
            with suppress(ModelFileError):
                kept.ask({"do": "close"})
                helper.give_back(kept)

    def __del__(self) -> None:
        # At the very end modules are gone, and so is the process.
        with suppress(Exception):
            self.close()


def time_limit(content: bytes) -> float:
    """Seconds that ``content`` may take without an answer. Raises as ``limits.seconds``."""
    return limits.seconds(SECONDS + len(content) / BYTES_PER_SECOND)
