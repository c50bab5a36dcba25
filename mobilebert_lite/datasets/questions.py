"""Questions about a context: one in each row, or several of one context."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mobilebert_lite.common.fields import is_whole, read_list, read_object, read_string
from mobilebert_lite.datasets.columns import Names
from mobilebert_lite.datasets.options import DataOptions
from mobilebert_lite.errors import DataError
from mobilebert_lite.text.examples import QuestionExample

_QUESTIONS, _CONTEXTS = ("question", "query"), ("context", "passage", "paragraph")
_ANSWERS = ("answers", "answer")


def question_columns(names: Names, options: DataOptions) -> dict[str, str]:
    """Our field -> column. Raises DataError without a context, or without questions."""
    asked = {"context": (options.text_column, "--text-column", _CONTEXTS),
             "question": (options.pair_column, "--pair-column", _QUESTIONS),
             "answers": (options.label_column, "--label-column", _ANSWERS)}
    found = {ours: names.find(*known) if name is None else names.asked(name, option)
             for ours, (name, option, known) in asked.items()}
    found |= {name: names.find(name) for name in ("qas", "is_impossible", "answer_start")}
    found["id"] = names.find("id", "qid")
    needed = ["context"] if found["qas"] else ["question", "context"]
    if missing := [name for name in needed if found[name] is None]:
        raise DataError(f"{names.where}: no {', '.join(missing)}; it has "
                        f"{', '.join(sorted(map(str, names.all))) or 'nothing'}")
    return {ours: theirs for ours, theirs in found.items() if theirs is not None}


def read_questions(raw: Mapping[str, Any], columns: Mapping[str, str], where: str,
                   default_id: str) -> Iterator[QuestionExample]:
    """The question of a row, or those of its list qas (as simpletransformers and MRQA have it). Raises DataError."""
    row = {ours: raw[theirs] for ours, theirs in columns.items() if theirs in raw}
    if "qas" not in row:
        yield _question(row, where, default_id)
        return
    for i, qa in enumerate(read_list(row, "qas", where)):
        found = {**read_object(qa, f"{where}, qas[{i}]"), "context": row.get("context")}
        found.setdefault("id", found.get("qid", f"{default_id}.{i}" if default_id else None))
        yield _question(found, f"{where}, qas[{i}]", None)


def _question(raw: Mapping[str, Any], where: str, default_id: str | None) -> QuestionExample:
    context = read_string(raw, "context", where)
    given = raw.get("answers", raw.get("answer"))
    answers, starts = _answers(given, raw.get("answer_start"), context, where)
    impossible = raw.get("is_impossible", isinstance(given, list | dict) and not answers)
    impossible = {"true": True, "false": False, "": False}.get(str(impossible).lower(), impossible)
    if not isinstance(impossible, bool):
        raise DataError(f"{where}: is_impossible is {impossible!r}; it must be true or false")
    if impossible and answers:
        raise DataError(f"{where}: is_impossible, yet it has the answer {answers[0]!r}")
    identity = raw.get("id", default_id or None)
    if not isinstance(identity, str | int) or identity == "":
        raise DataError(f"{where}: id is {identity!r}; it must be a text")
    return QuestionExample(str(identity), read_string(raw, "question", where), context, answers, starts, impossible)


def _answers(raw: Any, start: Any, context: str, where: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Answers and their starts from any of the forms in use; an unknown start is the first match, or -1."""
    if raw is None or raw == "":
        return (), ()
    if isinstance(raw, str) and is_whole(str(start or "")):
        raw = {"text": raw, "answer_start": int(start)}
    if isinstance(raw, dict) and isinstance(raw.get("text"), list):
        # The columns of Hugging Face datasets.
        starts = raw.get("answer_start") or [None] * len(raw["text"])
        if not isinstance(starts, list) or len(starts) != len(raw["text"]):
            raise DataError(f"{where}: answers has {len(raw['text'])} texts, but answer_start does not fit them")
        raw = [{"text": text, "answer_start": start} for text, start in zip(raw["text"], starts, strict=True)]
    if raw in ([""], [{"text": "", "answer_start": 0}], [{"text": "", "answer_start": -1}]):
        return (), ()  # simpletransformers: a question without an answer
    texts, found = [], []
    for item in raw if isinstance(raw, list) else [raw]:
        entry = {"text": item} if isinstance(item, str) else read_object(item, f"{where}: answers")
        text, start = read_string(entry, "text", f"{where}: answers"), entry.get("answer_start")
        if start is not None and (isinstance(start, bool) or not isinstance(start, int)):
            raise DataError(f"{where}: answer_start is {start!r}; it must be a whole number")
        texts.append(text)
        found.append(context.find(text) if start is None else start)
    return tuple(texts), tuple(found)
