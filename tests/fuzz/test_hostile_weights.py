"""Thousands of damaged ``pytorch_model.bin`` and ``tf_model.h5``: tensors or one line each, soon."""

from __future__ import annotations

from pathlib import Path

import pickle_attacks
import pytest
from hostile_weights import survey
from test_hdf5 import samples
from test_hostile_pickles import SAMPLES

from mobilebert_lite.converters import tensor_files

CHUNK = 2_000


@pytest.mark.fuzz
@pytest.mark.parametrize("first", range(300, 20_300, CHUNK))
def test_pickles(tmp_path: Path, first: int) -> None:
    path = tmp_path / tensor_files.PICKLE
    assert len(set(survey(path, range(first, first + CHUNK), pickle_attacks.mutate, SAMPLES))) > 20


@pytest.mark.fuzz
@pytest.mark.parametrize("first", range(300, 10_300, CHUNK))
def test_hdf5(tmp_path: Path, first: int) -> None:
    path = tmp_path / tensor_files.HDF5
    assert len(set(survey(path, range(first, first + CHUNK), pickle_attacks.mutate, samples(tmp_path / "whole")))) > 5
