"""Prompts with choices, as the published data sets have them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mobilebert_lite.common.fields import is_whole, read_list, read_string
from mobilebert_lite.datasets.columns import Names
from mobilebert_lite.datasets.options import DataOptions
from mobilebert_lite.errors import DataError, shorten
from mobilebert_lite.text.examples import ChoiceExample

# Names of one field in data sets in use; the first that is there is taken. A question that is not itself the prompt
# stands after it.
_PROMPTS = ("prompt", "context", "article", "passage", "ctx", "sent1", "startphrase", "premise", "goal", "sentence")
_QUESTIONS = ("question", "query")
_LISTS = ("choices", "options", "endings")
_CHOICE = re.compile(r"(choice|ending|option|answer|sol)_?(\d+|[a-e])\Z")
_LABELS = ("label", "answer", "answerkey", "answer_key", "correct_option")
# What COPA asks (Roemmele et al. 2011).
_COPA = {"cause": "What was the cause of this?", "effect": "What happened as a result?"}


@dataclass(frozen=True)
class ChoiceColumns:
    """Where the parts of a question with choices stand; None for what there is not."""

    prompt: str | None
    question: str | None
    # In the order of their numbers; () where a list holds them.
    choices: tuple[str, ...]
    # What the numbers in their names begin with.
    first: int
    list: str | None
    # What each choice begins with (SWAG).
    beginning: str | None
    label: str | None
    id: str | None
    # RACE's files: one text with lists of questions, options and answers.
    questions: str | None


def choice_columns(names: Names, options: DataOptions) -> ChoiceColumns:
    """What of a question stands where. Raises DataError where there are no choices, or nothing that they go on."""
    # In the order of a, b, c: 0, 1, 2.
    numbered = sorted((_number(match[2]), name) for match, name in names.matching(_CHOICE))
    choices = tuple(name for _, name in numbered) if len(numbered) > 1 else ()
    asked = options.text_column
    prompt = names.find(*_PROMPTS) if asked is None else names.asked(asked, "--text-column")
    question = names.find(*_QUESTIONS)
    if options.pair_column is not None:
        question = names.asked(options.pair_column, "--pair-column")
    label = (names.find(*_LABELS) if options.label_column is None
             else names.asked(options.label_column, "--label-column"))
    found = ChoiceColumns(prompt, question, choices, numbered[0][0] if choices else 0,
                          None if choices else names.find(*_LISTS), names.find("sent2"), label,
                          names.find("id", "example_id"), names.find("questions"))
    if found.list is None and not choices and not _is_nested(names):
        raise DataError(f"{names.where}: no choices (choice0, choice1, …, or a list of them); it has "
                        f"{shorten(sorted(map(str, names.all)))}")
    if prompt is None and question is None and found.questions is None:
        raise DataError(f"{names.where}: no prompt; it has {shorten(sorted(map(str, names.all)))} "
                        "(--text-column says which it is)")
    return found


def _is_nested(names: Names) -> bool:
    """ARC's own files: the choices are in the object ``question``."""
    return names.find("question") is not None and names.find("answerkey") is not None


def _number(said: str) -> int:
    return int(said) if is_whole(said) else ord(said[0]) - ord("a")


def read_choices(raw: Mapping[str, Any], columns: ChoiceColumns, where: str,
                 default_id: str) -> Iterator[ChoiceExample]:
    """The question of a row, or all that a file of RACE asks about its text. Raises DataError."""
    if columns.questions and isinstance(raw.get(columns.questions), list):
        yield from _race(raw, columns, where, default_id)
        return
    identity = raw.get(columns.id) if columns.id else None
    question = raw.get(columns.question) if columns.question else None
    # Of a list, or of numbered columns.
    texts: Any = [raw.get(name) for name in columns.choices if raw.get(name) not in ("", None)]
    if isinstance(question, dict):
        texts, question = question.get("choices"), question.get("stem")
    elif not columns.choices:
        texts = raw.get(columns.list) if columns.list else None
    prompt = _prompt(raw, columns, question, where)
    texts, keys = _texts(texts, where)
    label = raw.get(columns.label) if columns.label else None
    if columns.beginning and columns.choices and raw.get(columns.beginning):
        texts = tuple(f"{raw[columns.beginning]} {one}" for one in texts)
    yield make(prompt, texts, _place(label, columns, keys or texts, where), where,
               str(default_id if identity is None else identity))


