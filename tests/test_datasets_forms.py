"""Files as people and published data sets have them: columns, separators, quotation marks, encodings, bad rows."""

from __future__ import annotations

import csv
import io
import json
import os
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobilebert_lite.architecture.form import MULTI_LABEL, Form
from mobilebert_lite.datasets.naming import name_labels
from mobilebert_lite.datasets.options import DataOptions
from mobilebert_lite.datasets.reading import read, read_examples
from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import find_task
from mobilebert_lite.text.examples import ChoiceExample, QuestionExample, TextExample, TokenExample

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that puts a text, or bytes, into a file."""
    def create(content: str | bytes) -> Path:
        path = tmp_path / "data"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path
    return create


def texts(path: Path, task: str = "classification", **options: Any) -> list[tuple[Any, ...]]:
    """(text, pair, label) of each example."""
    return [(one.text, one.pair, one.label) for one in read_examples(path, task, DataOptions(**options))]


def table(rows: list[list[str]], **how: Any) -> str:
    stream = io.StringIO()
    csv.writer(stream, **how).writerows(rows)
    return stream.getvalue()


@pytest.mark.parametrize(("names", "expected"), [
    (("sentence", "label"), ("a", None, "b")), (("Text", " LABEL "), ("a", None, "b")),
    (("sentence1", "sentence2", "gold_label"), ("a", "b", "c")), (("premise", "hypo", "label"), ("a", "b", "c")),
    (("premise", "hypothesis", "label"), ("a", "b", "c")),
    (("question1", "question2", "is_duplicate"), ("a", "b", "c")),
    (("question", "sentence", "label"), ("a", "b", "c")), (("Quality", "#1 String", "#2 String"), ("b", "c", "a")),
    (("idx", "text"), ("b", None, None)), (("sentence1", "sentence2", "score"), ("a", "b", "c"))])
def test_tables_and_objects_have_one_list_of_names(write: Write, names: tuple[str, ...], expected: tuple) -> None:
    cells = list("abc")[:len(names)]
    row = dict(zip(names, cells, strict=True))
    for content in (json.dumps(row), json.dumps([row]), *(table([list(names), cells], delimiter=separator)
                                                          for separator in ",;\t|")):
        assert texts(write(content)) == [expected], content


def test_columns_can_be_named(write: Write) -> None:
    options = {"text_column": "review ", "label_column": "Sentiment", "pair_column": "answer"}
    rows = [["id", "Review", "sentiment", "Answer"], ["1", "good, cheap", "pos", "thanks"]]
    for separator in ",;\t|":
        assert texts(write(table(rows, delimiter=separator)), **options) == [("good, cheap", "thanks", "pos")]
    assert texts(write(json.dumps(dict(zip(*rows, strict=True)))), **options) == [("good, cheap", "thanks", "pos")]
    with pytest.raises(DataError, match=r"no column 'stars' \(--label-column\) among id, Review"):
        texts(write(table(rows)), text_column="review", label_column="stars")
    with pytest.raises(DataError, match=r"it has .*Review.*--text-column"):
        texts(write(table(rows)))
    assert texts(write("spam\thello, you\nham\tbye\n"), text_column="2",
                 label_column="1") == [("hello, you", None, "spam"), ("bye", None, "ham")]


def test_columns_of_ones_are_several_classes(write: Write) -> None:
    path = write("comment_text,toxic,obscene,threat\nyou fool,1,0,1\nhello,0,0,0\n")
    options = DataOptions("comment_text", label_column="toxic,obscene,threat")
    found = read(path, find_task("classification", Form(problem_type=MULTI_LABEL)), options)
    assert [one.label for one in found.examples] == ["toxic,threat", ""]


def test_the_header_decides_what_separates(write: Write) -> None:
    """German texts hold commas, and prices decimal ones, on every line."""
    rows = [["Text", "Label"], *([f"Ja, gern, für 3,5 € ({i})", "Lob, groß"] for i in range(20))]
    for separator in ";\t|":
        assert texts(write(table(rows, delimiter=separator)))[0] == ("Ja, gern, für 3,5 € (0)", None, "Lob, groß")
    assert texts(write("text\nno, comma; or\ttab counts\n")) == [("no, comma; or\ttab counts", None, None)]
    assert texts(write('text\n"a, ""b"""\nplain\n')) == [('a, "b"', None, None), ("plain", None, None)]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_writers_of_csv_quote(write: Write, quoting: int, separator: str, end: str) -> None:
    rows = [["text", "label"], ['He said "play jazz" now', "a"], ["two\nlines", "b"], ["plain, with comma", "1"],
            [f"x{separator}y", "b"], ['"', "a"]]
    path = write(table(rows, delimiter=separator, quoting=quoting, lineterminator=end))
    assert [[text, label] for text, _, label in texts(path)] == rows[1:]
    assert [one.id for one in read_examples(path, "classification")] == ["2", "3", "5", "6", "7"]


