"""Each client's answers beside those of ``mbl run``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ours import Answer, Example, Place, RememberingModel, decoded, stacked
from support import RefusedError, ask, run_bare

# As the Task Library searches: among five starts and five ends, for 32 tokens (kPredictAnsNum and kMaxAnsLen of
# bert_question_answerer.h), and always for an answer. The reference is `mbl run --no-null`.
TASK_LIBRARY: dict[str, Any] = {"n_best": 5, "max_answer_tokens": 32, "allow_null": False}
REFERENCE: dict[str, Any] = {"allow_null": False}


@dataclass(frozen=True)
class File:
    """A converted file with the texts that it is asked."""

    path: Path
    model: RememberingModel
    examples: Sequence[Example]


@dataclass(frozen=True)
class Difference:
    """An example that a client answers otherwise."""

    example: Example
    theirs: str
    ours: str
    # "tie": to ``mbl run`` their answer is as good, within what verification allows. "tokens": the tokenizers differ
    # on it. "search": the Task Library looks at fewer spans, or longer ones. "unexplained": it should not be.
    reason: str
    # How much worse their answer is to ``mbl run``, as a share of what its scores span; None where it is no tie.
    gap: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one file in one client."""

    # The client's reason where it did not load the file; empty otherwise.
    refusal: str = ""
    examples: int = 0
    # From `mbl run` on the same tokens: `--tokenizer phone` for libraries, as it is for runtimes.
    differences: tuple[Difference, ...] = ()
    # Greatest difference of a score (libraries) or an output (runtimes), of the largest.
    error: float = 0.0
    # From `mbl run` as it is; empty for runtimes.
    from_reference: tuple[Difference, ...] = ()
    # Examples that the client's tokenizer splits otherwise than `mbl run`.
    other_tokens: int = 0


def of_library(client: str, file: File) -> Outcome:
    """``client``, "task-library" or "mediapipe", which takes texts and splits them as ``--tokenizer phone`` does."""
    task = file.model.task.name
    try:
        given = ask(client, file.path, task, file.examples)
    except RefusedError as error:
        return Outcome(str(error))
    theirs = [_spans(one) if task == "qa" else dict(one) for one in given]
    phone, reference = file.model.as_("phone"), file.model.as_("reference")
    ours = [phone.best(example, TASK_LIBRARY) for example in file.examples]
    as_run = [reference.best(example, REFERENCE) for example in file.examples]
    found, errors = [], []
    for example, scores, answer in zip(file.examples, theirs, ours, strict=True):
        found += _difference(example, _first(scores), (), answer, "unexplained")
        errors += [abs(score - answer.scores[name]) for name, score in scores.items() if name in answer.scores][:1]
    from_reference = [one for example, scores, answer in zip(file.examples, theirs, as_run, strict=True)
                      for one in _difference(example, _first(scores), (), answer, "tokens" if phone.tokens(example) !=
                                             reference.tokens(example) else "search")]
    largest = max(abs(score) for answer in ours for score in answer.scores.values())
    other_tokens = sum(phone.tokens(example) != reference.tokens(example) for example in file.examples)
    return Outcome("", len(theirs), tuple(found), max(errors) / largest, tuple(from_reference), other_tokens)


def of_runtime(api: str, file: File, folder: Path) -> Outcome:
    """A bare runtime, which takes ids: those of ``mbl run``."""
    model = file.model.as_("reference")
    try:
        outputs = run_bare(api, file.path, model.lengths[model.longest], stacked(model, file.examples), folder)
    except RefusedError as error:
        return Outcome(str(error))
    found, error, largest = [], 0.0, 0.0
    for i, example in enumerate(file.examples):
        [features] = model.features(example)
        expected = model.run(features)[1]
        given = {name: array[i] for name, array in outputs.items()}
        for name, value in expected.items():
            largest = max(largest, float(np.abs(value).max()))
            error = max(error, float(np.abs(given[name] - value).max()))
        theirs, ours = (decoded(model, features, example, each) for each in (given, expected))
        found += _difference(example, theirs.best, theirs.place, ours, "unexplained")
    return Outcome("", len(file.examples), tuple(found), error / largest)


def _spans(given: Sequence[Any]) -> dict[str, float]:
    """Text → score, of [text, first token, last token, score] of each answer, the best first."""
    scores: dict[str, float] = {}
    for text, _, _, score in given:
        scores.setdefault(text, score)
    return scores or {"": 0.0}


def _first(scores: Mapping[str, float]) -> str:
    return max(scores, key=scores.__getitem__)


def _difference(example: Example, theirs: str, place: Place, ours: Answer, reason: str) -> list[Difference]:
    """Nothing where both have the same best answer, at the same place if the client says which."""
    if theirs == ours.best and place in ((), ours.place):
        return []
    gaps = [gap for (text, where), gap in ours.ties.items() if text == theirs and place in ((), where)]
    return [Difference(example, theirs, ours.best, "tie", min(gaps)) if gaps else
            Difference(example, theirs, ours.best, reason)]
