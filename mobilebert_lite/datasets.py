"""Examples from files: SQuAD JSON, JSON lines, and tables with a header (the form of GLUE)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from mobilebert_lite.errors import DataError, shorten
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tasks.examples import QuestionExample, TextExample

__all__ = ["Example", "QuestionExample", "TextExample", "builtin_examples", "read_examples"]

Example = QuestionExample | TextExample

# Columns of a table that hold the text and its pair; the first row that fits is taken.
_TEXT_COLUMNS = (("text", "text_pair"), ("text", "pair"), ("sentence1", "sentence2"), ("question1", "question2"),
                 ("premise", "hypothesis"), ("question", "sentence"), ("#1 String", "#2 String"),
                 ("sentence", None), ("text", None))
_LABEL_COLUMNS = ("label", "gold_label", "is_duplicate", "Quality", "score")
_BUILTIN = {QuestionExample: "calibration_qa.jsonl", TextExample: "calibration_text.jsonl"}


def read_examples(path: str | Path, task_name: str) -> list[Example]:
    """The examples in ``path`` for a task, in the order of the file.

    What the file is follows from its content: ``{"data": …}`` is SQuAD (1.1 or 2.0), other lines that begin with
    ``{`` are JSON lines, anything else is a tab-separated table with a header. Raises DataError naming the file and
    the line (for SQuAD: the path inside) for what cannot be read, and for a file without examples.
    """
    kind = find_task(task_name).example_type
    path = Path(path)
    return _parse(_read(path), str(path), kind)


def builtin_examples(task_name: str) -> list[Example]:
    """The package's own calibration examples for a task."""
    kind = find_task(task_name).example_type
    name = _BUILTIN[kind]
    text = resources.files("mobilebert_lite.data").joinpath(name).read_text(encoding="utf-8")
    return _parse(text, name, kind)


def _parse(text: str, where: str, kind: type) -> list[Example]:
    squad = _squad_json(text, where)
    if squad is not None and kind is not QuestionExample:
        raise DataError(f"{where} holds SQuAD questions; this task needs texts")
    examples: list[Example]
    if squad is not None:
        examples = list(_squad(squad, where))
    elif text.lstrip().startswith("{"):
        examples = list(_json_lines(text, where, kind))
    else:
        examples = list(_table(text, where, kind)) if text.strip() else []
    if not examples:
        raise DataError(f"{where} holds no examples")
    if kind is QuestionExample:
        _check_unique([example.id for example in examples], where)
    return examples


def _read(path: Path) -> str:
    try:
        # The byte order mark that Windows editors write is no part of the first field.
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"no data file at {path}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8 text") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


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
    for a, article in enumerate(_list(raw, "data", where)):
        in_article = f"{where}, data[{a}]"
        for p, paragraph in enumerate(_list(article, "paragraphs", in_article)):
            in_paragraph = f"{in_article}.paragraphs[{p}]"
            context = _string(paragraph, "context", in_paragraph)
            for q, qa in enumerate(_list(paragraph, "qas", in_paragraph)):
                yield _question({**_object(qa, f"{in_paragraph}.qas[{q}]"), "context": context},
                                f"{in_paragraph}.qas[{q}]", None)


def _question(raw: Mapping[str, Any], where: str, default_id: str | None) -> QuestionExample:
    context = _string(raw, "context", where)
    answers, starts = _answers(raw.get("answers", raw.get("answer")), context, where)
    impossible = raw.get("is_impossible", "answers" in raw and not answers)
    if not isinstance(impossible, bool):
        raise DataError(f"{where}: is_impossible is {impossible!r}; it must be true or false")
    if impossible and answers:
        raise DataError(f"{where}: is_impossible, yet it has the answer {answers[0]!r}")
    identity = raw.get("id", default_id)
    if not isinstance(identity, str | int) or identity == "":
        raise DataError(f"{where}: id is {identity!r}; it must be a text")
    return QuestionExample(str(identity), _string(raw, "question", where), context, answers, starts, impossible)


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
        entry = {"text": item} if isinstance(item, str) else _object(item, f"{where}: answers")
        text, start = _string(entry, "text", f"{where}: answers"), entry.get("answer_start")
        if start is not None and (isinstance(start, bool) or not isinstance(start, int)):
            raise DataError(f"{where}: answer_start is {start!r}; it must be a whole number")
        texts.append(text)
        starts.append(context.find(text) if start is None else start)
    return tuple(texts), tuple(starts)


