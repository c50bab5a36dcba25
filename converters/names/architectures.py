"""The classes of transformers, by which a configuration says what a network was trained for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.tasks import TASKS

ENCODER = "MobileBertModel"
_TASKS = {task.architecture: name for name, task in TASKS.items() if task.architecture}


def with_task(config: MobileBertConfig, raw: Mapping[str, Any]) -> MobileBertConfig:
    """``config`` with the task that its file, ``raw``, says; none for the encoder alone and for unknown classes."""
    said = raw.get("architectures")
    first = said[0] if isinstance(said, list) and said else None
    return replace(config, task=_TASKS.get(first, "") if isinstance(first, str) else "")


def architecture_of(weights: Weights) -> str:
    """The class for ``weights``: that of their task, or of the first task with exactly their heads."""
    if not weights.heads:
        return ENCODER
    said = [TASKS[weights.config.task]] if weights.config.task in TASKS else [
        task for task in TASKS.values() if task.heads == weights.heads]
    return next((task.architecture for task in said if task.architecture), ENCODER)
