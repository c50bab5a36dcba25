"""Fixtures that several test files use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mobilebert_lite.tokenization import Tokenizer

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Callable[..., Path]:
    """``shared("data", "vocab")``: a path in the folder of test data (MBL_TEST_DATA); skips where it is absent."""
    folder = Path(os.environ.get("MBL_TEST_DATA", "../shared"))
    folder = folder if folder.is_absolute() else ROOT / folder

    def find(*parts: str) -> Path:
        path = folder.joinpath(*parts)
        if not path.exists():
            pytest.skip(f"test data {'/'.join(parts)} is not under {folder} (set MBL_TEST_DATA)")
        return path

    return find


@pytest.fixture(scope="session")
def uncased(shared: Callable[..., Path]) -> Tokenizer:
    """The official uncased vocabulary."""
    return Tokenizer.from_file(shared("data", "vocab", "uncased.txt"))


@pytest.fixture(scope="session")
def small() -> Tokenizer:
    """A vocabulary of a few words for tests without data: ids 0 to 3 are special, letters and digits follow."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789?.,'"
    return Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters),
                      "the", "cat", "sat", "on", "mat", "who"])
