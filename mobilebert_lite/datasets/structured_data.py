"""Examples with more inside than a text: words with labels, prompts with choices, texts that follow one another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mobilebert_lite.common.fields import read_list, read_string
from mobilebert_lite.errors import DataError, shorten
from mobilebert_lite.text.examples import ChoiceExample, PairExample, QuestionExample, TokenExample

# Names of one field in data sets in use; the first that is there is taken.
_WORDS, _LABELS = ("words", "tokens"), ("labels", "tags", "ner_tags")
_PROMPTS = ("prompt", "context", "sent1", "startphrase")
_CHOICE = re.compile(r"(choice|ending|option)_?(\d+)\Z")
# Separates documents in CoNLL files, and is no text.
_DOCUMENT = "-DOCSTART-"


def read_words(raw: Mapping[str, Any], where: str, default_id: str) -> TokenExample:
    """``{"words": […], "labels": […]}``, the labels optional, or ``{"text": …}``, which is cut at white space."""
    identity = str(raw.get("id", default_id))
    name = next((name for name in _WORDS if name in raw), None)
    if name is None:
        return TokenExample(tuple(read_string(raw, "text", where).split()), (), identity)
    words = _texts(read_list(raw, name, where), f"{where}: {name}")
    field = next((field for field in _LABELS if field in raw), None)
    if field is None:
        return TokenExample(words, (), identity)
    labels = tuple(str(label) for label in read_list(raw, field, where))
    if len(labels) != len(words):
        raise DataError(f"{where}: {len(labels)} labels for {len(words)} words; give one for each word")
    return TokenExample(words, labels, identity)


def read_bio(text: str, where: str) -> Iterator[TokenExample]:
    """A word and its label on each line (columns between them are passed over), an empty line after each text."""
    rows: list[tuple[str, str]] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        cells = line.split()
        if not cells:
            if rows:
                words, labels = zip(*rows, strict=True)
                yield TokenExample(words, labels, str(number - len(rows)))
            rows = []
        elif cells[0] != _DOCUMENT:
            if len(cells) < 2:
                raise DataError(f"{where}, line {number}: {cells[0]!r} stands alone; a BIO file has a word and its "
                                "label on each line")
            rows.append((cells[0], cells[-1]))


def read_choices(raw: Mapping[str, Any], where: str, default_id: str) -> ChoiceExample:
    """``{"prompt": …, "choices": […], "label": 0}``; the prompt is also called context, with a question after it."""
    name = next((name for name in _PROMPTS if name in raw), "prompt")
    prompt = read_string(raw, name, where)
    if isinstance(raw.get("question"), str):
        prompt = f"{prompt} {raw['question']}"
    numbered = sorted((int(match[2]), raw[match[0]]) for match in map(_CHOICE.match, raw) if match)
    choices = _texts([value for _, value in numbered] or read_list(raw, "choices", where), f"{where}: choices")
    if len(choices) < 2:
        raise DataError(f"{where}: {len(choices)} choices; at least 2 are needed")
    label = raw.get("label")
    if label is not None and (not str(label).isdigit() or int(label) >= len(choices)):
        raise DataError(f"{where}: label is {label!r}; it must be the place of a choice, 0 to {len(choices) - 1}")
    return ChoiceExample(prompt, choices, None if label is None else int(label), str(raw.get("id", default_id)))


def choice_columns(header: Sequence[str], where: str) -> dict[str, str]:
    """Our field -> column for a table of prompts and choices. Raises DataError when it is none."""
    names = [name for name in header if _CHOICE.match(name)]
    if len(names) < 2 or not any(name in header for name in _PROMPTS):
        raise DataError(f"{where}, line 1: no columns prompt, choice0, choice1, … among {shorten(list(header))}; "
                        "the first line must name the columns, separated by tabs")
    return {name: name for name in header if name in (*names, *_PROMPTS, "question", "label", "id")}


def pairs_from_questions(questions: Sequence[QuestionExample]) -> Iterator[PairExample]:
    """The two halves of a context, and the first half with the second half of the next context, in turn."""
    halves = [_halves(context) for context in dict.fromkeys(example.context for example in questions)]
    for i, ((first, second), (_, other)) in enumerate(zip(halves, [*halves[1:], halves[0]], strict=True)):
        yield PairExample(first, other if i % 2 else second, str(i % 2), str(i))


def choices_from_questions(questions: Sequence[QuestionExample], count: int = 4) -> Iterator[ChoiceExample]:
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


def _texts(values: Sequence[Any], where: str) -> tuple[str, ...]:
    for value in values:
        if not isinstance(value, str) or not value.strip():
            raise DataError(f"{where}: {value!r} is among them; each must be a text that is not empty")
    return tuple(values)
