"""A full-size network converts within the limits of a laptop."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mobilebert_lite.architecture.config import PRESETS
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.inspection.report import inspect
from mobilebert_lite.text.tokenization import Tokenizer

pytestmark = pytest.mark.slow


def test_24_layers_at_384_tokens(shared: Callable[..., Path], tmp_path: Path) -> None:
    words = Tokenizer.from_file(shared("data", "vocab", "uncased.txt")).vocabulary
    huggingface.save(random_weights(PRESETS["uncased"], {"qa": 2}, seed=4), tmp_path / "full", vocabulary=words)
    output = tmp_path / "full.tflite"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([Path(sys.executable).parent / "mbl", "convert", "--weights", tmp_path / "full", "--seq-len",
                           "384", "--quantize", "int8", "-o", output, "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    gigabytes = used.ru_maxrss / 1e6
    # Of processors, of which it keeps two busy: other work on the machine takes nothing from it.
    seconds = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    print(f"{seconds:.0f} s, {gigabytes:.2f} GB peak, {output.stat().st_size / 1e6:.2f} MB")
    assert seconds < 240
    assert gigabytes < 8
    assert output.stat().st_size < 28e6
    assert json.loads(done.stdout)["verification"][0]["agreement"] >= 0.85
    for signature in inspect(output).signatures:
        assert signature.delegation is not None
        assert signature.delegation.partitions == 1
        assert signature.operators <= 1000


# Megabytes of memory before a file is opened, and at the peak of an answer. Not ru_maxrss, which a child inherits.
RUN = """
import sys
from mobilebert_lite import Model
def memory(line):
    return next(int(row.split()[1]) for row in open("/proc/self/status") if row.startswith(line)) / 1e3
import ai_edge_litert.interpreter
before = memory("VmRSS")
model = Model(sys.argv[1])
model.answer("Wer hat es geschrieben?", "Das Buch schrieb eine Frau aus Łódź.")
print(before, memory("VmHWM"))
"""


def test_multilingual_vocabulary(shared: Callable[..., Path], tmp_path: Path) -> None:
    """119,547 words, cased: the file grows by the table's bytes, and the table is never widened as a whole."""
    words = Tokenizer.from_file(shared("data", "vocab", "multilingual_cased.txt"), lower_case=False).vocabulary
    weights = random_weights(PRESETS["multilingual"], {"qa": 2}, seed=4)
    huggingface.save(weights, tmp_path / "full", vocabulary=words, lower_case=False)
    convert(ConvertRequest(tmp_path / "full.tflite", str(tmp_path / "full"), lengths=(128,), quantize="int8"))
    found = inspect(tmp_path / "full.tflite")
    done = subprocess.run([sys.executable, "-c", RUN, tmp_path / "full.tflite"], capture_output=True, text=True,
                          check=True)
    before, peak = map(float, done.stdout.split())
    print(f"{weights.parameters:,} parameters, {found.bytes / 1e6:.2f} MB, {peak - before:.0f} MB of memory to answer")
    assert ("INT8", (119547, 128)) in [(kind, shape) for _, kind, shape, _ in found.largest]
    assert found.files["vocab.txt"] > 900_000
    # 24.0 million of 8 bits in the layers, 15.3 million in the table, 0.5 MB of scales for it, 1 MB of words.
    assert found.bytes < 41e6
    # The file is read once and mapped once; a float table would take 61 MB more.
    assert peak - before < 160
