"""What reading a file costs stays in proportion to its size."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from bombs import ARCHIVES, FLATBUFFERS, adding, encode, signatures, with_archive
from graphs import sharing

from mobilebert_lite.common import json_text
from mobilebert_lite.common.budget import Budget
from mobilebert_lite.errors import CheckpointError, ModelFileError
from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite.soundness import check_tflite


@pytest.mark.parametrize("size", [0, 1000, 10 << 20])
def test_what_is_left(size: int) -> None:
    budget = Budget(size)
    budget.copy(8 * 1024 * 1024 + 2 * size, "it")
    budget.step(32_768 + size // 64, "it")
    for charge in (budget.copy, budget.step):
        with pytest.raises(ModelFileError, match=r"^it (holds|unfolds)"):
            charge(1, "it")


@pytest.mark.parametrize("name", FLATBUFFERS)
def test_flatbuffers_that_unfold(name: str) -> None:
    with pytest.raises(ModelFileError, match=r"than a file of its size can need|the most is 1,024"):
        check_tflite(FLATBUFFERS[name]())


def test_what_is_shared_within_the_budget() -> None:
    """The writer of these files writes right ones, too."""
    check_tflite(encode(adding()))
    check_tflite(encode(signatures(200, 10)))


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_that_unpack_to_more(name: str) -> None:
    content = with_archive(encode(adding()), ARCHIVES[name]())
    assert len(content) < 1_500_000
    with pytest.raises(ModelFileError, match=r"holds more|files are appended"):
        metadata.read_files(content)


def test_a_vocabulary_of_another_language_is_carried() -> None:
    """119,547 words, as the multilingual network has them."""
    words = b"".join(b"##%05x\n" % i for i in range(119_547))
    stored = with_archive(encode(adding()), {metadata.VOCABULARY: words}, zipfile.ZIP_STORED)
    assert metadata.read_files(stored)[metadata.VOCABULARY] == words


@pytest.mark.parametrize(("text", "message"), [
    ("[" * 100_000, "inside each other"), ('{"a": ' + "9" * 5_000 + "}", "thousands of digits"),
    ("[" + "[]," * 700_000 + "1]", "holds more than a file"), ('{"a": }', "Expecting value"), (b"\xff", "not UTF-8"),
    ("{" + '"a":1,' * 600_000 + '"b":2}', "holds more than a file")],
    ids=["deep", "digits", "lists", "wrong", "bytes", "fields"])
def test_json(text: str | bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=f"^config.json .*{message}"):
        json_text.parse(text, "config.json", CheckpointError)


def test_right_json() -> None:
    value = {"a": [1, 2.5, "ä", None, {"b": []}], "c": 10 ** 4000}
    assert json_text.parse(json.dumps(value), "it") == value
    assert json_text.parse(json.dumps(value).encode(), "it") == value


# The resident memory of a process of its own is what counts, not what we believe that we hold.
_MEASURED = """
import resource, sys
from pathlib import Path
from mobilebert_lite.errors import CheckpointError, ModelFileError
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
