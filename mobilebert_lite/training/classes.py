"""The classes of a training."""

from __future__ import annotations

from mobilebert_lite.architecture.form import REGRESSION
from mobilebert_lite.converters.checkpoints import Checkpoint
from mobilebert_lite.datasets.naming import are_numbers, name_labels
from mobilebert_lite.datasets.reading import ReadExamples
from mobilebert_lite.errors import DataError, shorten
from mobilebert_lite.tasks import Task
from mobilebert_lite.tasks.labels import read_file
from mobilebert_lite.training.options import TrainOptions


def choose_labels(options: TrainOptions, checkpoint: Checkpoint | None, task: Task,
                  given: ReadExamples) -> tuple[str, ...]:
    """The classes: those asked for, else the checkpoint's where they serve, else the file's, else those that occur.

    Raises DataError for fewer than two.
    """
    if not task.has_labels or options.problem == REGRESSION:
        # Those that every network of the task has.
        return task.class_names(())
    found = task.training.labels(name_labels(given, task, given.class_names) if given.class_names
                                 else given.examples, options.problem)
    labels = read_file(options.labels) if options.labels else given.class_names or found
    if options.labels is None and checkpoint and checkpoint.labels:
        numbers = {str(i) for i in range(len(checkpoint.labels))}
        if set(found) <= set(checkpoint.labels) or set(found) <= numbers:
            labels = checkpoint.labels
    if labels == found and are_numbers(given.examples):
        raise DataError(f"{options.data}: the labels are numbers ({shorten(list(found))}), and nothing says which of "
                        "them is O; --labels FILE gives names, one a line, the first for 0")
    if len(labels) < 2:
        raise DataError(f"{options.data} has {len(found)} labels ({', '.join(found) or 'none'}); "
                        "at least two classes are needed")
    return labels
