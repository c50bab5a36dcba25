"""Weights of strangers: pickles that would run something, damaged files, small files that ask for much memory.

Nothing runs, nothing crashes, each gets one line, soon and in little memory.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pickle_attacks
import pytest
from hostile_weights import SECONDS, outcome, survey
from torch_writer import checkpoint, text

from mobilebert_lite.converters.huggingface import tensor_files

MEGABYTES = 100
SAMPLES = [checkpoint({f"layer.{i}.weight": np.full((7, 5), i, np.float32) for i in range(40)}, layout, dtype)
           for layout in ("zip", "legacy") for dtype in ("float32", "float16")]
# Audit events of reading a file: opening it, and looking whether it is there.
HARMLESS = {"open", "os.listdir", "os.scandir", "object.__getattr__"}
# What Python is asked to do while a file is read, by name of the audit event.
_events: list[tuple[str, Any]] | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _events is not None:
        _events.append((event, arguments))


@pytest.fixture(scope="session")
def hooked() -> None:
    """An audit hook cannot be taken away again; it notes nothing outside ``watched``."""
    sys.addaudithook(_hook)


@contextmanager
def watched() -> Iterator[list[tuple[str, Any]]]:
    """What happens inside."""
    global _events
    _events = noted = []
    try:
        yield noted
    finally:
        _events = None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / tensor_files.PICKLE


@pytest.mark.parametrize("way", pickle_attacks.CALLING)
def test_these_ways_do_run_in_python(tmp_path: Path, way: str) -> None:
    """What follows would say nothing if the traps did not work."""
    trap = pickle_attacks.WAYS[way]("os", "mkdir", text(str(tmp_path / "sprung")))
    pickle_attacks.spring(trap)
    assert (tmp_path / "sprung").exists()


def test_programs(path: Path, hooked: None) -> None:
    """Every name, in every way and at every place: refused by its name, where the way has one."""
    argument = text(str(path.parent / "sprung"))
    outcome(SAMPLES[0], path)  # imports what reading needs
    count = 0
    for what, name, pickled in pickle_attacks.programs(argument):
        for where, content in pickle_attacks.files(pickled).items():
            with watched() as events:
                message = outcome(content, path)
            assert (f"holds {name}, which tensors do not need" in message
                    or "uses the pickle instruction INST" in message), (what, where, message)
            assert {event for event, _ in events} <= HARMLESS, (what, events)
            assert {str(arguments[0]) for event, arguments in events if event == "open"} == {str(path)}, (what, events)
            count += 1
    assert count > 1500
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("what", pickle_attacks.odd_programs())
def test_odd_programs(path: Path, what: str) -> None:
    pickled = pickle_attacks.odd_programs()[what]
    for content in list(pickle_attacks.files(pickled).values())[:1 if len(pickled) > 1 << 20 else None]:
        started = time.process_time()
        assert outcome(content, path)
        assert time.process_time() - started < SECONDS


@pytest.mark.parametrize("what", pickle_attacks.bombs())
def test_small_files_that_ask_for_much(path: Path, what: str) -> None:
    content = pickle_attacks.bombs()[what]
    assert len(content) < 10 << 20
    tracemalloc.start()
    try:
        started = time.process_time()
        message = outcome(content, path)
        seconds, peak = time.process_time() - started, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert message.startswith("is damaged"), message
    assert seconds < SECONDS
    assert peak < MEGABYTES << 20


def test_tensors_that_share_all(path: Path) -> None:
    """20,000 names of the same elements are one array."""
    content = pickle_attacks.zipped(pickle_attacks.mapping(
        [(text(f"x{i}"), pickle_attacks.tensor(pickle_attacks.storage("0", "float16", 1 << 19), (1 << 19,), (1,)))
         for i in range(20_000)]), {"0": bytes(1 << 20)})
    path.write_bytes(content)
    tensors, _ = tensor_files.read_all(path.parent)
    assert len(tensors) == 20_000
    assert len({id(tensor) for tensor in tensors.values()}) == 1


def test_damaged_files(path: Path, hooked: None) -> None:
    outcome(SAMPLES[0], path)
    with watched() as events:
        outcomes = survey(path, range(300), pickle_attacks.mutate, SAMPLES)
    assert outcomes.count("") < 150  # what changes nothing but numbers of the old layout, which has no sums
    assert len(set(outcomes)) > 20
    assert {event for event, _ in events} <= HARMLESS
    assert list(path.parent.iterdir()) == [path]
