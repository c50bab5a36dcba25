"""The tasks that a file can be made for: one module each, and this list."""

from __future__ import annotations

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.errors import ConversionError
from mobilebert_lite.tasks.base import Task
from mobilebert_lite.tasks.classification import Classification
from mobilebert_lite.tasks.feature_extraction import FeatureExtraction
from mobilebert_lite.tasks.masked_lm import FillMask, Pretraining
from mobilebert_lite.tasks.multiple_choice import MultipleChoice
from mobilebert_lite.tasks.next_sentence import NextSentence
from mobilebert_lite.tasks.question_answering import QuestionAnswering
from mobilebert_lite.tasks.token_classification import TokenClassification

# In the order in which help texts list them.
TASKS: dict[str, Task] = {task.name: task for task in (
    QuestionAnswering(), Classification(), TokenClassification(), MultipleChoice(), NextSentence(), FillMask(),
    Pretraining(), FeatureExtraction())}
_BY_ALIAS = {alias: task for task in TASKS.values() for alias in task.aliases}
# By which tasks are known, here and at Hugging Face.
NAMES = (*TASKS, *_BY_ALIAS)
# Those that `mbl train` teaches.
TRAINABLE = ("qa", "classification", "token-classification")

__all__ = ["NAMES", "TASKS", "TRAINABLE", "Task", "find_task"]


def find_task(name: str, form: Form | None = None) -> Task:
    """The task called ``name`` here or at Hugging Face, for files of ``form``.

    Raises ConversionError listing the known names.
    """
    task = TASKS.get(name) or _BY_ALIAS.get(name)
    if task is None:
        raise ConversionError(f"unknown task {name!r}; known are {', '.join(NAMES)}")
    return task if form is None else task.with_form(form)
