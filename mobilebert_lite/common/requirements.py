"""What a long command needs, looked for before it begins: in a moment, and without importing anything heavy."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path

from mobilebert_lite.common.files import check_output
from mobilebert_lite.errors import DataError, DependencyError

WITHOUT_TENSORFLOW = "converting and training need TensorFlow ({}): pip install 'mobilebert-lite[convert]'"


def need_tensorflow() -> None:
    """Raise DependencyError where TensorFlow is not installed; it is not imported."""
    if importlib.util.find_spec("tensorflow") is None:
        raise DependencyError(WITHOUT_TENSORFLOW.format("it is not installed"))


def need_files(paths: Iterable[Path | None], what: str = "data file") -> None:
    """Raise DataError for the first of ``paths`` where there is nothing; None is passed over."""
    for path in paths:
        if path is not None and not path.exists():
            raise DataError(f"no {what} at {path}")


def need_outputs(paths: Iterable[Path | None]) -> None:
    """Raise OutputError for the first of ``paths`` that cannot be written; None is passed over."""
    for path in paths:
        if path is not None:
            check_output(path)
