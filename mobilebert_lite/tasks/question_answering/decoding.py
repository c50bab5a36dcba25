"""Answers from logits: the official SQuAD rules, then whole words.

Source: ``write_predictions`` in run_squad.py of google-research/bert, except that an answer is cut from the context by
the offsets of its words (or tokens) instead of being aligned after the fact. Words are those of ``align_to_words`` in
the question-answering pipeline of transformers: what the tokenizer cuts into pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mobilebert_lite.errors import AnswerError, DataError
from mobilebert_lite.tasks.base import Outputs, output_row
from mobilebert_lite.text.features import Features

MAX_ANSWER_TOKENS = 30
# Spans whose scores differ by less than this share of the logits' spread are a tie that rounding decides.
NEAR_TIE = 0.02


@dataclass(frozen=True)
class Answer:
    """One answer. The null answer ("the context does not say") has the text "" and start = end = -1."""

    text: str
    # Code points of the context, end exclusive.
    start: int
    end: int
    # Start logit plus end logit.
    score: float
    # Softmax of the score over all answers returned together.
    probability: float = 0.0

    @property
    def is_null(self) -> bool:
        """Whether this says that there is no answer."""
        return self.start < 0


def decode(windows: Sequence[Features], outputs: Sequence[Outputs], context: str, *, n_best: int = 20,
           max_answer_tokens: int = MAX_ANSWER_TOKENS, null_threshold: float = 0.0,
           allow_null: bool = True, whole_words: bool = True) -> list[Answer]:
    """The ``n_best`` answers of all windows: the chosen one first, the others by descending score.

    With ``whole_words`` each answer begins and ends with a whole word, and an answer that shares a word with a better
    one is left out. Otherwise answers are the tokens as they are, every different text once.

    ``outputs[i]`` holds ``start_logits`` and ``end_logits``, float [1, S], for ``windows[i]``. The null answer takes
    part when ``allow_null`` (models trained on SQuAD v2) and is chosen when it beats the best span by more than
    ``null_threshold``. Without ``allow_null`` it is returned only, and alone, when no span is legal. Raises MblError
    for logits that are missing, misshapen or not finite.
    """
    if n_best < 1 or max_answer_tokens < 1:
        raise DataError(f"n_best {n_best}, max_answer_tokens {max_answer_tokens}: both must be 1 or more")
    logits = _all_logits(windows, outputs)
    null = _null(logits)
    spans = [_spans(window, pair, n_best, max_answer_tokens, whole_words)
             for window, pair in zip(windows, logits, strict=True)]
    starts, ends, scores = (np.concatenate(column) for column in zip(*spans, strict=True))
    answers = _distinct(context, (starts, ends, scores), n_best, null=null if allow_null else None, apart=whole_words)
    answers = _with_probabilities(answers or [null])
    chosen = best_answer(answers, null_threshold)
    return [chosen, *(answer for answer in answers if answer is not chosen)]


def best_answer(answers: Sequence[Answer], null_threshold: float = 0.0) -> Answer:
    """The answer to give: the best span, unless the null answer's score exceeds its by more than the threshold.

    ``answers`` is what ``decode`` returned. Raises MblError when it is empty.
    """
    if not answers:
        raise AnswerError("no answers to choose from; pass what decode returned")
    null = next((answer for answer in answers if answer.is_null), None)
    spans = [answer for answer in answers if not answer.is_null]
    if not spans:
        return answers[0]
    best = max(spans, key=lambda answer: answer.score)
    return null if null and null.score - best.score > null_threshold else best


def best_span(features: Features, outputs: Outputs, max_answer_tokens: int = MAX_ANSWER_TOKENS) -> tuple[int, int]:
    """First and last token of the best span of this one window; (0, 0) when [CLS], the null answer, is better."""
    start, end = logits_of_window(features, outputs)
    legal = features.in_text
    first, last = (np.where(legal, logits, -np.inf) for logits in (start, end))
    best, best_score = (0, 0), start[0] + end[0]
    for extra in range(min(max_answer_tokens, len(start))):
        scores = first[:len(first) - extra] + last[extra:]
        i = int(np.argmax(scores))
        if scores[i] > best_score:
            best, best_score = (i, i + extra), scores[i]
    return best


def slack(window: Features, outputs: Outputs) -> float:
    """Scores of this window that differ by no more are a tie: ``NEAR_TIE`` of the spread of its logits."""
    read = window.mask == 1
    return NEAR_TIE * float(sum(np.ptp(row[read]) for row in logits_of_window(window, outputs)))


def contenders(windows: Sequence[Features], outputs: Sequence[Outputs], context: str,
               *, max_answer_tokens: int = MAX_ANSWER_TOKENS, allow_null: bool = True,
               whole_words: bool = True) -> list[Answer]:
    """The answers among which rounding chooses: the best one and all that tie with it (``slack``), the best first.

    The same text at two places is two answers. Arguments and errors are those of ``decode``, whose first answer, with a
    threshold of 0, is among them. Probabilities are left at 0.
    """
    logits = _all_logits(windows, outputs)
    spans = [_spans(window, pair, len(window.ids), max_answer_tokens, whole_words)
             for window, pair in zip(windows, logits, strict=True)]
    found = [Answer(context[start:end], int(start), int(end), float(score))
             for columns in spans for start, end, score in zip(*columns, strict=True)]
    if allow_null or not found:
        found.append(_null(logits))
    found.sort(key=lambda answer: -answer.score)
    least = found[0].score - max(map(slack, windows, outputs))
    by_place: dict[tuple[int, int], Answer] = {}
    for answer in found:
        if answer.score >= least:
            by_place.setdefault((answer.start, answer.end), answer)
    return list(by_place.values())


def _all_logits(windows: Sequence[Features], outputs: Sequence[Outputs]) -> list[tuple[np.ndarray, np.ndarray]]:
    """``logits_of_window`` of each window."""
    if not windows or len(windows) != len(outputs):
        raise AnswerError(f"{len(outputs)} outputs for {len(windows)} windows; run the model once for each window")
    return [logits_of_window(window, output) for window, output in zip(windows, outputs, strict=True)]


def _null(logits: Sequence[tuple[np.ndarray, np.ndarray]]) -> Answer:
    """The answer that there is none: the window least convinced of that speaks for all."""
    return Answer("", -1, -1, min(float(start[0] + end[0]) for start, end in logits))


def logits_of_window(window: Features, outputs: Outputs) -> tuple[np.ndarray, np.ndarray]:
    """Start and end logits, float64 [S]."""
    rows = output_row(outputs, "start_logits"), output_row(outputs, "end_logits")
    for name, row in zip(("start_logits", "end_logits"), rows, strict=True):
        if row.shape != window.ids.shape:
            raise AnswerError(f"output {name!r} is {[1, *row.shape]}; expected [1, {len(window.ids)}] as the inputs")
    return rows


def _spans(window: Features, logits: tuple[np.ndarray, np.ndarray], n_best: int, max_answer_tokens: int,
           whole_words: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Legal spans between the ``n_best`` starts and ends: first and last code point (end exclusive), and score."""
    start, end = logits
    first = np.argsort(-start, kind="stable")[:n_best, None]
    last = np.argsort(-end, kind="stable")[None, :n_best]
    legal = (window.max_context[first] & window.in_text[last] & (first <= last)
             & (last - first < max_answer_tokens))
    i, j = (index[legal] for index in np.broadcast_arrays(first, last))
    places = window.words if whole_words else window.offsets
    return places[i, 0], places[j, 1], start[i] + end[j]


