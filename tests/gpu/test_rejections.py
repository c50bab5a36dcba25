"""What the doctor says of operators on GPUs is what the accelerator says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from accelerator import run_on_gpu
from wrong_cases import hostile_to_gpus

from mobilebert_lite.doctor.facts import Facts
from mobilebert_lite.doctor.gpu import rejection

pytestmark = pytest.mark.gpu


def names(path: Path) -> tuple[set[str], set[str]]:
    """Operators that stay off the GPU: by the doctor, and by the accelerator."""
    facts = Facts(path.read_bytes())
    entry = facts.graphs.entries[0]
    inputs = {name: np.ones(tensor.shape, np.int32) for name, tensor in entry.inputs.items()}
    accepted = run_on_gpu(path, {entry.name: [inputs]})
    return ({operator.name for _, operator in facts.operators if rejection(operator)},
            {line.split(":")[0] for line in accepted.rejected})


def test_of_a_file_full_of_them(tmp_path: Path) -> None:
    path = tmp_path / "hostile.tflite"
    path.write_bytes(hostile_to_gpus(tmp_path))
    ours, theirs = names(path)
    assert ours == theirs >= {"GATHER", "GATHER_ND", "STRIDED_SLICE", "CAST", "MUL", "ADD"}


@pytest.mark.parametrize("mode", ["none", "int8", "fp16"])
def test_of_our_files(converted: Callable[[str, str], Path], mode: str) -> None:
    ours, theirs = names(converted("classification", mode))
    assert ours == theirs
