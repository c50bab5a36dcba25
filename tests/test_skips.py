"""Skipped tests are said once, and fail where everything must run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

TESTS = '''
import pytest

@pytest.mark.parametrize("k", range(3))
def test_that_needs_something(k):
    pytest.skip("needs a thing")

def test_for_a_phone():
    pytest.skip("this machine has the processor of a phone")

def test_that_runs():
    pass
'''


@pytest.mark.parametrize(("asked", "chosen", "code", "said"), [
    ("0", "", 0, ["skipped 3: needs a thing"]),
    ("1", "", 1, ["skipped 3: needs a thing", "MBL_NO_SKIPS is set: skipped tests are failures"]),
    ("1", "phone or runs", 0, ["skipped 1: this machine has the processor of a phone"])])
def test_skips(tmp_path: Path, asked: str, chosen: str, code: int, said: list[str]) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text("from skips import register as pytest_configure\n")
    environment = {**os.environ, "MBL_NO_SKIPS": asked, "PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, tmp_path],
                          cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == code, done.stdout
    assert set(said) <= set(done.stdout.splitlines())
