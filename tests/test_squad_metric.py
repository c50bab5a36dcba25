"""Exact match and F1 against scores worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mobilebert_lite.datasets.reading import QuestionExample, read_examples
from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks.question_answering.squad import exact_match, f1, normalize_answer, score


@pytest.mark.parametrize(("text", "normal"), [
    ("The  Cat's\tHat!", "cats hat"),
    ("a an the", ""),
    ("an apple a day", "apple day"),
    ("the-end theatre", "theend theatre"),
    ("A.", ""),
    ("“quoted” – Ökonom", "“quoted” – ökonom"),
    ("3,000.5", "30005"),
])
def test_normalization(text: str, normal: str) -> None:
    assert normalize_answer(text) == normal


@pytest.mark.parametrize(("prediction", "answers", "exact", "overlap"), [
    ("The Denver Broncos", ["Denver Broncos"], 1, 1),
    ("Broncos", ["Denver Broncos"], 0, 2 / 3),                    # precision 1, recall 1/2
    ("Denver Broncos of Colorado", ["Denver Broncos"], 0, 2 / 3),  # precision 1/2, recall 1
    ("Broncos", ["Panthers", "Denver Broncos", "Broncos!"], 1, 1),
    ("red red blue", ["red green"], 0, 2 / 5),                    # a shared word counts as often as in both
    ("red red", ["red red green"], 0, 4 / 5),
    ("Panthers", ["Denver Broncos"], 0, 0),
    ("", ["Denver Broncos"], 0, 0),
    ("", [], 1, 1),
    ("the", [], 1, 1),
    ("Broncos", [], 0, 0),
    ("", ["The"], 1, 1),
    ("", ["The", "Broncos"], 0, 0),                               # an answer of articles only does not count
])
def test_scores_of_one_question(prediction: str, answers: list[str], exact: float, overlap: float) -> None:
    assert exact_match(prediction, answers) == exact
    assert f1(prediction, answers) == pytest.approx(overlap)


def example(identity: str, *answers: str) -> QuestionExample:
    return QuestionExample(identity, "?", "c", answers, (0,) * len(answers), not answers)


def test_scores_of_a_set() -> None:
    examples = [example("1", "Denver Broncos"), example("2", "1999"), example("3", "x")]
    assert score(examples, {"1": "Broncos", "2": "1999", "3": "y", "unused": "z"}) == {
        "exact": pytest.approx(100 / 3), "f1": pytest.approx(100 * (2 / 3 + 1) / 3), "total": 3}


def test_impossible_questions_are_told_apart() -> None:
    examples = [example("1", "x"), example("2"), example("3"), example("4", "y z")]
    assert score(examples, {"1": "x", "2": "", "3": "w", "4": "y"}) == {
        "exact": 50, "f1": pytest.approx(100 * (1 + 1 + 0 + 2 / 3) / 4), "total": 4,
        "HasAns_exact": 50, "HasAns_f1": pytest.approx(100 * (1 + 2 / 3) / 2), "HasAns_total": 2,
        "NoAns_exact": 50, "NoAns_f1": 50, "NoAns_total": 2}
    only = score(examples[1:3], {"2": "", "3": ""})
    assert (only["exact"], only["HasAns_total"], only["NoAns_exact"]) == (100, 0, 100)


def test_what_cannot_be_scored() -> None:
    with pytest.raises(DataError, match="no examples"):
        score([], {})
    with pytest.raises(DataError, match="no prediction for question '2'"):
        score([example("1", "x"), example("2", "y")], {"1": "x"})
    with pytest.raises(DataError, match="question 'q' has no answers"):
        score([QuestionExample("q", "?", "c")], {"q": ""})


@pytest.mark.parametrize(("name", "total", "impossible"), [("dev-v1.1.json", 10_570, 0),
                                                           ("dev-v2.0.json", 11_873, 5_945)])
def test_the_official_answers_score_100(shared: Callable[..., Path], name: str, total: int, impossible: int) -> None:
    examples = read_examples(shared("data", "squad", name), "qa")
    scores = score(examples, {e.id: e.answers[0] if e.answers else "" for e in examples})
    assert (scores["exact"], scores["f1"], scores["total"]) == (100, 100, total)
    assert scores.get("NoAns_total", 0) == impossible