@pytest.mark.parametrize("line", ['"so" so', '"so', 'so"', '" so "', '"" so', '5" pipe, 7" pipe', '"extreme"'])
def test_raw_tables_stay_raw(write: Write, line: str) -> None:
    assert [text for text, _, _ in texts(write(f"sentence\tlabel\n{line}\t1\nit 's fun\t0\n"))] == [line, "it 's fun"]


def test_all_of_sst2_stays_as_it_is(shared: Callable[..., Path]) -> None:
    path = shared("data", "sst2", "dev.tsv")
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    assert [f"{text}\t{label}" for text, _, label in texts(path)] == lines


def test_published_files_without_a_header(write: Write) -> None:
    assert texts(write("gj04\t1\t\tOur friends won't buy it.\ngj04\t0\t*\tThe car honked \"its\" way\n")) == [
        ("Our friends won't buy it.", None, "1"), ('The car honked "its" way', None, "0")]
    news = table([["3", "Oil up", 'Prices, "again"'], ["1", "Talks", "They met"]], quoting=csv.QUOTE_ALL)
    expected = [('Oil up Prices, "again"', None, "2"), ("Talks They met", None, "0")]
    assert texts(write(news)) == expected
    assert texts(write("Class Index,Title,Description\n" + news)) == expected


def test_lines_of_text_for_masked_words(write: Write) -> None:
    path = write("Oslo is [MASK], and big.\n\n\"Hi\", said Ann\n")
    assert texts(path, "fill-mask") == [("Oslo is [MASK], and big.", None, None), ('"Hi", said Ann', None, None)]
    assert texts(write("text\nOslo\n"), "fill-mask") == [("Oslo", None, None)]
    with pytest.raises(DataError, match=r"no text; it has .*the first line must name the columns"):
        texts(write("Oslo is big\nso\n"))


def test_xnli(write: Write) -> None:
    found = read_examples(write("premise\thypo\tlabel\na\tb\tcontradictory\n"), "classification")
    assert found == [TextExample("a", "b", "contradiction", "2")]
    found = read_examples(write("language\tgold_label\tsentence1\tsentence2\nde\tneutral\ta\tb\nsw\t-\tc\td\n"),
                          "classification")
    assert [(one.language, one.label) for one in found] == [("de", "neutral"), ("sw", None)]
    everything = {"premise": {"de": "a", "fr": "b"}, "label": 2,
                  "hypothesis": {"language": ["fr", "de"], "translation": ["d", "c"]}}
    assert read_examples(write(json.dumps(everything)), "classification") == [
        TextExample("a", "c", "2", "1", "de"), TextExample("b", "d", "2", "1", "fr")]


