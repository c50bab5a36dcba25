"""Thousands of damaged ``pytorch_model.bin`` and ``tf_model.h5``: tensors or one line each, soon."""

from __future__ import annotations

import os
from pathlib import Path

import pickle_attacks
import pytest
from hostile_weights import survey
from test_hdf5 import samples
from test_hostile_pickles import SAMPLES

from mobilebert_lite.converters.huggingface import tensor_files

COUNT, CHUNK = int(os.environ.get("MBL_FUZZ_FILES", "2000")), 500
# The first ones are damaged by every run of the tests.
FIRST = range(300, 300 + COUNT, CHUNK)


@pytest.mark.fuzz
@pytest.mark.parametrize("first", FIRST)
def test_pickles(tmp_path: Path, first: int) -> None:
    path = tmp_path / tensor_files.PICKLE
    assert len(set(survey(path, range(first, first + CHUNK), pickle_attacks.mutate, SAMPLES))) > 20


@pytest.mark.fuzz
@pytest.mark.parametrize("first", FIRST)
def test_hdf5(tmp_path: Path, first: int) -> None:
    path = tmp_path / tensor_files.HDF5
    assert len(set(survey(path, range(first, first + CHUNK), pickle_attacks.mutate, samples(tmp_path / "whole")))) > 5
