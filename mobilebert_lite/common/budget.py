"""What reading one file of unknown origin may cost: every reader of untrusted bytes charges it to one class.

Offsets of a flatbuffer may lead many parents to one child, an archive may unpack to far more than it holds, and three
characters of JSON become an object of 64 bytes; so kilobytes could become more than a machine has. A file of N bytes
costs at most 64 MB + 8 N of memory and 10 s, beyond what the same command takes for an ordinary file of that size
(Python and the libraries: 50 MB for ``mbl inspect``, 150 MB with an interpreter, 600 MB where TensorFlow is needed).

========================  =====================================================================
charge                    weight
========================  =====================================================================
pool of a file            32 MiB + 8 N
a byte that is copied     4: it is decoded, kept again by what shows it, and printed
an object of JSON         64: a list, a number or a text, and its place in a list
a line of a carried file  200: a word of a vocabulary, and the two tables from it to its number
steps of a file           32,768 + N / 64: tables of a flatbuffer, and elements of their vectors
========================  =====================================================================

What native code does with a file has limits of its own, in a process of its own (``running.isolation``).
"""

from __future__ import annotations

from mobilebert_lite.errors import MblError, ModelFileError

_POOL, _POOL_PER_BYTE = 32 << 20, 8
# 24 layers have 5,000 tables for each of their lengths, which take 0.3 MB.
_STEPS, _BYTES_PER_STEP = 1 << 15, 64
# What one thing takes in memory, in bytes.
COPY, OBJECT, LINE = 4, 64, 200
# What a file may cost as a whole; bytes of it that may take another second.
_MEMORY, _SECONDS, _BYTES_PER_SECOND = 64 << 20, 10.0, 10e6


def memory(size: int) -> int:
    """Bytes of memory that reading a file of ``size`` bytes may take as a whole."""
    return _MEMORY + _POOL_PER_BYTE * size


def seconds(size: int) -> float:
    """Seconds of a processor that reading a file of ``size`` bytes may take as a whole."""
    return _SECONDS + size / _BYTES_PER_SECOND


class Budget:
    """What is left to be spent on a file of ``size`` bytes; ``error`` is what is raised when it is spent."""

    def __init__(self, size: int, error: type[MblError] = ModelFileError) -> None:
        self.bytes_left = _POOL + _POOL_PER_BYTE * size
        self.steps_left = _STEPS + size // _BYTES_PER_STEP
        self._error = error

    def copy(self, count: int, what: str) -> None:
        """Charge ``count`` bytes that are copied out of the file. Raises ``error``, which names ``what``."""
        self.keep(count, COPY, what)

    def keep(self, count: int, weight: int, what: str) -> None:
        """Charge ``count`` things that take ``weight`` bytes each. Raises ``error``, which names ``what``."""
        self.bytes_left -= count * weight
        if self.bytes_left < 0:
            raise self._error(f"{what} holds more than a file of its size can need: the same bytes are named again "
                              "and again, packed too well, or cut into too many parts; that is no MobileBERT")

    def step(self, count: int, what: str) -> None:
        """Charge ``count`` steps. Raises ``error``, which names ``what``."""
        self.steps_left -= count
        if self.steps_left < 0:
            raise self._error(f"{what} unfolds into more parts than a file of its size can need; that is no "
                              "MobileBERT")
