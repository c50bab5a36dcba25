"""The tasks that a file can be made for: a package each, and this list."""

from __future__ import annotations

import importlib

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.architecture.heads import HEADS
from mobilebert_lite.errors import RequestError
from mobilebert_lite.tasks.base import Task

# In the order in which help texts list them. A new task is its package and a line here.
PACKAGES = (
    "question_answering",
    "classification",
    "token_classification",
    "multiple_choice",
    "next_sentence",
    "masked_lm",
    "pretraining",
    "feature_extraction",
    "embedding",
)
_FOUND: tuple[Task, ...] = tuple(importlib.import_module(f"{__name__}.{package}").TASK for package in PACKAGES)
TASKS: dict[str, Task] = {task.name: task for task in _FOUND}
HEADS.update({head.name: head for task in _FOUND for head in task.own_heads})
_BY_ALIAS = {alias: task for task in _FOUND for alias in task.aliases}
# By which tasks are known, here and at Hugging Face.
NAMES = (*TASKS, *_BY_ALIAS)
# Those that `mbl train` teaches.
TRAINABLE = tuple(task.name for task in _FOUND if task.trainable)

__all__ = ["NAMES", "TASKS", "TRAINABLE", "Task", "find_task"]


def find_task(name: str, form: Form | None = None) -> Task:
    """The task called ``name`` here or at Hugging Face, for files of ``form``.

    Raises RequestError listing the known names.
    """
    task = TASKS.get(name) or _BY_ALIAS.get(name)
    if task is None:
        raise RequestError(f"unknown task {name!r}; known are {', '.join(NAMES)}")
    return task if form is None else task.with_form(form)
