"""What reading one file of unknown origin may cost.

Offsets of a flatbuffer may lead many parents to one child, and an archive may unpack to far more than it holds, so that
kilobytes could become more than a machine has. Readers charge what they copy out of a file and every step they take.
"""

from __future__ import annotations

from mobilebert_lite.errors import ModelFileError

# For a small file: more than its words and names, and than its tables: 24 layers have 5,000 for each of their lengths.
_BYTES, _STEPS = 8 << 20, 1 << 16


class Budget:
    """What is left to be spent on a file of ``size`` bytes.

    Copies may hold 8 MiB and twice the size: each is decoded and kept again by what shows it, and all of that together
    must stay below 64 MiB and eight times the size. For the same reason there are 65,536 steps, and one for each 64
    bytes of the file; a step is a table, or an element of a vector.
    """

    def __init__(self, size: int) -> None:
        self.bytes_left = _BYTES + 2 * size
        self.steps_left = _STEPS + size // 64

    def copy(self, count: int, what: str) -> None:
        """Charge ``count`` bytes that are copied out of the file. Raises ModelFileError, which names ``what``."""
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise ModelFileError(f"{what} holds more than a file of its size can need: the same bytes are named again "
                                 "and again, or packed too well; that is no MobileBERT")

    def step(self, count: int, what: str) -> None:
        """Charge ``count`` steps. Raises ModelFileError, which names ``what``."""
        self.steps_left -= count
        if self.steps_left < 0:
            raise ModelFileError(f"{what} unfolds into more parts than a file of its size can need; that is no "
                                 "MobileBERT")
