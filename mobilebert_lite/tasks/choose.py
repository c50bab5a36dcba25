"""Which task a checkpoint is converted for, and in which form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mobilebert_lite.architecture.form import PROBLEMS, SINGLE_LABEL, Form, problem_of
from mobilebert_lite.architecture.weights import HEAD_TITLES, Weights
from mobilebert_lite.errors import ConversionError
from mobilebert_lite.tasks import TASKS, TRAINABLE, Task, find_task
from mobilebert_lite.tasks.classification import Classification, ClassTask
from mobilebert_lite.tasks.masked_lm import FillMask, Pretraining
from mobilebert_lite.tasks.multiple_choice import MultipleChoice
from mobilebert_lite.tasks.token_classification import TokenClassification

# For a checkpoint that does not say what it was trained for: its heads -> task, the first that fits.
_BY_HEADS = (("qa", "qa"), ("classifier", "classification"), ("mlm", "fill-mask"), ("nsp", "next-sentence"))


def choose_task(weights: Weights, name: str | None, location: str | None = None) -> Task:
    """The task asked for, or what the checkpoint was trained for, or what it has a head for.

    Raises ConversionError without the heads that the task needs; ``location`` is where the weights were asked for.
    """
    if name is None:
        said = weights.config.task
        if said and set(find_task(said).heads) <= set(weights.heads):
            return find_task(said)
        return find_task(next((task for head, task in _BY_HEADS if head in weights.heads), "features"))
    task = find_task(name)
    if missing := [HEAD_TITLES[head] for head in task.heads if head not in weights.heads]:
        has = ", ".join(HEAD_TITLES[head] for head in weights.heads) or "none (it is an encoder alone)"
        raise ConversionError(f"the checkpoint is not trained for {task.name}: it has no head for "
                              f"{' or '.join(missing)}; its heads are: {has}; {_way(weights, task, location)}")
    return task


def _way(weights: Weights, task: Task, location: str | None) -> str:
    """What to do about a checkpoint that has no head for ``task``."""
    if task.name in TRAINABLE:
        return (f"train it first: mbl train --task {task.name} --data FILE --weights {location or weights.source.path} "
                "-o FOLDER")
    fitting = [name for name, other in TASKS.items() if set(other.heads) <= set(weights.heads)]
    return f"give a checkpoint that has it, or convert this one with --task {' or '.join(fitting)}"


def choose_form(weights: Weights, task: Task, examples: Sequence[Any], logits: bool = False, positions: int = 0,
                choices: int | None = None, problem: str | None = None) -> Form:
    """The form of a file for ``task``; ``examples`` say how many choices a multiple-choice question has.

    ``problem`` is one of form.PROBLEMS, in place of what the checkpoint says. Raises ConversionError for what the task
    does not have.
    """
    if logits and not isinstance(task, ClassTask):
        known = "gives logits in any case" if isinstance(task, FillMask | TokenClassification) else "has none to choose"
        raise ConversionError(f"--logits is for tasks that give a probability for each class; {task.name} {known}")
    if positions and (not isinstance(task, FillMask) or isinstance(task, Pretraining)):
        raise ConversionError(f"--positions is for fill-mask, not for {task.name}")
    if choices is not None and not isinstance(task, MultipleChoice):
        raise ConversionError(f"--num-choices is for multiple-choice, not for {task.name}")
    if problem is not None and not isinstance(task, Classification):
        raise ConversionError(f"--problem is for classification, not for {task.name}")
    if isinstance(task, Classification):
        said = PROBLEMS[problem] if problem else weights.config.problem_type
        return Form(problem_of(said, weights.tensors["classifier.kernel"].shape[1], weights.source.format), logits)
    if not isinstance(task, MultipleChoice):
        return Form(SINGLE_LABEL, logits, positions=positions)
    outputs = weights.tensors["classifier.kernel"].shape[1]
    if outputs != 1:
        raise ConversionError(f"multiple choice gives each choice one score, but the classifier has {outputs} outputs; "
                              "it is one for --task classification")
    return Form(SINGLE_LABEL, logits, choices or max(len(example.choices) for example in examples))
