"""Every form of data file, and the place that an error names."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mobilebert_lite.common import budget
from mobilebert_lite.datasets.reading import QuestionExample, TextExample, builtin_examples, evenly, read_examples
from mobilebert_lite.errors import DataError, RequestError


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """A function that puts a text into a new file."""
    def create(text: str, name: str = "data") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path
    return create


def squad(**changes: object) -> str:
    qa = {"id": "7", "question": "Who?", "answers": [{"text": "Ann", "answer_start": 4}], **changes}
    qa = {key: value for key, value in qa.items() if value is not None}
    return json.dumps({"version": "1.1", "data": [{"title": "T", "paragraphs": [
        {"context": "Did Ann? Ann did.", "qas": [qa]}]}]})


def lines(*objects: object) -> str:
    return "".join(json.dumps(item) + "\n" for item in objects)


QA = {"question": "Who?", "context": "Did Ann? Ann did."}


@pytest.mark.parametrize("indent", [None, 1])
def test_squad(write: Callable[[str], Path], indent: int | None) -> None:
    path = write(json.dumps(json.loads(squad()), indent=indent))
    assert read_examples(path, "question-answering") == [
        QuestionExample("7", "Who?", "Did Ann? Ann did.", ("Ann",), (4,), False)]


def test_squad_2(write: Callable[[str], Path]) -> None:
    path = write(squad(is_impossible=True, answers=[], plausible_answers=[{"text": "Ann", "answer_start": 4}]))
    assert read_examples(path, "qa") == [QuestionExample("7", "Who?", "Did Ann? Ann did.", (), (), True)]


@pytest.mark.parametrize(("text", "message"), [
    (squad(id=None), r"data\[0\]\.paragraphs\[0\]\.qas\[0\]: id is None"),
    (squad(question=None), r"data\[0\]\.paragraphs\[0\]\.qas\[0\]: no question; it has answers, context, id"),
    (squad(question=" "), r"qas\[0\]: question is ' '"),
    (squad(question=3), r"qas\[0\]: question is 3"),
    (squad(answers=[{"answer_start": 4}]), r"qas\[0\]: answers: no text; it has answer_start"),
    (squad(answers=[{"text": "Ann", "answer_start": "4"}]), r"qas\[0\]: answer_start is '4'"),
    (squad(is_impossible="no"), r"qas\[0\]: is_impossible is 'no'"),
    (squad(is_impossible=True), r"qas\[0\]: is_impossible, yet it has the answer 'Ann'"),
    ('{"data": {}}', "data: data is missing or no list"),
    ('{"data": [3]}', r"data\[0\]: a JSON int, not an object"),
    ('{"data": [{}]}', r"data\[0\]: paragraphs is missing or no list"),
    ('{"data": [{"paragraphs": [{"context": "x"}]}]}', r"paragraphs\[0\]: qas is missing or no list"),
    ('{"data": [{"paragraphs": [{"qas": []}]}]}', r"paragraphs\[0\]: no context; it has qas"),
    ('{"data": []}', "holds no examples"),
    ('{"data": [\n{"paragraphs": ]\n', r"data, line 2: not JSON"),
])
def test_broken_squad(write: Callable[[str], Path], text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_examples(write(text), "qa")


def test_squad_is_no_file_of_texts(write: Callable[[str], Path]) -> None:
    with pytest.raises(DataError, match="holds SQuAD questions"):
        read_examples(write(squad()), "classification")


@pytest.mark.parametrize(("fields", "answers", "starts", "impossible"), [
    ({}, (), (), False),
    ({"answers": []}, (), (), True),
    ({"answers": [], "is_impossible": False}, (), (), False),
    ({"answers": ["Ann", "Bob"]}, ("Ann", "Bob"), (4, -1), False),
    ({"answers": "Ann"}, ("Ann",), (4,), False),
    ({"answers": [{"text": "Ann", "answer_start": 9}]}, ("Ann",), (9,), False),
    ({"answers": {"text": ["Ann", "did"], "answer_start": [9, 13]}}, ("Ann", "did"), (9, 13), False),
    ({"answers": {"text": [], "answer_start": []}}, (), (), True),
])
def test_lines_of_questions(write: Callable[[str], Path], fields: dict, answers: tuple, starts: tuple,
                            impossible: bool) -> None:
    (found,) = read_examples(write(lines({**QA, **fields})), "qa")
    assert found == QuestionExample("1", QA["question"], QA["context"], answers, starts, impossible)


def test_lines_of_texts(write: Callable[[str], Path]) -> None:
    path = write(lines({"text": "a", "label": "x"}, {"text": "b\u2028c", "text_pair": "d"},
                       {"text": "e", "pair": "f", "label": 0, "id": "n"}).replace("\n", "\r\n\n"))
    assert read_examples(path, "text-classification") == [
        TextExample("a", None, "x", "1"), TextExample("b\u2028c", "d", None, "3"), TextExample("e", "f", "0", "n")]
    assert read_examples(write('{"text": "b\u2028c"}', "raw"), "features")[0].text == "b\u2028c"


@pytest.mark.parametrize(("task", "text", "message"), [
    ("qa", lines(QA, {"question": "Who?"}), "data, line 2: no context; it has question"),
    ("qa", lines(QA) + "{", "data, line 2: not JSON .* at character 2"),
    ("qa", lines(QA, [1]), "data, line 2: a JSON list, not an object"),
    ("qa", lines({**QA, "id": "5"}, {**QA, "id": "5"}), "questions share the id 5"),
    ("qa", lines({**QA, "id": None}), "data, line 1: id is None"),
    ("qa", lines({**QA, "answers": {"text": ["Ann"], "answer_start": [1, 2]}}), "line 1: answers has 1 texts"),
    ("qa", lines({**QA, "answers": [7]}), "line 1: answers: a JSON int"),
    ("qa", lines({"text": "a"}), "line 1: no question, context; it has text"),
    ("classification", lines(QA), "line 1: no text; it has context, question"),
    ("classification", lines({"text": ""}), "line 1: text is ''"),
    ("classification", lines({"text": "a", "pair": " "}), "line 1: pair is ' '"),
    ("classification", lines({"text": "a", "pair": 1}), "line 1: pair is 1"),
    ("classification", lines({"text": "a", "label": True}), "line 1: label is True"),
    ("classification", lines({"text": "a", "label": {"x": 1}}), r"line 1: label is {'x': 1}"),
    ("classification", lines({"text": "a", "label": ["x", ["y"]]}), r"line 1: label is a list with \['y'\]"),
    ("classification", lines({"text": "a", "label": ["x, y"]}), r"line 1: label is a list with 'x, y'"),
    ("classification", '{"text": ', "line 1: not JSON"),
])
def test_broken_lines(write: Callable[[str], Path], task: str, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_examples(write(text), task)


@pytest.mark.parametrize(("text", "expected"), [
    ("sentence\tlabel\nit 's fun\t1\n\"so\" so\t0\n", [TextExample("it 's fun", None, "1", "2"),
                                                     TextExample('"so" so', None, "0", "3")]),
    ("\ufefflabel\ttext\r\nx\ta\r\n\r\n\tb\r\n", [TextExample("a", None, "x", "2"), TextExample("b", None, None, "4")]),
    ("index\tsentence1\tsentence2\tscore\n0\ta\tb\t2.5\n", [TextExample("a", "b", "2.5", "2")]),
    ("index\tquestion\tsentence\tlabel\n0\ta?\tb\tentailment\n", [TextExample("a?", "b", "entailment", "2")]),
    ("text\ttext_pair\na\tb", [TextExample("a", "b", None, "2")]),
    ("index\tsentence\n0\ta\n", [TextExample("a", None, None, "2")]),
])
def test_tables_of_texts(write: Callable[[str], Path], text: str, expected: list[TextExample]) -> None:
    assert read_examples(write(text), "classification") == expected


def test_tables_of_questions(write: Callable[[str], Path]) -> None:
    path = write("id\tquestion\tcontext\tanswer\nq1\tWho?\tAnn did.\tAnn\nq2\tWhy?\tAnn did.\t\n")
    assert read_examples(path, "qa") == [QuestionExample("q1", "Who?", "Ann did.", ("Ann",), (0,)),
                                         QuestionExample("q2", "Why?", "Ann did.")]


@pytest.mark.parametrize(("task", "text", "message"), [
    ("classification", "a\tb\nc\td\n", "data, line 1: no text; it has a, b"),
    ("classification", "sentence\tlabel\na\t1\nb\n", r"data, line 3: 1 columns, but the header has 2 \(sent"),
    ("classification", "sentence\tlabel\na\tb\t1\n", "data, line 2: 3 columns"),
    ("classification", "sentence\tlabel\n\t1\n", "data, line 2: text is ''"),
    ("classification", "sentence\tlabel\n", "holds no examples"),
    ("classification", "", "holds no examples"),
    ("classification", " \n", "holds no examples"),
    ("qa", "question\tlabel\na\tb\n", "data, line 1: no context; it has label, question"),
    ("qa", "question\tcontext\n\tb\n", "data, line 2: question is ''"),
])
def test_broken_tables(write: Callable[[str], Path], task: str, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_examples(write(text), task)


@pytest.mark.parametrize(("task", "text"), [
    ("qa", r'{"question": "who", "context": "a cat", "id": "\uD83D"}'),
    ("qa", squad(id="\udc00")),
    ("classification", r'[{"text": "a", "label": "b"}, {"text": "a", "label": "x\ud83dy"}]'),
    ("token-classification", r'{"words": ["a", "\ud83d"], "labels": ["O", "O"]}'),
])
def test_half_a_surrogate_pair(write: Callable[[str], Path], task: str, text: str) -> None:
    """In whatever field: it could not be written into a report. A whole one is a character."""
    with pytest.raises(DataError, match=r"data.*: half a surrogate pair \('.ud"):
        read_examples(write(text), task)
    whole = text.replace(r"\uD83D", r"\uD83D\uDE00").replace(r"\ud83d", r"\ud83d\ude00").replace(r"\udc00", "0")
    assert read_examples(write(whole), task)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no data file at .*gone"):
        read_examples(tmp_path / "gone", "qa")
    with pytest.raises(DataError, match="cannot be read"):
        read_examples(tmp_path, "qa")
    (tmp_path / "bad").write_bytes(b"text\n\xff\n")
    with pytest.raises(DataError, match="bad, line 2: not UTF-8 at byte 5"):
        read_examples(tmp_path / "bad", "classification")
    with pytest.raises(RequestError, match="unknown task"):
        read_examples(tmp_path / "bad", "translation")


def test_published_files(shared: Callable[..., Path]) -> None:
    found = read_examples(shared("data", "sst2", "dev.tsv"), "classification")
    assert Counter(example.label for example in found) == {"1": 444, "0": 428}
    assert found[0] == TextExample("it 's a charming and often affecting journey . ", None, "1", "2")
    found = read_examples(shared("data", "squad", "dev-v2.0.json"), "qa")
    assert len(found) == 11_873
    assert sum(example.is_impossible for example in found) == 5_945
    assert all(example.is_impossible == (not example.answers) for example in found)


def test_builtin_questions() -> None:
    examples = builtin_examples("qa")
    assert len(examples) == len({example.question for example in examples}) == 48
    lengths = [len(example.context.split()) for example in examples]
    assert min(lengths) <= 20
    assert max(lengths) <= 350
    assert sum(length >= 200 for length in lengths) >= 8
    for example in examples:
        assert all(start >= 0 for start in example.answer_starts), example.question
    assert 3 <= sum(example.is_impossible for example in examples) <= 10
    assert any(not example.context.isascii() for example in examples)


@pytest.mark.parametrize("task", ["classification", "features"])
def test_builtin_texts(task: str) -> None:
    examples = builtin_examples(task)
    assert len(examples) == len({(example.text, example.pair) for example in examples}) == 64
    lengths = [len(example.text.split()) for example in examples]
    assert min(lengths) == 2
    assert 60 <= max(lengths) <= 80
    assert 8 <= sum(example.pair is not None for example in examples) <= 20


def test_evenly() -> None:
    assert list(evenly(range(10), 4)) == [0, 2, 5, 7]
    assert list(evenly(range(3), 8)) == list(evenly(range(3), None)) == [0, 1, 2]


@pytest.mark.parametrize(("task", "text", "message"), [
    ("classification", "text\tlabel\n" + "a\tb\n" * 20_000, "rows before take more memory than a file of 80,011 bytes"),
    ("classification", 'text,label\n"' + "a\n" * 110_000, "line 2: a row of more than 100,000 lines; close"),
    ("token-classification", "a B-x\n" * 110_000, "line 1: a text of more than 100,000 words; an empty line")],
    ids=["rows", "quote", "words"])
def test_many_small_things(write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, task: str, text: str,
                           message: str) -> None:
    """What takes far more memory than bytes of the file."""
    monkeypatch.setattr(budget, "_POOL", 1 << 20)
    with pytest.raises(DataError, match=message):
        read_examples(write(text), task)
