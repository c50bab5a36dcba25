"""What reading a file costs stays in proportion to its size."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from graphs import adding, sharing

from mobilebert_lite.common.budget import Budget
from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.tflite import container as metadata


@pytest.mark.parametrize("size", [0, 1000, 10 << 20])
def test_what_is_left(size: int) -> None:
    budget = Budget(size)
    budget.copy(8 * 1024 * 1024 + 2 * size, "it")
    budget.step(65_536 + size // 64, "it")
    for charge in (budget.copy, budget.step):
        with pytest.raises(ModelFileError, match=r"^it (holds|unfolds)"):
            charge(1, "it")


def test_an_archive_that_unpacks_to_more() -> None:
    """60 MB of line ends in 60 KB."""
    stream = io.BytesIO(adding().bytes())
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(metadata.LABELS, b"\n" * 60_000_000)
    with pytest.raises(ModelFileError, match="the archive of appended files holds more"):
        metadata.read_files(stream.getvalue())


# The resident memory of a process of its own is what counts, not what we believe that we hold.
_MEASURED = """
import resource, sys
from pathlib import Path
from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.inspection.report import inspect
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    inspect(Path(sys.argv[1]))
except ModelFileError as error:
    print(error, file=sys.stderr)
print(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


@pytest.mark.parametrize("content", [sharing(20_000, 1 << 20), sharing(60_000, 100), sharing(8, 1 << 20)],
                         ids=["refused", "tables", "names"])
def test_memory(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "shared.tflite"
    path.write_bytes(content)
    done = subprocess.run([sys.executable, "-c", _MEASURED, path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < (64 << 20) + 8 * len(content)
