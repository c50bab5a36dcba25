"""Examples from files: SQuAD JSON, JSON lines, BIO files, and tables with a header (GLUE's, or CSV)."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from mobilebert_lite.common.fields import read_list, read_object, read_string
from mobilebert_lite.common.files import refuse_pointer
from mobilebert_lite.datasets.structured_data import (
    choice_columns,
    choices_from_questions,
    pairs_from_questions,
    read_bio,
    read_choices,
    read_words,
)
from mobilebert_lite.errors import DataError, shorten
from mobilebert_lite.tasks import Task, find_task
from mobilebert_lite.tasks.question_answering import QuestionAnswering
from mobilebert_lite.text.examples import ChoiceExample, PairExample, QuestionExample, TextExample, TokenExample

__all__ = ["ChoiceExample", "Example", "PairExample", "QuestionExample", "TextExample", "TokenExample",
           "builtin_examples", "evenly", "read_examples"]

Example = QuestionExample | TextExample | ChoiceExample | TokenExample

# Columns of a table that hold the text and its pair; the first row that fits is taken.
_TEXT_COLUMNS = (("text", "text_pair"), ("text", "pair"), ("sentence1", "sentence2"), ("question1", "question2"),
                 ("premise", "hypothesis"), ("question", "sentence"), ("#1 String", "#2 String"),
                 ("sentence", None), ("text", None))
_LABEL_COLUMNS = ("label", "gold_label", "is_duplicate", "Quality", "score")
# JSON's escape for a character beyond U+FFFF, or for half of one.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_QUESTIONS, _TEXTS = "calibration_qa.jsonl", "calibration_text.jsonl"


def read_examples(path: str | Path, task_name: str) -> list[Example]:
    """The examples in ``path`` for a task, in the order of the file.

    What the file is follows from its content: ``{"data": …}`` is SQuAD (1.1 or 2.0), other lines that begin with
    ``{`` are JSON lines, ``[`` begins a JSON list of such objects; anything else is a table with a header, separated
    by tabs or (where the header has none) by commas, or, for token classification, a BIO file: a word and its label on
    each line, an empty line after each text.
    Raises DataError naming the file and the line (for SQuAD: the path inside) for what cannot be read, and for a file
    without examples.
    """
    task, path = find_task(task_name), Path(path)
    return _parse(_read(path), str(path), task)


def builtin_examples(task_name: str) -> list[Example]:
    """The package's own calibration examples for a task."""
    task = find_task(task_name)
    kind = task.example_type
    if kind in (TextExample, TokenExample):
        return _parse(_bundled(_TEXTS), _TEXTS, task)
    questions = [example for example in _parse(_bundled(_QUESTIONS), _QUESTIONS, QuestionAnswering())
                 if isinstance(example, QuestionExample)]
    made: Sequence[Example] = task.builtin_examples(questions)
    if not made and kind is PairExample:
        made = list(pairs_from_questions(questions))
    elif not made and kind is ChoiceExample:
        made = list(choices_from_questions(questions))
    elif kind is QuestionExample:
        made = questions
    if not made:
        raise DataError(f"there are no built-in examples for {task.name}; give some (--calibration)")
    return list(made)


def _bundled(name: str) -> str:
    return resources.files("mobilebert_lite.data").joinpath(name).read_text(encoding="utf-8")


def evenly(items: Sequence[Any], count: int | None) -> Sequence[Any]:
    """``count`` of ``items`` at equal distances, for files are often sorted by subject; all when None or too few."""
    if count is None or count >= len(items):
        return items
    return [items[i * len(items) // count] for i in range(count)]


def _parse(text: str, where: str, task: Task) -> list[Example]:
    kind = task.example_type
    squad = _squad_json(text, where)
    if squad is not None and kind is not QuestionExample:
        raise DataError(f"{where} holds SQuAD questions; this task needs {_NEEDED.get(kind, 'other examples')}")
    examples: list[Example]
    if squad is not None:
        examples = list(_squad(squad, where))
    elif re.match(r"\s*\[\s*[{\]]", text):
        examples = list(_json_list(text, where, task))
    elif text.lstrip().startswith("{"):
        examples = list(_json_lines(text, where, task))
    elif kind is TokenExample:
        examples = list(read_bio(text, where))
    else:
        examples = list(_table(text, where, task)) if text.strip() else []
    if not examples:
        raise DataError(f"{where} holds no examples")
    if _HALF.search(text):
        _check_unicode(examples, where)
    if kind is QuestionExample:
        _check_unique([example.id for example in examples], where)
    return examples


def _read(path: Path) -> str:
    refuse_pointer(path)
    try:
        # The byte order mark that Windows editors write is no part of the first field.
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"no data file at {path}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8 text") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def _check_unicode(examples: Sequence[Example], where: str) -> None:
    """Half a surrogate pair can be neither tokenized nor written into a report."""
    for example in examples:
        try:
            json.dumps(asdict(example), ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise DataError(f"{where}, example {example.id!a}: half a surrogate pair ({error.object[error.start]!a}); "
                            "it was cut or decoded wrongly") from None


def _check_unique(ids: list[str], where: str) -> None:
    if len(set(ids)) != len(ids):
        seen: set[str] = set()
        again = [i for i in ids if i in seen or seen.add(i)]  # type: ignore[func-returns-value]
        raise DataError(f"{where}: questions share the id {shorten(again)}; predictions are matched by id")


# SQuAD

def _squad_json(text: str, where: str) -> Mapping[str, Any] | None:
    """The whole file as SQuAD's JSON object, or None when it is something else."""
    first = text.lstrip().split("\n", 1)[0]
    if not first.startswith("{"):
        return None
    try:
        # JSON lines: the first line is an object by itself.
        value = json.loads(first)
    except json.JSONDecodeError:
        value = _whole_json(text, where)
    return value if isinstance(value, dict) and "data" in value else None


def _whole_json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}, line {error.lineno}: not JSON ({error.msg})") from None


def _squad(raw: Mapping[str, Any], where: str) -> Iterator[QuestionExample]:
    for a, article in enumerate(read_list(raw, "data", where)):
        in_article = f"{where}, data[{a}]"
        for p, paragraph in enumerate(read_list(article, "paragraphs", in_article)):
            in_paragraph = f"{in_article}.paragraphs[{p}]"
            context = read_string(paragraph, "context", in_paragraph)
            for q, qa in enumerate(read_list(paragraph, "qas", in_paragraph)):
                yield _question({**read_object(qa, f"{in_paragraph}.qas[{q}]"), "context": context},
                                f"{in_paragraph}.qas[{q}]", None)


def _question(raw: Mapping[str, Any], where: str, default_id: str | None) -> QuestionExample:
    context = read_string(raw, "context", where)
    answers, starts = _answers(raw.get("answers", raw.get("answer")), context, where)
    impossible = raw.get("is_impossible", "answers" in raw and not answers)
    if not isinstance(impossible, bool):
        raise DataError(f"{where}: is_impossible is {impossible!r}; it must be true or false")
    if impossible and answers:
        raise DataError(f"{where}: is_impossible, yet it has the answer {answers[0]!r}")
    identity = raw.get("id", default_id)
    if not isinstance(identity, str | int) or identity == "":
        raise DataError(f"{where}: id is {identity!r}; it must be a text")
    return QuestionExample(str(identity), read_string(raw, "question", where), context, answers, starts, impossible)


def _answers(raw: Any, context: str, where: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Answers and their starts from any of the forms in use; an unknown start is the first match, or -1."""
    if raw is None:
        return (), ()
    if isinstance(raw, dict) and isinstance(raw.get("text"), list):
        # The columns of Hugging Face datasets.
        starts = raw.get("answer_start") or [None] * len(raw["text"])
        if not isinstance(starts, list) or len(starts) != len(raw["text"]):
            raise DataError(f"{where}: answers has {len(raw['text'])} texts, but answer_start does not fit them")
        raw = [{"text": text, "answer_start": start} for text, start in zip(raw["text"], starts, strict=True)]
    texts, starts = [], []
    for item in raw if isinstance(raw, list) else [raw]:
        entry = {"text": item} if isinstance(item, str) else read_object(item, f"{where}: answers")
        text, start = read_string(entry, "text", f"{where}: answers"), entry.get("answer_start")
        if start is not None and (isinstance(start, bool) or not isinstance(start, int)):
            raise DataError(f"{where}: answer_start is {start!r}; it must be a whole number")
        texts.append(text)
        starts.append(context.find(text) if start is None else start)
    return tuple(texts), tuple(starts)


# JSON lines

def _json_lines(text: str, where: str, task: Task) -> Iterator[Example]:
    # Not splitlines(): JSON strings may hold other characters that Python calls line breaks.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"{where}, line {number}"
        try:
            raw = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{place}: not JSON ({error.msg} at character {error.colno})") from None
        yield _example(task, read_object(raw, place), place, str(number))


def _json_list(text: str, where: str, task: Task) -> Iterator[Example]:
    for i, raw in enumerate(_whole_json(text, where)):
        yield _example(task, read_object(raw, f"{where}[{i}]"), f"{where}[{i}]", str(i))


def _pair(raw: Mapping[str, Any], where: str, default_id: str) -> PairExample:
    text = _text(raw, where, default_id)
    if text.pair is None:
        raise DataError(f"{where}: no pair; this task needs two texts")
    return PairExample(text.text, text.pair, text.label, text.id, text.language)


def _text(raw: Mapping[str, Any], where: str, default_id: str) -> TextExample:
    pair, label = raw.get("text_pair", raw.get("pair")), raw.get("label")
    if pair is not None and (not isinstance(pair, str) or not pair.strip()):
        raise DataError(f"{where}: pair is {pair!r}; it must be a text that is not empty")
    if label is not None and (isinstance(label, bool) or not isinstance(label, str | int | float)):
        raise DataError(f"{where}: label is {label!r}; it must be a name or a number")
    language = raw.get("language")
    if language is not None and not isinstance(language, str):
        raise DataError(f"{where}: language is {language!r}; it must be a name such as \"en\"")
    return TextExample(read_string(raw, "text", where), pair, None if label is None else str(label),
                       str(raw.get("id", default_id)), language or None)


# Tables

def _table(text: str, where: str, task: Task) -> Iterator[Example]:
    rows = _cells(text, where)
    _, header = next(rows)
    names = _columns(task.example_type, header, where)
    for number, cells in rows:
        if cells in ([], [""]):
            continue
        place = f"{where}, line {number}"
        if len(cells) != len(header):
            raise DataError(f"{place}: {len(cells)} columns, but the header has {len(header)} ({shorten(header)})")
        row = dict(zip(header, cells, strict=True))
        yield _example(task, {ours: row[theirs] for ours, theirs in names.items() if row.get(theirs, "") != ""},
                       place, str(number))


def _cells(text: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of a table: with tabs as GLUE's, where nothing is quoted, or with commas as RFC 4180."""
    first = text.split("\n", 1)[0]
    if "\t" in first or "," not in first:
        for number, line in enumerate(text.split("\n"), 1):
            yield number, line.removesuffix("\r").split("\t")
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(f"{where}, line {reader.line_num}: {error}; quote cells that hold commas, quotation marks or "
                        "line breaks") from None


def _columns(kind: type, header: list[str], where: str) -> dict[str, str]:
    """Our field -> column; the columns as they are for what only the task knows."""
    if kind not in _READERS:
        return {name: name for name in header}
    if kind is QuestionExample:
        _check_columns(header, ("question", "context"), where)
        return {name: name for name in ("question", "context", "answer", "id")}
    return choice_columns(header, where) if kind is ChoiceExample else _text_names(header, where)


def _text_names(header: list[str], where: str) -> dict[str, str]:
    """Our field -> column for a table of texts."""
    for text, pair in _TEXT_COLUMNS:
        if text in header and (pair is None or pair in header):
            names = {"text": text} if pair is None else {"text": text, "pair": pair}
            label = next((name for name in _LABEL_COLUMNS if name in header), None)
            names |= {"language": "language"} if "language" in header else {}
            return names if label is None else {**names, "label": label}
    raise DataError(f"{where}, line 1: no column 'text' or 'sentence' among {shorten(header)}; "
                    "the first line must name the columns, separated by tabs or commas")


def _check_columns(header: list[str], needed: tuple[str, ...], where: str) -> None:
    missing = [name for name in needed if name not in header]
    if missing:
        raise DataError(f"{where}, line 1: no column {', '.join(missing)} among {shorten(header)}; "
                        "the first line must name the columns, separated by tabs or commas")


# Kind of example -> what reads one from an object (or the cells of a row), its place and the id it has otherwise.
_READERS: dict[type, Callable[..., Example]] = {QuestionExample: _question, TextExample: _text, PairExample: _pair,
                                                ChoiceExample: read_choices, TokenExample: read_words}
_NEEDED = {TextExample: "texts", PairExample: "pairs of texts", ChoiceExample: "prompts with choices",
           TokenExample: "texts cut into words"}


def _example(task: Task, raw: Mapping[str, Any], where: str, default_id: str) -> Example:
    own: Example | None = task.read_example(raw, where, default_id)
    return _READERS[task.example_type](raw, where, default_id) if own is None else own