# JSON lines

def _json_lines(text: str, where: str, kind: type) -> Iterator[Example]:
    read: Callable[..., Example] = _question if kind is QuestionExample else _text
    # Not splitlines(): JSON strings may hold other characters that Python calls line breaks.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"{where}, line {number}"
        try:
            raw = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{place}: not JSON ({error.msg} at character {error.colno})") from None
        yield read(_object(raw, place), place, str(number))


def _text(raw: Mapping[str, Any], where: str, default_id: str) -> TextExample:
    pair, label = raw.get("text_pair", raw.get("pair")), raw.get("label")
    if pair is not None and (not isinstance(pair, str) or not pair.strip()):
        raise DataError(f"{where}: pair is {pair!r}; it must be a text that is not empty")
    if label is not None and (isinstance(label, bool) or not isinstance(label, str | int | float)):
        raise DataError(f"{where}: label is {label!r}; it must be a name or a number")
    return TextExample(_string(raw, "text", where), pair, None if label is None else str(label),
                       str(raw.get("id", default_id)))


# Tables

def _table(text: str, where: str, kind: type) -> Iterator[Example]:
    lines = text.split("\n")
    header = lines[0].removesuffix("\r").split("\t")
    read: Callable[..., Example]
    if kind is QuestionExample:
        names, read = {name: name for name in ("question", "context", "answer", "id")}, _question
        _check_columns(header, ("question", "context"), where)
    else:
        names, read = _text_names(header, where), _text
    for number, line in enumerate(lines[1:], 2):
        # GLUE's tables quote nothing: a quotation mark is part of the text.
        cells = line.removesuffix("\r").split("\t")
        if cells == [""]:
            continue
        place = f"{where}, line {number}"
        if len(cells) != len(header):
            raise DataError(f"{place}: {len(cells)} columns, but the header has {len(header)} ({shorten(header)})")
        row = dict(zip(header, cells, strict=True))
        yield read({ours: row[theirs] for ours, theirs in names.items() if row.get(theirs, "") != ""}, place,
                   str(number))


def _text_names(header: list[str], where: str) -> dict[str, str]:
    """Our field -> column for a table of texts."""
    for text, pair in _TEXT_COLUMNS:
        if text in header and (pair is None or pair in header):
            names = {"text": text} if pair is None else {"text": text, "pair": pair}
            label = next((name for name in _LABEL_COLUMNS if name in header), None)
            return names if label is None else {**names, "label": label}
    raise DataError(f"{where}, line 1: no column 'text' or 'sentence' among {shorten(header)}; "
                    "the first line must name the columns, separated by tabs")


def _check_columns(header: list[str], needed: tuple[str, ...], where: str) -> None:
    missing = [name for name in needed if name not in header]
    if missing:
        raise DataError(f"{where}, line 1: no column {', '.join(missing)} among {shorten(header)}; "
                        "the first line must name the columns, separated by tabs")


# Fields

def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{where}: a JSON {type(value).__name__}, not an object")
    return value


def _list(raw: Any, name: str, where: str) -> list[Any]:
    value = _object(raw, where).get(name)
    if not isinstance(value, list):
        raise DataError(f"{where}: {name} is missing or no list")
    return value


def _string(raw: Any, name: str, where: str) -> str:
    """Field ``name``, which must be a text that is not empty."""
    value = _object(raw, where).get(name)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where}: {name} is {value!r}; it must be a text that is not empty" if name in raw
                        else f"{where}: no {name}; it has {shorten(sorted(raw)) or 'nothing'}")
    return value
