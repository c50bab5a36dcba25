"""Which scorer a model has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import TASKS, Task
from mobilebert_lite.tasks.classification import Classification
from mobilebert_lite.tasks.scoring import Scorer, ScorerOptions

__all__ = ["ScorerOptions", "find_scorer"]


def find_scorer(task: Task, examples: Sequence[Any], labels: Sequence[str], options: ScorerOptions) -> Scorer:
    """The scorer for models of ``task`` in its form, whose classes are called ``labels``, on ``examples``.

    Raises DataError when there is none, or when the options do not fit it.
    """
    if not task.scored:
        known = ", ".join(name for name, one in TASKS.items() if one.scored)
        raise DataError(f"models for {task.name} cannot be scored; those for {known} can")
    if options.zero_shot is not None and not isinstance(task, Classification):
        raise DataError(f"this model is for {task.name}; other classes than its own (--label, --zero-shot) can be "
                        "asked of a classifier for natural-language inference alone")
    return task.scorer(examples, labels, options)
