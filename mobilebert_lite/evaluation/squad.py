"""Exact match and F1 of SQuAD 1.1 and 2.0.

Source: Rajpurkar et al. 2016 (arXiv:1606.05250), section 6.1, and 2018 (arXiv:1806.03822); the rules of the official
``evaluate-v2.0.py``. On v1.1 data they differ from ``evaluate-v1.1.py`` only for accepted answers of nothing but
punctuation and articles (3 questions of dev-v1.1), and for a missing prediction, which is an error here.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping

from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks.examples import QuestionExample

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalize_answer(text: str) -> str:
    """Lower case, without ASCII punctuation and articles, words separated by single spaces."""
    # Punctuation goes first and leaves no space: "The-end" is the one word "theend", which holds no article.
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str, answers: Iterable[str]) -> float:
    """1.0 when ``prediction`` equals an answer after normalisation, else 0.0. No answers: "" is the answer."""
    return float(normalize_answer(prediction) in _gold(answers))


def f1(prediction: str, answers: Iterable[str]) -> float:
    """Best F1, 0 to 1, of the words shared by ``prediction`` and an answer. No answers: "" is the answer."""
    words = normalize_answer(prediction).split()
    return max(_f1(words, answer.split()) for answer in _gold(answers))


def score(examples: Iterable[QuestionExample], predictions: Mapping[str, str]) -> dict[str, float]:
    """Scores in percent over ``examples``; ``predictions`` maps their ids to texts ("" for no answer).

    Keys: ``exact``, ``f1``, ``total``; where some of the questions are impossible also ``answerable_exact``,
    ``answerable_f1``, ``answerable_total`` and the same for ``impossible``. Raises DataError when there are no
    examples, when one is unlabelled or has no prediction.
    """
    rows = [(example.is_impossible, *_scores(example, predictions)) for example in examples]
    if not rows:
        raise DataError("no examples to score")
    result = _mean(rows, "")
    impossible = [row for row in rows if row[0]]
    if impossible:
        answerable = [row for row in rows if not row[0]]
        result |= _mean(answerable, "answerable_") | _mean(impossible, "impossible_")
    return result


def _scores(example: QuestionExample, predictions: Mapping[str, str]) -> tuple[float, float]:
    if not example.answers and not example.is_impossible:
        raise DataError(f"question {example.id!r} has no answers to score against; give it answers or is_impossible")
    if example.id not in predictions:
        raise DataError(f"no prediction for question {example.id!r}; the {len(predictions)} predictions are by id")
    prediction = predictions[example.id]
    return exact_match(prediction, example.answers), f1(prediction, example.answers)


def _mean(rows: list[tuple[bool, float, float]], prefix: str) -> dict[str, float]:
    total = len(rows)
    if not total:
        return {f"{prefix}total": 0}
    return {f"{prefix}exact": 100.0 * sum(row[1] for row in rows) / total,
            f"{prefix}f1": 100.0 * sum(row[2] for row in rows) / total,
            f"{prefix}total": total}


def _gold(answers: Iterable[str]) -> list[str]:
    """Normalised answers; one of nothing but punctuation and articles does not count."""
    return [text for text in map(normalize_answer, answers) if text] or [""]


def _f1(words: list[str], gold: list[str]) -> float:
    if not words or not gold:
        return float(words == gold)
    shared = sum((Counter(words) & Counter(gold)).values())
    return 2.0 * shared / (len(words) + len(gold))