def _distinct(context: str, spans: tuple[np.ndarray, np.ndarray, np.ndarray], n_best: int, *, null: Answer | None,
              apart: bool) -> list[Answer]:
    """The ``n_best`` best answers with different texts, and ``null`` in any case.

    Where they are to be ``apart``, one that overlaps a better one is left out.
    """
    starts, ends, scores = spans
    by_text: dict[str, Answer] = {}
    free = np.ones(len(scores), bool)
    for i in np.argsort(-scores, kind="stable"):
        if not free[i]:
            continue
        # A span wins a tie with the null answer.
        if null and "" not in by_text and null.score > scores[i]:
            by_text[""] = null
        if len(by_text) >= n_best:
            break
        text = context[starts[i]:ends[i]]
        if text not in by_text:
            by_text[text] = Answer(text, int(starts[i]), int(ends[i]), float(scores[i]))
            if apart:
                free &= (ends <= starts[i]) | (starts >= ends[i])
    if null:
        by_text.setdefault("", null)
    return list(by_text.values())


def _with_probabilities(answers: list[Answer]) -> list[Answer]:
    scores = np.array([answer.score for answer in answers])
    weights = np.exp(scores - scores.max())
    return [replace(answer, probability=float(p))
            for answer, p in zip(answers, weights / weights.sum(), strict=True)]