def _race(raw: Mapping[str, Any], columns: ChoiceColumns, where: str, default_id: str) -> Iterator[ChoiceExample]:
    article = read_string(raw, str(columns.prompt), where)
    questions, options = read_list(raw, str(columns.questions), where), read_list(raw, str(columns.list), where)
    answers = raw.get("answers") or [None] * len(questions)
    if not len(questions) == len(options) == len(answers):
        raise DataError(f"{where}: {len(questions)} questions, {len(options)} options, {len(answers)} answers; there "
                        "must be as many of each")
    name = raw.get(columns.id) if columns.id else default_id
    for i, (question, some, answer) in enumerate(zip(questions, options, answers, strict=True)):
        texts, _ = _texts(some, where)
        yield make(f"{article} {question}", texts, _place(answer, columns, texts, where), where, f"{name}.{i}")


def make(prompt: str, choices: tuple[str, ...], label: int | None, where: str, identity: str) -> ChoiceExample:
    """An example, checked. Raises DataError for fewer than two choices."""
    if len(choices) < 2:
        raise DataError(f"{where}: {len(choices)} choices; at least 2 are needed")
    return ChoiceExample(prompt, choices, label, identity)


def _prompt(raw: Mapping[str, Any], columns: ChoiceColumns, question: Any, where: str) -> str:
    if columns.prompt is None:
        return read_string({"question": question}, "question", where)
    prompt = read_string(raw, columns.prompt, where)
    if not isinstance(question, str) or not question:
        return prompt
    return f"{prompt} {_COPA.get(question, question)}"


def _texts(values: Any, where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The choices, and what they are called, where they are called anything (ARC's A, B, C)."""
    keys: Sequence[Any] = ()
    if isinstance(values, dict):
        values, keys = values.get("text"), values.get("label", ())
    elif isinstance(values, list) and values and all(isinstance(one, dict) for one in values):
        values, keys = [one.get("text") for one in values], [one.get("label") for one in values]
    return texts_of(read_list({"choices": values}, "choices", where), f"{where}: choices"), tuple(map(str, keys))


def texts_of(values: Sequence[Any], where: str) -> tuple[str, ...]:
    """``values``, which must be texts that are not empty."""
    for value in values:
        if not isinstance(value, str) or not value.strip():
            raise DataError(f"{where}: {value!r} is among them; each must be a text that is not empty")
    return tuple(values)


def _place(label: Any, columns: ChoiceColumns, names: Sequence[str], where: str) -> int | None:
    """Which choice ``label`` means: by its name (or text), by a letter, or by its number."""
    if label is None or label == "":
        return None
    said, count = str(label).strip(), len(names)
    if said in names and not (said.isdecimal() and columns.choices):
        return list(names).index(said)
    if len(said) == 1 and said.isalpha() and ord(said.upper()) - ord("A") < count:
        return ord(said.upper()) - ord("A")
    # An answer is what the choice's column is called after; the labels of SocialIQA (answerA, …) count from 1.
    letters = any(name[-1:].isalpha() for name in columns.choices)
    first = (columns.first if columns.label and columns.label.lower() == "answer"
             else int(letters and all(name.lower().startswith("answer") for name in columns.choices)))
    if not is_whole(said) or not 0 <= int(said) - first < count:
        raise DataError(f"{where}: label is {label!r}; it must be the place of a choice, {first} to "
                        f"{first + count - 1}")
    return int(said) - first
