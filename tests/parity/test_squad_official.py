"""SQuAD scores against an implementation of the official definition that shares nothing with ours."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from mobilebert_lite.datasets.reading import QuestionExample, read_examples
from mobilebert_lite.tasks.question_answering import squad
from mobilebert_lite.tasks.question_answering.scorer import QuestionAnsweringScorer


def words(text: str) -> list[str]:
    """Lower case; punctuation deleted; the articles a, an and the, where they are words by themselves, deleted."""
    kept = "".join(" " if c.isspace() else c for c in text.lower() if c not in string.punctuation)
    result, word = [], ""
    for c in f"{kept} ":
        # A word in the sense of regular expressions is made of letters, digits and underscores.
        if c.isalnum() or c == "_":
            word += c
            continue
        result.append(" " if word in ("a", "an", "the") else word)
        result.append(c)
        word = ""
    return "".join(result).split()


def official(prediction: str, answers: list[str], version: str) -> tuple[float, float]:
    """(exact match, F1) of one question."""
    given, golds = words(prediction), [words(answer) for answer in answers]
    if version == "2.0":
        golds = [gold for gold in golds if gold] or [[]]
    exact = max(float(given == gold) for gold in golds)
    overlaps = []
    for gold in golds:
        rest, shared = list(gold), 0
        for word in given:
            if word in rest:
                rest.remove(word)
                shared += 1
        if version == "2.0" and not (gold and given):
            overlaps.append(float(gold == given))
        elif shared == 0:
            overlaps.append(0.0)
        else:
            precision, recall = shared / len(given), shared / len(gold)
            overlaps.append(2 * precision * recall / (precision + recall))
    return exact, max(overlaps)


def official_threshold(scores: list[float], answerable: list[bool], texts: list[str],
                       odds: list[float]) -> tuple[float, float]:
    """The best score over all thresholds, and the first threshold that has it."""
    best = current = sum(not has for has in answerable)
    threshold = 0.0
    for i in sorted(range(len(odds)), key=lambda i: odds[i]):
        current += scores[i] if answerable[i] else -1 if texts[i] else 0
        if current > best:
            best, threshold = current, odds[i]
    return 100 * best / len(scores), threshold


PIECES = st.sampled_from([
    "a", "an", "the", "The", "cat", "Cat's", "theatre", "-", ".", "the-end", "“the”", "É", "ß", "日本", "\u00a0", " ",
    "  ", "\t", "_", "a_b", "1,000", "½", "İ", "an’s", "\u0301", "", "$5", "🙂", "a.m."])
TEXTS = st.lists(PIECES, max_size=5).flatmap(lambda pieces: st.sampled_from([" ".join(pieces), "".join(pieces)]))


@examples(600)
@given(prediction=TEXTS, answers=st.lists(TEXTS, min_size=1, max_size=4), version=st.sampled_from(["1.1", "2.0"]))
def test_awkward_texts(prediction: str, answers: list[str], version: str) -> None:
    assert (squad.exact_match(prediction, answers, version), squad.f1(prediction, answers, version)) == pytest.approx(
        official(prediction, answers, version))


def guesses(examples: list[QuestionExample], seed: int) -> dict[str, str]:
    """Right, nearly right, wrong and empty answers."""
    rng = random.Random(seed)
    result = {}
    for example in examples:
        answer = rng.choice(example.answers) if example.answers else ""
        context = example.context.split()
        first = rng.randrange(len(context))
        result[example.id] = rng.choice([
            answer, answer, f"the {answer.upper()}.", " ".join(answer.split()[1:]), f"{answer} {context[first]}", "",
            " ".join(context[first:first + rng.randint(1, 6)])])
    return result


@pytest.mark.parametrize(("name", "version"), [("dev-v1.1.json", "1.1"), ("dev-v2.0.json", "2.0")])
def test_full_development_sets(shared: Callable[..., Path], name: str, version: str) -> None:
    examples = read_examples(shared("data", "squad", name), "qa")
    assert squad.rules_for(examples) == version
    predictions = guesses(examples, seed=3)
    rows = [official(predictions[e.id], list(e.answers) or [""], version) for e in examples]
    expected = {"exact": 100 * np.mean([row[0] for row in rows]), "f1": 100 * np.mean([row[1] for row in rows]),
                "total": len(rows)}
    if version == "2.0":
        for prefix, impossible in (("HasAns", False), ("NoAns", True)):
            part = [row for row, e in zip(rows, examples, strict=True) if e.is_impossible == impossible]
            expected |= {f"{prefix}_exact": 100 * np.mean([row[0] for row in part]),
                         f"{prefix}_f1": 100 * np.mean([row[1] for row in part]), f"{prefix}_total": len(part)}
    ours = squad.score(examples, predictions)
    assert ours == pytest.approx(expected, abs=1e-9)
    assert 20 < ours["exact"] < 80


def test_best_thresholds_of_the_development_set(shared: Callable[..., Path]) -> None:
    examples = read_examples(shared("data", "squad", "dev-v2.0.json"), "qa")
    spans = guesses(examples, seed=4)
    rng = random.Random(5)
    # Unanswerable questions have greater odds of the null answer, as with a model of some use.
    odds = [rng.gauss(2.0 if e.is_impossible else -1.0, 3.0) for e in examples]
    scorer = QuestionAnsweringScorer("2.0")
    rows = np.array([scorer.row(e, {"text": "" if odd > 0 else spans[e.id], "span": spans[e.id], "null_odds": odd})
                     for e, odd in zip(examples, odds, strict=True)])
    metrics = scorer.metrics(rows)
    for key, place in (("exact", 0), ("f1", 1)):
        scores = [official(spans[e.id], list(e.answers) or [""], "2.0")[place] for e in examples]
        best, threshold = official_threshold(scores, [not e.is_impossible for e in examples],
                                             [spans[e.id] for e in examples], odds)
        assert (metrics[f"best_{key}"], metrics[f"best_{key}_thresh"]) == pytest.approx((best, threshold))
        assert metrics[f"best_{key}"] > 51  # more than answering nothing


@pytest.mark.parametrize(("scores", "answerable", "answered", "expected"), [
    ([1.0, 0.0], [True, False], [True, True], (100.0, -2.0)),
    ([0.0, 0.0], [True, False], [True, True], (50.0, 0.0)),    # answering nothing is best: no threshold
    ([1.0, 0.0], [True, False], [True, False], (100.0, -2.0)),  # an empty answer costs nothing here
    ([1.0, 1.0], [True, True], [True, True], (100.0, 3.0)),
])
def test_best_threshold(scores: list[float], answerable: list[bool], answered: list[bool],
                        expected: tuple[float, float]) -> None:
    assert squad.best_threshold(np.array(scores), np.array(answerable), np.array(answered),
                                np.array([-2.0, 3.0])) == expected
