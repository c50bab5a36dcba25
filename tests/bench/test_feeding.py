"""Files that compute on a text of ours whatever they are fed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mobilebert_lite.benchmarks.phone.feeding import inputs_in_order, with_inputs
from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.running.runtime import Session


@pytest.mark.parametrize(("task", "mode"), [("qa", "int8"), ("classification", "none")])
def test_outputs_are_those_of_the_text(converted: Callable[[str, str], Path],
                                       tiny_inputs: dict[int, list[dict[str, np.ndarray]]], task: str,
                                       mode: str) -> None:
    """Bit by bit, and only of that signature: the others go on reading."""
    content, rng = converted(task, mode).read_bytes(), np.random.default_rng(0)
    short, long = (f"{task}_{length}" for length in sorted(tiny_inputs))
    texts = {name: tiny_inputs[int(name.split("_")[1])] for name in (short, long)}
    before, after = Session(content), Session(with_inputs(content, short, texts[short][2]))
    expected = before.run(short, texts[short][2])
    for _ in range(3):
        noise = {name: rng.integers(-2**31, 2**31 - 1, array.shape).astype(np.int32)
                 for name, array in texts[short][2].items()}
        found = after.run(short, noise)
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array)
    assert any(np.any(array != before.run(short, texts[short][0])[name]) for name, array in expected.items())
    for name, array in before.run(long, texts[long][1]).items():
        np.testing.assert_array_equal(after.run(long, texts[long][1])[name], array)


def test_order(converted: Callable[[str, str], Path]) -> None:
    assert inputs_in_order(converted("qa", "int8").read_bytes(), "qa_32") == ["ids", "mask", "segment_ids"]


def test_what_is_not_there(converted: Callable[[str, str], Path]) -> None:
    content = converted("qa", "int8").read_bytes()
    with pytest.raises(ModelFileError, match="no signature 'qa_7'"):
        with_inputs(content, "qa_7", {})
    with pytest.raises(ModelFileError, match="no values for input"):
        with_inputs(content, "qa_32", {"ids": np.zeros((1, 32), np.int32)})
