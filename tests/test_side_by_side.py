"""scripts/side_by_side.py, by which CI runs two targets at a time."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import ROOT

MAKEFILE = """
good:
	@sleep 0.5; echo it went well
bad:
	@for i in $$(seq 50); do echo line $$i; done; exit 3
meet:
	@touch $(ME); for i in $$(seq 100); do [ -f $(OTHER) ] && exit 0; sleep 0.1; done; exit 1
reads:
	@read line && echo "read $$line" || echo nothing to read
long:
	@touch started; sleep 60 & echo $$! > child; mv child started; wait; touch ended
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script beside a Makefile of ours."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "Makefile").write_text(MAKEFILE)
    return Path(shutil.copy(ROOT / "scripts" / "side_by_side.py", tmp_path / "scripts"))


def run(script: Path, *calls: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, script, *calls], capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL)


def test_what_fails_is_named_with_its_last_lines(script: Path) -> None:
    done = run(script, "good", "bad good", 'good X="a b"')
    assert done.returncode == 1
    assert done.stdout.count("it went well") == 2  # of "bad good" nothing runs after the first
    head, together = done.stdout.split("===== together")
    assert "===== make bad good: FAILED" in head
    assert "line 1\n" in head
    assert "FAILED with 2  make bad good" in together
    assert 'passed    make good X="a b"' in together
    assert "line 1\n" not in together
    assert "line 50\n" in together
    assert run(script, "good", "reads").returncode == 0


def test_two_run_at_a_time_and_no_third(script: Path) -> None:
    assert run(script, "meet ME=a OTHER=b", "meet ME=b OTHER=a").returncode == 0
    assert run(script, "--at-once", "1", "meet ME=c OTHER=d", "meet ME=d OTHER=c").returncode == 1


def test_interrupted_it_ends_what_it_started(script: Path) -> None:
    process = subprocess.Popen([sys.executable, script, "long", "good", "good"], stdout=subprocess.PIPE, text=True)
    started = script.parent.parent / "started"
    while not (started.exists() and started.read_text()):
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert "make long: FAILED" in printed
    assert not (script.parent.parent / "ended").exists()
    child = int(started.read_text())
    for _ in range(100):
        if not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.1)
    pytest.fail("what the shell had started goes on")
