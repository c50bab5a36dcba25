"""Exact match and F1 of SQuAD 1.1 and 2.0.

Source: Rajpurkar et al. 2016 (arXiv:1606.05250), section 6.1, and 2018 (arXiv:1806.03822); the rules of the official
``evaluate-v1.1.py`` and ``evaluate-v2.0.py``, except that a missing prediction is an error here. The two differ for
accepted answers of nothing but punctuation and articles (3 questions of dev-v1.1): v2.0 leaves them out, v1.1 keeps
them, and there two empty texts are an exact match without any F1.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mobilebert_lite.errors import DataError
from mobilebert_lite.text.examples import QuestionExample

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalize_answer(text: str) -> str:
    """Lower case, without ASCII punctuation and articles, words separated by single spaces."""
    # Punctuation goes first and leaves no space: "The-end" is the one word "theend", which holds no article.
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def rules_for(examples: Iterable[QuestionExample]) -> str:
    """The rules that a set is scored by: those of 2.0 where some questions are impossible."""
    return "2.0" if any(example.is_impossible for example in examples) else "1.1"


def exact_match(prediction: str, answers: Iterable[str], rules: str = "2.0") -> float:
    """1.0 when ``prediction`` equals an answer after normalization, else 0.0. No answers: "" is the answer."""
    return float(normalize_answer(prediction) in _gold(answers, rules))


def f1(prediction: str, answers: Iterable[str], rules: str = "2.0") -> float:
    """Best F1, 0 to 1, of the words shared by ``prediction`` and an answer. No answers: "" is the answer."""
    words = normalize_answer(prediction).split()
    return max(_f1(words, answer.split(), rules) for answer in _gold(answers, rules))


def score(examples: Sequence[QuestionExample], predictions: Mapping[str, str]) -> dict[str, float]:
    """Scores in percent over ``examples``; ``predictions`` maps their ids to texts ("" for no answer).

    Keys, as in the official scripts: ``exact``, ``f1``, ``total``; where some of the questions are impossible also
    ``HasAns_exact``, ``HasAns_f1``, ``HasAns_total`` and the same for ``NoAns``. Raises DataError when there are no
    examples, when one is unlabeled or has no prediction.
    """
    rules = rules_for(examples)
    rows = [(not example.is_impossible, *_scores(example, predictions, rules)) for example in examples]
    return summarize(np.array(rows, np.float64).reshape(-1, 3))


def summarize(rows: np.ndarray) -> dict[str, float]:
    """The keys of ``score`` for rows of (has an answer, exact match, F1), float [n, 3]. Raises DataError for none."""
    if not len(rows):
        raise DataError("no examples to score")
    answerable = rows[:, 0] == 1
    result = _mean(rows, "")
    return result if answerable.all() else result | _mean(rows[answerable], "HasAns_") | _mean(
        rows[~answerable], "NoAns_")


def best_threshold(scores: np.ndarray, answerable: np.ndarray, answered: np.ndarray,
                   null_odds: np.ndarray) -> tuple[float, float]:
    """The best score in percent that a threshold on the null answer's odds could give, and that threshold.

    All float or bool [n]: the score 0 to 1 of the best span, whether the question has an answer, whether the best span
    is a text at all, and the null answer's score less the span's. ``find_best_thresh`` of ``evaluate-v2.0.py``: every
    question is first taken to be unanswered, then answered one after the other in the order of the odds.
    """
    order = np.argsort(null_odds, kind="stable")
    gains = np.where(answerable, scores, -answered.astype(np.float64))[order]
    unanswered = float(np.count_nonzero(~answerable))
    totals = unanswered + np.cumsum(gains)
    best = int(np.argmax(totals))
    if totals[best] <= unanswered:
        return 100.0 * unanswered / len(scores), 0.0
    return 100.0 * float(totals[best]) / len(scores), float(null_odds[order][best])


def _scores(example: QuestionExample, predictions: Mapping[str, str], rules: str) -> tuple[float, float]:
    check_labeled(example)
    if example.id not in predictions:
        raise DataError(f"no prediction for question {example.id!r}; the {len(predictions)} predictions are by id")
    prediction = predictions[example.id]
    return exact_match(prediction, example.answers, rules), f1(prediction, example.answers, rules)


def check_labeled(example: QuestionExample) -> None:
    """Raise DataError for a question that cannot be scored."""
    if not example.answers and not example.is_impossible:
        raise DataError(f"question {example.id!r} has no answers to score against; give it answers or is_impossible")


def _mean(rows: np.ndarray, prefix: str) -> dict[str, float]:
    total = len(rows)
    if not total:
        return {f"{prefix}total": 0}
    exact, overlap = 100.0 * rows[:, 1:3].sum(axis=0) / total
    return {f"{prefix}exact": float(exact), f"{prefix}f1": float(overlap), f"{prefix}total": total}


def _gold(answers: Iterable[str], rules: str) -> list[str]:
    """Normalized answers; in 2.0 one of nothing but punctuation and articles does not count."""
    texts = [normalize_answer(answer) for answer in answers]
    return [text for text in texts if text or rules == "1.1"] or [""]


def _f1(words: list[str], gold: list[str], rules: str) -> float:
    if not words or not gold:
        return float(words == gold and rules == "2.0")
    shared = sum((Counter(words) & Counter(gold)).values())
    return 2.0 * shared / (len(words) + len(gold))
