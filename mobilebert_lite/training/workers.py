"""Machines that train together, as the environment variable TF_CONFIG names them; read without TensorFlow."""

from __future__ import annotations

import os
from typing import Any

from mobilebert_lite.common.json_text import decode
from mobilebert_lite.errors import DataError

KINDS = ("auto", "none", "mirrored", "workers")


def check(distribute: str) -> None:
    """Raise DataError for devices that are unknown or named nowhere, before anything is computed."""
    if distribute not in KINDS:
        raise DataError(f"distribute is {distribute!r}; known are {', '.join(KINDS)}")
    if distribute == "workers" and not count():
        raise DataError("distribute is 'workers', but the environment variable TF_CONFIG names none; see "
                        "docs/how-to/train.md")


def count() -> int:
    """How many there are."""
    cluster = _config().get("cluster", {})
    return len(cluster.get("worker", [])) + len(cluster.get("chief", []))


def is_chief() -> bool:
    """Whether this process writes the files: the chief, else the first worker, or the only process."""
    config = _config()
    task = config.get("task", {})
    first = "chief" if "chief" in config.get("cluster", {}) else "worker"
    return task.get("type", first) == first and int(task.get("index", 0)) == 0


def _config() -> dict[str, Any]:
    try:
        found = decode(os.environ.get("TF_CONFIG") or "{}")
    except ValueError as error:
        raise DataError(f"the environment variable TF_CONFIG is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise DataError("the environment variable TF_CONFIG holds no JSON object")
    return found