@pytest.mark.parametrize("labeled", [0, 2])
def test_a_row_of_several_languages_has_one_label_or_none(write: Write, labeled: int) -> None:
    """All of its examples are left out where other rows have a label, and all of them stay where none has."""
    row = {"premise": {"de": "a", "fr": "b"}, "hypothesis": {"language": ["fr", "de"], "translation": ["d", "c"]}}
    rows = [{**row, "label": 1} if i < labeled else row for i in range(3)]
    path = write("\n".join(map(json.dumps, rows)))
    found = read(path, find_task("classification"), DataOptions(skip_bad_rows=1), labeled=True)
    assert len(found.examples) == (4 if labeled else 6)
    assert found.skipped == bool(labeled)


@pytest.mark.parametrize(("row", "prompt", "choices", "label"), [
    ({"article": "A.", "question": "Q?", "options": ["x", "y"], "answer": "B"}, "A. Q?", ("x", "y"), 1),
    ({"sent1": "A man", "sent2": "He", "ending0": "x", "ending1": "y", "label": 1}, "A man", ("He x", "He y"), 1),
    ({"premise": "It fell.", "choice1": "x", "choice2": "y", "question": "cause", "label": 0},
     "It fell. What was the cause of this?", ("x", "y"), 0),
    ({"ctx": "A", "endings": ["x", "y", "z"], "label": "2"}, "A", ("x", "y", "z"), 2),
    ({"question": "Q?", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "2"}, "Q?", ("x", "y"), 1),
    ({"question": {"stem": "Q?", "choices": [{"text": "x", "label": "A"}, {"text": "y", "label": "B"}]},
      "answerKey": "A"}, "Q?", ("x", "y"), 0),
    ({"goal": "A", "sol1": "x", "sol2": "y", "label": 1}, "A", ("x", "y"), 1),
    ({"context": "A", "question": "Q?", "answerA": "x", "answerB": "y", "answerC": "z", "label": "3"}, "A Q?",
     ("x", "y", "z"), 2),
    ({"sentence": "A _", "option1": "x", "option2": "y", "answer": "2"}, "A _", ("x", "y"), 1),
    ({"context": "A", "question": "Q?", "answer0": "x", "answer1": "y", "label": 1}, "A Q?", ("x", "y"), 1)])
def test_public_forms_of_choices(write: Write, row: dict, prompt: str, choices: tuple, label: int) -> None:
    assert read_examples(write(json.dumps(row)), "multiple-choice") == [ChoiceExample(prompt, choices, label, "1")]
    if all(isinstance(value, str | int) for value in row.values()):
        cells = [list(row), [str(value) for value in row.values()]]
        assert read_examples(write(table(cells)), "multiple-choice") == [ChoiceExample(prompt, choices, label, "2")]


def test_a_file_of_race(write: Write) -> None:
    path = write(json.dumps({"article": "A.", "questions": ["Q?", "R?"], "options": [["x", "y"], ["v", "w"]],
                             "answers": ["A", "B"], "id": "high1.txt"}, indent=1))
    assert read_examples(path, "multiple-choice") == [ChoiceExample("A. Q?", ("x", "y"), 0, "high1.txt.0"),
                                                      ChoiceExample("A. R?", ("v", "w"), 1, "high1.txt.1")]


QA = {"id": "7", "question": "Who?", "answers": [{"text": "Ann", "answer_start": 0}], "is_impossible": False}
ASKED = [QuestionExample("7", "Who?", "Ann did.", ("Ann",), (0,)),
         QuestionExample("8", "Why?", "Ann did.", (), (), True)]


def test_questions_in_lists_and_as_datasets_writes_them(write: Write) -> None:
    nested = {"context": "Ann did.", "qas": [QA, {"id": "8", "question": "Why?", "answers": [], "is_impossible": True}]}
    flat = [{"id": "7", "title": "t", "context": "Ann did.", "question": "Who?",
             "answers": {"text": ["Ann"], "answer_start": [0]}},
            {"id": "8", "context": "Ann did.", "question": "Why?", "answers": {"text": [], "answer_start": []}}]
    lines = "\n".join(map(json.dumps, flat))
    for content in (json.dumps([nested]), json.dumps([nested], indent=1), json.dumps(nested), lines, json.dumps(flat),
                    json.dumps({"version": "2", "data": flat}), json.dumps({"data": [{"paragraphs": [nested]}]})):
        assert read_examples(write(content), "qa") == ASKED, content


