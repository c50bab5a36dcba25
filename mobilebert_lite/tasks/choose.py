"""Which task a checkpoint is converted for, and in which form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.architecture.heads import HEADS
from mobilebert_lite.architecture.pooling import Pooling
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.errors import ConversionError, RequestError
from mobilebert_lite.tasks import TASKS, Task, find_task

# Tasks that have each of the choices of a form.
_CHOOSING = {option: [name for name, task in TASKS.items() if option in task.form_options]
             for option in ("positions", "choices", "problem", "pooling")}


def choose_task(weights: Weights, name: str | None, location: str | None = None) -> Task:
    """The task asked for, or what the checkpoint was trained for, or what it has a head for.

    Raises ConversionError without the heads that the task needs; ``location`` is where the weights were asked for.
    """
    if name is None:
        said = weights.config.task
        if said and set(find_task(said).heads) <= set(weights.heads):
            return find_task(said)
        return _by_heads(weights)
    task = find_task(name)
    if missing := [HEADS[head].title for head in task.heads if head not in weights.heads]:
        has = ", ".join(HEADS[head].title for head in weights.heads) or "none (it is an encoder alone)"
        raise ConversionError(f"the checkpoint is not trained for {task.name}: it has no head for "
                              f"{' or '.join(missing)}; its heads are: {has}; {_way(weights, task, location)}")
    return task


def _by_heads(weights: Weights) -> Task:
    """For a checkpoint that does not say what it was trained for: the first task of its first head, or of none."""
    return next(task for heads in (*((head,) for head in weights.heads), ()) for task in TASKS.values()
                if task.heads == heads)


def _way(weights: Weights, task: Task, location: str | None) -> str:
    """What to do about a checkpoint that has no head for ``task``."""
    if task.trainable:
        return (f"train it first: mbl train --task {task.name} --data FILE --weights {location or weights.source.path} "
                "-o FOLDER")
    fitting = [name for name, other in TASKS.items() if set(other.heads) <= set(weights.heads)]
    return f"give a checkpoint that has it, or convert this one with --task {' or '.join(fitting)}"


def choose_form(weights: Weights, task: Task, examples: Sequence[Any], *, logits: bool = False, positions: int = 0,
                choices: int | None = None, problem: str | None = None, pooling: str | None = None,
                normalize: bool | None = None) -> Form:
    """The form of a file for ``task``; ``examples`` say how many choices a multiple-choice question has.

    ``problem`` is one of form.PROBLEMS, ``pooling`` one of pooling.POOLINGS, in place of what the checkpoint says, and
    so is ``normalize``. Raises ConversionError for what the task does not have.
    """
    if logits and "logits" not in task.form_options:
        known = ("gives logits in any case" if any(name.endswith("logits") for name in task.vectors)
                 else "has none to choose")
        raise RequestError(f"--logits is for tasks that give a probability for each class; {task.name} {known}")
    for option, flag, asked in (("positions", "positions", positions or None), ("choices", "num-choices", choices),
                                ("problem", "problem", problem), ("pooling", "pooling", pooling),
                                ("pooling", "normalize" if normalize else "no-normalize", normalize)):
        if asked is not None and option not in task.form_options:
            raise RequestError(f"--{flag} is for {' and '.join(_CHOOSING[option])}, not for {task.name}")
    form = Form(logits=logits, positions=positions, choices=choices or 0)
    if "pooling" in task.form_options:
        said = weights.pooling or Pooling()
        form = replace(form, pooling=pooling or said.mode, normalize=said.normalize if normalize is None else normalize)
    return task.form_of(weights, examples, form, problem)
