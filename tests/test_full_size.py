"""A full-size network converts within the limits of a laptop."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mobilebert_lite.config import PRESETS
from mobilebert_lite.converters import huggingface
from mobilebert_lite.inspection import inspect
from mobilebert_lite.tokenization import Tokenizer
from mobilebert_lite.weights import random_weights

pytestmark = pytest.mark.slow


def test_24_layers_at_384_tokens(shared: Callable[..., Path], tmp_path: Path) -> None:
    words = Tokenizer.from_file(shared("data", "vocab", "uncased.txt")).vocabulary
    huggingface.save(random_weights(PRESETS["uncased"], {"qa": 2}, seed=4), tmp_path / "full", words)
    output = tmp_path / "full.tflite"
    started = time.monotonic()
    done = subprocess.run([Path(sys.executable).parent / "mbl", "convert", "--weights", tmp_path / "full", "--seq-len",
                           "384", "--quantize", "int8", "-o", output, "--json"], capture_output=True, text=True)
    seconds = time.monotonic() - started
    assert done.returncode == 0, done.stderr
    gigabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"{seconds:.0f} s, {gigabytes:.2f} GB peak, {output.stat().st_size / 1e6:.2f} MB")
    assert seconds < 120
    assert gigabytes < 8
    assert output.stat().st_size < 28e6
    assert json.loads(done.stdout)["verification"][0]["agreement"] >= 0.85
    for signature in inspect(output).signatures:
        assert signature.delegation is not None
        assert signature.delegation.partitions == 1
        assert signature.operators <= 1000
