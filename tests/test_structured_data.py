"""Words with labels, prompts with choices, pairs: from files and from the package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mobilebert_lite.datasets.reading import builtin_examples, read_examples
from mobilebert_lite.errors import DataError
from mobilebert_lite.text.examples import ChoiceExample, PairExample, TextExample, TokenExample


def written(folder: Path, text: str) -> Path:
    path = folder / "data"
    path.write_text(text, encoding="utf-8")
    return path


BIO = "-DOCSTART- -X- O O\n\nAnna NNP B-person\nKern NNP I-person\nsings VBZ O\n\n\nto TO O\nOslo NNP B-city"
WORDS = [TokenExample(("Anna", "Kern", "sings"), ("B-person", "I-person", "O"), "3"),
         TokenExample(("to", "Oslo"), ("O", "B-city"), "8")]


def test_bio(tmp_path: Path) -> None:
    assert read_examples(written(tmp_path, BIO), "token-classification") == WORDS
    assert read_examples(written(tmp_path, BIO.replace(" ", "\t") + "\n\n"), "ner") == WORDS
    assert WORDS[0].text == "Anna Kern sings"


@pytest.mark.parametrize(("words", "labels"), [("words", "labels"), ("tokens", "tags"), ("tokens", "ner_tags")])
def test_words_in_json(tmp_path: Path, words: str, labels: str) -> None:
    rows = [{words: list(example.words), labels: list(example.labels), "id": example.id} for example in WORDS]
    lines = "\n".join(json.dumps(row) for row in rows)
    assert read_examples(written(tmp_path, lines), "token-classification") == WORDS
    assert read_examples(written(tmp_path, json.dumps(rows)), "token-classification") == WORDS


def test_texts_as_words(tmp_path: Path) -> None:
    assert read_examples(written(tmp_path, '{"text": "to  Oslo"}'), "token-classification") == [
        TokenExample(("to", "Oslo"), (), "1")]


CHOICES = [ChoiceExample("the sky is", ("blue", "green"), 0, "1"), ChoiceExample("grass is", ("blue", "green"), 1, "2")]


def test_choices(tmp_path: Path) -> None:
    lines = "".join(json.dumps({"prompt": one.prompt, "choices": one.choices, "label": one.label}) + "\n"
                    for one in CHOICES)
    assert read_examples(written(tmp_path, lines), "multiple-choice") == CHOICES
    numbered = ('{"context": "the sky", "question": "is", "ending0": "blue", "ending1": "green", "label": "0", '
                '"id": 1}\n'
                '{"sent1": "grass is", "choice_1": "green", "choice_0": "blue", "label": 1}')
    assert read_examples(written(tmp_path, numbered), "multiple-choice") == CHOICES
    table = "id\tprompt\tending0\tending1\tlabel\n1\tthe sky is\tblue\tgreen\t0\n2\tgrass is\tblue\tgreen\t1\n"
    assert read_examples(written(tmp_path, table), "multiple-choice") == CHOICES


def test_ten_choices_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    row = {"prompt": "x", **{f"choice{i}": f"c{i}" for i in (10, 2, 1, 0, 3, 4, 5, 6, 7, 8, 9)}}
    [example] = read_examples(written(tmp_path, json.dumps(row)), "multiple-choice")
    assert example.choices == tuple(f"c{i}" for i in range(11))


def test_pairs(tmp_path: Path) -> None:
    path = written(tmp_path, '{"text": "one", "pair": "two", "label": 1}')
    assert read_examples(path, "next-sentence") == [PairExample("one", "two", "1", "1")]
    assert type(read_examples(path, "classification")[0]) is TextExample


@pytest.mark.parametrize(("task", "text", "message"), [
    ("token-classification", "Anna B-person\nKern\n", "line 2: 'Kern' stands alone"),
    ("token-classification", '{"words": ["a", "b"], "labels": ["O"]}', "line 1: 1 labels for 2 words"),
    ("token-classification", '{"words": ["a", ""]}', "words: '' is among them"),
    ("token-classification", '{"words": 3}', "words is 3; it must be a text"),
    ("token-classification", '[{"words": ["a"]}, 3]', r"\[1\]: a JSON int, not an object"),
    ("token-classification", "-DOCSTART- O\n", "holds no examples"),
    ("multiple-choice", '{"prompt": "x", "choices": ["a"]}', "1 choices; at least 2 are needed"),
    ("multiple-choice", '{"prompt": "x", "choices": ["a", "b"], "label": 2}', "label is 2; .* 0 to 1"),
    ("multiple-choice", '{"prompt": "x", "choices": ["a", "b"], "label": "c"}', "label is 'c'"),
    ("multiple-choice", '{"choices": ["a", "b"]}', "no prompt; it has choices"),
    ("multiple-choice", "text\tlabel\na\tb\n", "line 1: no choices .*; it has label, text"),
    ("next-sentence", '{"text": "one"}', "line 1: no pair; this task needs two texts"),
    ("fill-mask", '{"data": []}', "holds SQuAD questions; this task needs texts"),
    ("multiple-choice", '{"data": []}', "this task needs prompts with choices"),
])
def test_what_cannot_be_used(tmp_path: Path, task: str, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_examples(written(tmp_path, text), task)


# The package's own

def test_builtin_pairs_follow_one_another_in_turn() -> None:
    pairs = builtin_examples("next-sentence")
    contexts = dict.fromkeys(" ".join(question.context.split()) for question in builtin_examples("qa"))
    assert len(pairs) == len(contexts) >= 32
    joined = [f"{pair.text} {pair.pair}" == context for pair, context in zip(pairs, contexts, strict=True)]
    assert joined == [pair.label == "0" for pair in pairs]
    assert joined[:4] == [True, False, True, False]


def test_builtin_choices_hold_the_answer_in_every_place() -> None:
    answers = {question.question: question.answers[0] for question in builtin_examples("qa") if question.answers}
    choices = builtin_examples("multiple-choice")
    assert len(choices) == len(answers)
    assert {example.label for example in choices} == {0, 1, 2, 3}
    for example in choices:
        question = next(question for question in answers if example.prompt.endswith(question))
        assert example.choices[example.label] == answers[question]
        assert len(set(example.choices)) == 4


def test_builtin_words() -> None:
    words, texts = builtin_examples("token-classification"), builtin_examples("classification")
    assert [example.text for example in words] == [" ".join(example.text.split()) for example in texts]
