"""Convert one checkpoint in several quantization modes, and compare size and error.

    python examples/compare_modes.py [CHECKPOINT]        # the bundled classifier without one
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from mobilebert_lite import ConvertRequest, convert

MODES = ("none", "fp16", "dynamic")


def main(checkpoint: str | None = None) -> dict[str, tuple[int, float]]:
    """Mode → bytes, and mean relative error of the outputs against the checkpoint."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for mode in MODES:
            report = convert(ConvertRequest(Path(folder, f"{mode}.tflite"), checkpoint, task="classification",
                                            lengths=(32,), quantize=mode))
            found[mode] = report.bytes, report.verification[0].error
            print(f"{mode:10} {report.bytes / 1e6:6.2f} MB   mean relative error {report.verification[0].error:.2g}")
    return found


if __name__ == "__main__":
    main(*sys.argv[1:2])
