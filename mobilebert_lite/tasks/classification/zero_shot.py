"""Zero-shot classification: a model of natural-language inference (NLI) judges classes that it was not trained for.

Each class becomes a hypothesis, and the class whose hypothesis the text entails most is the answer (Yin, Hay and Roth
2019, arXiv:1909.00161). Scores are those of the zero-shot-classification pipeline of transformers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mobilebert_lite.architecture.form import SINGLE_LABEL
from mobilebert_lite.common.fields import is_whole
from mobilebert_lite.errors import DataError, ModelFileError, RequestError, shorten
from mobilebert_lite.tasks.base import Outputs, ReadyModel, Task, output_row
from mobilebert_lite.tasks.classification import Classification, Label, label_names
from mobilebert_lite.tasks.hypotheses import ZeroShot
from mobilebert_lite.text.features import pack


def zero_shot(model: ReadyModel, text: str, asked: ZeroShot) -> list[Label]:
    """The labels of ``asked`` with their probabilities, the most probable first.

    The model runs once for each label; too long texts are cut, hypotheses are not. Raises ModelFileError for a model
    that is not for NLI, RequestError without labels, DataError for an empty text.
    """
    if not asked.labels:
        raise RequestError("zero-shot classification needs classes to choose from; give some (--label)")
    check_model(model, asked)
    model = model.with_logits
    outputs = [model.run(pack(model.tokenizer, text, asked.hypothesis(label), model.longest, keep_second=True))[1]
               for label in asked.labels]
    return decode(outputs, model.labels, asked)


def check_model(model: ReadyModel, asked: ZeroShot) -> None:
    """Raise ModelFileError for a model that cannot be asked, RequestError where its classes must be named."""
    check_task(model.task)
    if model.labels:
        check_names(model.labels, asked)


def check_task(task: Task) -> None:
    """Raise ModelFileError for one that is no classification into one class."""
    if not isinstance(task, Classification) or task.form.problem_type != SINGLE_LABEL:
        kind = task.form.problem_type if isinstance(task, Classification) else task.name
        raise ModelFileError(f"this model is for {kind}; zero-shot classification needs one that tells entailment from "
                             "contradiction, such as one trained on MNLI")


def check_names(names: Sequence[str], asked: ZeroShot) -> None:
    """Raise RequestError where ``names``, the model's classes, do not say which of them ``asked`` needs."""
    entailment = entailment_of(names, asked.entailment)
    if asked.by_itself:
        contradiction_of(names, entailment, asked.contradiction)


def decode(outputs: Sequence[Outputs], names: Sequence[str], asked: ZeroShot) -> list[Label]:
    """The labels of ``asked``, the most probable first, from the outputs for the hypothesis of each.

    ``outputs[i]["logits"]`` (or ``probability``) is float [1, N]; ``names`` are the model's N classes. A softmax over
    the entailment logits of all labels, or by itself over entailment and contradiction. Probabilities tell logits but
    for what all classes have in common, which is taken to be their mean: training with cross-entropy moves only the
    differences.
    """
    logits = np.stack([_logits(one) for one in outputs])
    names = label_names(names, logits.shape[1])
    entailment = entailment_of(names, asked.entailment)
    if asked.by_itself:
        contradiction = contradiction_of(names, entailment, asked.contradiction)
        scores = 0.5 * (1.0 + np.tanh(0.5 * (logits[:, entailment] - logits[:, contradiction])))
    else:
        powers = np.exp(logits[:, entailment] - logits[:, entailment].max())
        scores = powers / powers.sum()
    return [Label(asked.labels[i], float(scores[i])) for i in np.argsort(-scores, kind="stable")]


def _logits(outputs: Outputs) -> np.ndarray:
    if "logits" in outputs:
        return output_row(outputs, "logits")
    logs = np.log(np.maximum(output_row(outputs, "probability"), np.finfo(np.float32).tiny))
    return np.asarray(logs - logs.mean())


def entailment_of(names: Sequence[str], said: str | None = None) -> int:
    """Which of ``names`` says that the hypothesis follows: ``said``, or the first that begins with "entail".

    Raises RequestError where there is none.
    """
    if said is not None:
        return _number(names, said, "--entailment")
    found = _begins(names, "entail")
    if found is None:
        raise RequestError(f"none of the model's classes ({shorten(list(names))}) is called entailment. If one of them "
                           "says that the second text follows from the first, name it (--entailment); otherwise the "
                           "model is not for NLI, and cannot judge other classes than its own")
    return found


def contradiction_of(names: Sequence[str], entailment: int, said: str | None = None) -> int:
    """Which of ``names`` says that the hypothesis cannot be: ``said``, the first that begins with "contra", or the
    other one of two. Raises RequestError where there is none."""
    found = _begins(names, "contra") if said is None else _number(names, said, "--contradiction")
    if found is None and len(names) == 2:
        found = 1 - entailment
    if found is None or found == entailment:
        raise RequestError(f"which of the model's classes ({shorten(list(names))}) says that the second text "
                           "contradicts the first is unknown; name it (--contradiction)")
    return found


def _begins(names: Sequence[str], start: str) -> int | None:
    return next((i for i, name in enumerate(names) if name.strip().lower().startswith(start)), None)


def _number(names: Sequence[str], said: str, option: str) -> int:
    lowered = [name.lower() for name in names]
    if said.lower() in lowered:
        return lowered.index(said.lower())
    if is_whole(said) and int(said) < len(names):
        return int(said)
    raise RequestError(f"{option} {said}: the model has no such class; it has {shorten(list(names))}, or their numbers "
                       "from 0 on")


def candidates(labels: Sequence[str | None], *, several: bool) -> tuple[str, ...]:
    """The classes that the ``labels`` of a data set name; where ``several`` hold at once, separated by commas.

    Raises DataError where they are numbers alone.
    """
    said = [label for label in labels if label is not None]
    parts = (part.strip() for label in said for part in (label.split(",") if several else [label]))
    found = tuple(sorted({part for part in parts if part}))
    if not found or all(part.isdecimal() for part in found):
        raise DataError(f"the labels of the data ({shorten(list(found)) or 'none'}) name no classes; give their names "
                        "in the order of the numbers (--label)")
    return found
