"""The package's own examples, to calibrate with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

from mobilebert_lite.datasets.columns import Names, text_columns
from mobilebert_lite.datasets.options import DataOptions
from mobilebert_lite.datasets.questions import question_columns, read_questions
from mobilebert_lite.datasets.rows import Example
from mobilebert_lite.datasets.text_rows import read_texts
from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import find_task
from mobilebert_lite.text.examples import ChoiceExample, PairExample, QuestionExample, TextExample, TokenExample

_QUESTIONS, _TEXTS = "calibration_qa.jsonl", "calibration_text.jsonl"


def builtin_examples(task_name: str) -> list[Example]:
    """The package's own calibration examples for a task."""
    task = find_task(task_name)
    kind = task.example_type
    if kind is TextExample:
        return list(_texts())
    if kind is TokenExample:
        return [TokenExample(tuple(one.text.split()), (), one.id) for one in _texts()]
    questions = list(_questions())
    made: Sequence[Example] = task.builtin_examples(questions)
    if not made and kind is PairExample:
        made = list(_pairs(questions))
    elif not made and kind is ChoiceExample:
        made = list(_choices(questions))
    elif kind is QuestionExample:
        made = questions
    if not made:
        raise DataError(f"there are no built-in examples for {task.name}; give some (--calibration)")
    return list(made)


def _rows(name: str) -> Iterator[tuple[dict[str, Any], Names, str]]:
    """(object, its names, number of its line)."""
    text = resources.files("mobilebert_lite.data").joinpath(name).read_text(encoding="utf-8")
    for number, line in enumerate(text.split("\n"), 1):
        if line:
            raw = json.loads(line)
            yield raw, Names(list(raw), f"{name}, line {number}"), str(number)


def _texts() -> Iterator[TextExample]:
    for raw, names, number in _rows(_TEXTS):
        yield from read_texts(raw, text_columns(names, DataOptions()), names.where, number, kind=TextExample,
                              problem="")


def _questions() -> Iterator[QuestionExample]:
    for raw, names, number in _rows(_QUESTIONS):
        yield from read_questions(raw, question_columns(names, DataOptions()), names.where, number)


def _pairs(questions: Sequence[QuestionExample]) -> Iterator[PairExample]:
    """The two halves of a context, and the first half with the second half of the next context, in turn."""
    halves = [_halves(context) for context in dict.fromkeys(example.context for example in questions)]
    for i, ((first, second), (_, other)) in enumerate(zip(halves, [*halves[1:], halves[0]], strict=True)):
        yield PairExample(first, other if i % 2 else second, str(i % 2), str(i))


def _choices(questions: Sequence[QuestionExample], count: int = 4) -> Iterator[ChoiceExample]:
    """A context with its question, and as choices its answer among those of the questions that follow."""
    answered = [example for example in questions if example.answers]
    for i, example in enumerate(answered):
        following = dict.fromkeys(other.answers[0] for other in (*answered[i:], *answered[:i]))
        right, *others = list(following)[:count]
        place = i % (len(others) + 1)
        yield ChoiceExample(f"{example.context} {example.question}", (*others[:place], right, *others[place:]), place,
                            str(i))


def _halves(text: str) -> tuple[str, str]:
    words = text.split()
    middle = len(words) // 2
    return " ".join(words[:middle]), " ".join(words[middle:])