def test_lists_of_labels(write: Write) -> None:
    task = find_task("classification", Form(problem_type=MULTI_LABEL))
    rows = [{"text": "a", "labels": ["x", "y"]}, {"text": "b", "labels": []}, {"text": "c", "labels": [1]},
            {"text": "d", "labels": [0.0, 1.0]}]
    found = read(write("\n".join(map(json.dumps, rows))), task)
    assert [one.label for one in found.examples] == ["x,y", "", "1", "1"]
    assert [one.label for one in name_labels(found, task, ("x", "y"))] == ["x,y", "", "y", "y"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings(write: Write, encoding: str) -> None:
    for text in ("text\tlabel\nmüde 😀\tx\n中文\ty\n", "text,label\r\nплохо,x\r\n中文,y\r\n"):
        found = texts(write(text.encode(encoding)))
        assert found[1] == ("中文", None, "y")
        assert len(found) == 2
    assert texts(write('{"text": "é"}'.encode(encoding))) == [("é", None, None)]


def test_carriage_returns_alone(write: Write) -> None:
    assert texts(write("text\tlabel\ra\tx\rb\ty\r")) == [("a", None, "x"), ("b", None, "y")]


@pytest.mark.parametrize("content", [
    "text,label\ngood,x\nbad\n\"two\nlines\",y\n\"open\" mark,x\n\"bad\nrow\",z,1\ngood,x\n",
    "text\tlabel\ngood\tx\nbad\n\"two\nlines \"\"q\"\"\"\ty\nbad\t1\t2\t3\n\"bad\nrow\"\tz\t1\ngood\tx\n"])
def test_bad_rows_are_listed_by_their_lines(write: Write, content: str) -> None:
    path = write(content)
    with pytest.raises(DataError, match=r"data: 3 bad rows: line 3: 1 columns.*; line 6: .*; line 7: 3 columns, but "
                                        r"the header has 2 .*; --skip-bad-rows 3 goes on without them$"):
        texts(path)
    found = read(path, find_task("classification"), DataOptions(skip_bad_rows=3))
    assert [(one.id, one.label) for one in found.examples] == [("2", "x"), ("4", "y"), ("9", "x")]
    assert found.told().startswith("3 bad rows were skipped: ")
    with pytest.raises(DataError, match="3 bad rows"):
        texts(path, skip_bad_rows=2)


def test_bad_lines_of_json(write: Write) -> None:
    good = json.dumps({"text": "a", "label": "x"})
    content = f'{{"text": }}\n{good}\n{good[:-1]}\n[1]\n{{"text": "b", "label": ""}}\n'.encode() + b'{"text": "\xff"}\n'
    path = write(content + good.encode())
    with pytest.raises(DataError, match=r"data: 5 bad rows: line 1: not JSON.*; line 3: not JSON.*; line 4: a JSON list"
                                        r".*; line 6: not UTF-8 at byte \d+.*; line 5: no label"):
        read(path, find_task("classification"), labeled=True)
    found = read(path, find_task("classification"), DataOptions(skip_bad_rows=5), labeled=True)
    assert [one.id for one in found.examples] == ["2", "7"]
    # Calibration needs no labels.
    assert len(read(path, find_task("classification"), DataOptions(skip_bad_rows=4)).examples) == 3


def test_a_mark_that_opens_a_cell_and_never_closes_it_costs_one_row(write: Write) -> None:
    rows = "".join(f"text {i},x\n" for i in range(500))
    path = write(f'text,label\n"open,x\n{rows}')
    with pytest.raises(DataError, match=r"data, line 2: unexpected end of data.*--skip-bad-rows 1"):
        texts(path)
    assert len(texts(path, skip_bad_rows=1)) == 500


def test_many_bad_rows_are_counted(write: Write) -> None:
    with pytest.raises(DataError, match=r"data: 300 bad rows: line 3: .*; line 12: .*; and 290 more; --skip"):
        texts(write("text\tlabel\na\tx\n" + "b\n" * 300))


def test_test_sets_have_no_labels(write: Write) -> None:
    task = find_task("classification")
    rows = [{"sentence": "a", "label": -1}, {"sentence": "b", "label": -1}]
    found = read(write("\n".join(map(json.dumps, rows))), task, labeled=True)
    assert [one.label for one in name_labels(found, task, ("no", "yes"))] == [None, None]


def test_numbers_of_words_need_names(write: Write) -> None:
    task = find_task("token-classification")
    found = read(write('{"tokens": ["to", "Oslo"], "ner_tags": [0, 1]}'), task)
    assert name_labels(found, task, ("O", "B-city")) == [TokenExample(("to", "Oslo"), ("O", "B-city"), "1")]
    with pytest.raises(DataError, match="label '0' is a number, and nothing says which class it is"):
        name_labels(found, task, ())
    with pytest.raises(DataError, match="label '1' is a number, and there are names for 0 to 0 only"):
        name_labels(found, task, ("O",))


def test_comments_and_tabs_of_bio_files(write: Write) -> None:
    text = "# id = 1 O\n# text = New York\nNew York\tB-LOC\nis\tO\n\n# id = 2\n#\tO\n1\tO\n"
    assert read_examples(write(text), "ner") == [TokenExample(("New York", "is"), ("B-LOC", "O"), "3"),
                                                 TokenExample(("#", "1"), ("O", "O"), "7")]
    spaces = "# id 7c domain=en\nOslo _ _ B-city\n\n# _ _ O\nOslo _ _ B-city\n"
    assert [one.words for one in read_examples(write(spaces), "ner")] == [("Oslo",), ("#", "Oslo")]
    counted = "# sent_id = a\n1-2\tzum\t_\t-\n1\tzu\tO\t-\n2\tOslo\tB-LOC\tann\n"
    assert read_examples(write(counted), "ner") == [TokenExample(("zu", "Oslo"), ("O", "B-LOC"), "2")]
    with pytest.raises(DataError, match="data, line 2: 'Oslo' stands alone"):
        read_examples(write("to\tO\nOslo\t\n\nto\tO\n"), "ner")
    options = DataOptions(label_column="2", skip_bad_rows=1)
    assert read_examples(write("a NN B-x O\n\nb\n"), "ner", options) == [TokenExample(("a",), ("NN",), "1")]


def test_a_pipe_is_read_too(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("text,label\na,x\n"))
    writer.start()
    assert texts(pipe) == [("a", None, "x")]
    writer.join()


@pytest.mark.parametrize("form", ["lines", "list", "table"])
def test_a_file_is_not_held_twice(write: Write, form: str) -> None:
    rows = [{"text": f"{i} {'long text, ' * 400}", "label": "x"} for i in range(1000)]
    path = write({"lines": "\n".join(map(json.dumps, rows)), "list": json.dumps(rows),
                  "table": table([["text", "label"], *([*row.values()] for row in rows)])}[form])
    size = path.stat().st_size
    tracemalloc.start()
    found = read_examples(path, "classification")
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 1000
    # A list is read in stretches of 1 MiB, each of which is there twice while it is cut.
    assert peak < kept + (5 << 20 if form == "list" else 0.3 * size), (size, kept, peak)


def test_parts_of_a_list_that_is_no_json(write: Write) -> None:
    for content, message in (('[{"text": "a"},\n {"text": }]', "line 2: not JSON"),
                             ('[{"text": "a"}\n {"text": "b"}]', "line 2: not JSON"),
                             ('[{"text": "a"}', "line 1: not JSON"), ('[{"text": "a"}]\nx', "line 2: not JSON")):
        with pytest.raises(DataError, match=message):
            texts(write(content))
    assert texts(write(json.dumps({"text": ["a", "b"], "label": [0, 1]}))) == [("a", None, "0"), ("b", None, "1")]
