"""The tests of what is computed from numbers pass on other processors too: none holds one processor's rounding."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import EXHAUSTIVE, ROOT
from emulated import X86, python

pytestmark = [pytest.mark.processors, pytest.mark.timeout(1200)]

# What needs no TensorFlow, which takes an hour under emulation.
TESTS = ("tests/test_shared_cases.py", "tests/test_question_answering.py", "tests/test_classification.py",
         "tests/test_tasks.py", "tests/test_statistics.py")
MORE = ("tests/test_glue.py", "tests/test_scorers.py", "tests/test_squad_metric.py", "tests/test_tokenization.py",
        "tests/bench/test_bench_statistics.py")
# Characters have no rounding, and take the time of all the rest.
LEFT_OUT = "not character_table"
# Bytes of what the tests compute with: exp in both widths, and a matrix product.
PROBE = """
import sys
import numpy as np
x, rng = np.linspace(-20, 0, 4001), np.random.default_rng(0)
rows = rng.normal(size=(64, 512)).astype(np.float32)
np.savez(sys.argv[1], exp=np.exp(x), exp32=np.exp(x.astype(np.float32)), product=rows @ rows.T)
"""
# Starts pytest so that what it starts in turn, by sys.executable, is emulated as well.
START = "import sys; sys.executable = sys.argv[1]; import pytest; sys.exit(pytest.main(sys.argv[2:]))"


@pytest.mark.parametrize("cpu", X86 if EXHAUSTIVE else X86[:1])
def test_they_pass(cpu: str, tmp_path: Path) -> None:
    command = tmp_path / "python"
    command.write_text(f'#!/bin/sh\nexec {shlex.join(python(cpu))} "$@"\n')
    command.chmod(0o755)
    done = subprocess.run(
        [*python(cpu), "-c", START, command, "-p", "no:cacheprovider", "-o", "timeout=1000", "--basetemp",
         tmp_path / "inner", "-k", LEFT_OUT, *TESTS, *(MORE if EXHAUSTIVE else ())],
        cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    [passed] = re.findall(r"(\d+) passed", done.stdout)
    assert int(passed) > 100


def test_the_processors_round_otherwise(tmp_path: Path) -> None:
    """Or the emulation would prove nothing. The oldest one has neither FMA nor AVX: every result differs from ours."""
    found = {}
    for name, command in {"here": python(X86[0])[-1:], X86[0]: python(X86[0])}.items():
        path = tmp_path / f"{name}.npz"
        subprocess.run([*command, "-c", PROBE, path], check=True, capture_output=True, timeout=300)
        with np.load(path) as arrays:
            found[name] = dict(arrays)
    here, there = found.values()
    assert [name for name in here if here[name].tobytes() != there[name].tobytes()]
    for name, value in here.items():
        np.testing.assert_allclose(there[name], value, rtol=1e-4 if value.dtype == np.float32 else 1e-14, atol=1e-4
                                   if name == "product" else 0)
