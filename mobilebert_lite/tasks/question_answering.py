"""Extractive question answering: the official SQuAD windows and answers.

Source: ``convert_examples_to_features`` and ``write_predictions`` in run_squad.py of google-research/bert, except that
an answer is cut from the context by the tokens' offsets instead of being aligned after the fact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mobilebert_lite.errors import DataError, MblError
from mobilebert_lite.tasks.base import Outputs, Task, output_row
from mobilebert_lite.text.examples import QuestionExample
from mobilebert_lite.text.features import Features, encode_texts, join, spans_of
from mobilebert_lite.text.tokenization import Tokenizer

STRIDE = 128
MAX_QUERY = 64
MAX_ANSWER_TOKENS = 30
# Spans whose scores differ by less than this share of the logits' spread are a tie that rounding decides.
NEAR_TIE = 0.02
# is_whitespace of run_squad.py: the ASCII spaces and the narrow no-break space, but not the ordinary one.
_WORD_SPACES = frozenset(" \t\r\n\u202f")
# [CLS] question [SEP] context [SEP]
_SPECIAL = 3


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


class QuestionAnswering(Task):
    """The span of a context that answers a question."""

    name = "qa"
    aliases = ("question-answering",)
    heads = ("qa",)
    outputs = per_token = ("end_logits", "start_logits")
    example_type = QuestionExample
    min_length = 8

    def features(self, tokenizer: Tokenizer, example: QuestionExample, length: int) -> list[Features]:
        """``windows`` of an example."""
        self._check(example)
        return windows(tokenizer, example.question, example.context, length, max_query=longest_question(length))

    def _same(self, features: Features, reference: Outputs, candidate: Outputs) -> bool:
        """The same best span, or one that the reference itself finds as good to within ``NEAR_TIE``."""
        start, end = _logits(features, reference)
        expected, actual = (start[first] + end[last] for first, last in
                            (best_span(features, reference), best_span(features, candidate)))
        return bool(expected - actual <= slack(features, reference))


def longest_question(length: int) -> int:
    """Tokens a question is cut to: 64, or half of the sequence where that is less."""
    return max(1, min(MAX_QUERY, length // 2))


def windows(tokenizer: Tokenizer, question: str, context: str, length: int, stride: int = STRIDE,
            max_query: int = MAX_QUERY) -> list[Features]:
    """The question with each stretch of the context that fits into ``length`` tokens.

    The question is cut to ``max_query`` tokens; stretches start ``stride`` tokens apart (or their own length, if that
    is less). Raises DataError for an empty question or context, and for a length without room for the context.
    """
    if stride < 1 or max_query < 1:
        raise DataError(f"stride {stride}, max_query {max_query}: both must be 1 or more")
    asked, read = encode_texts(tokenizer, {"question": question, "context": context})
    query = np.array(asked.ids[:max_query], np.int32)
    room = length - len(query) - _SPECIAL
    if room < 1:
        raise DataError(f"sequence length {length} cannot hold a question of {len(query)} tokens, {_SPECIAL} special "
                        f"tokens and 1 of the context; use {len(query) + _SPECIAL + 1} or more, or a shorter question")
    ids, spans = np.array(read.ids, np.int32), spans_of(read)
    stretches = list(stretches_of(len(ids), room, stride))
    owners = owners_of(stretches, len(ids))
    return [join(tokenizer, [query, ids[start:end]], spans[start:end], owners[start:end] == i, length)
            for i, (start, end) in enumerate(stretches)]


def token_to_orig_map(window: Features, context: str) -> dict[int, int]:
    """Position of each context token -> index of the word it is part of, words being what white space separates.

    As in run_squad.py, whose answers are made of such words; ours are cut by ``offsets`` instead.
    """
    space = np.array([character in _WORD_SPACES for character in f" {context}"])
    word = np.cumsum(space[:-1] & ~space[1:]) - 1
    positions = np.flatnonzero(window.in_text)
    return dict(zip(positions.tolist(), word[window.offsets[positions, 0]].tolist(), strict=True))


def decode(windows: Sequence[Features], outputs: Sequence[Outputs], context: str, n_best: int = 20,
           max_answer_tokens: int = MAX_ANSWER_TOKENS, null_threshold: float = 0.0,
           allow_null: bool = True) -> list[Answer]:
    """The ``n_best`` answers of all windows: the chosen one first, the others by descending score.

    ``outputs[i]`` holds ``start_logits`` and ``end_logits``, float [1, S], for ``windows[i]``. The null answer takes
    part when ``allow_null`` (models trained on SQuAD v2) and is chosen when it beats the best span by more than
    ``null_threshold``. Without ``allow_null`` it is returned only, and alone, when no span is legal. Raises MblError
    for logits that are missing, misshapen or not finite.
    """
    if n_best < 1 or max_answer_tokens < 1:
        raise DataError(f"n_best {n_best}, max_answer_tokens {max_answer_tokens}: both must be 1 or more")
    logits = _logits_of(windows, outputs)
    null = _null(logits)
    spans = [_spans(window, *pair, n_best, max_answer_tokens)
             for window, pair in zip(windows, logits, strict=True)]
    starts, ends, scores = (np.concatenate(column) for column in zip(*spans, strict=True))
    answers = _distinct(context, starts, ends, scores, n_best, null if allow_null else None)
    answers = _with_probabilities(answers or [null])
    chosen = best_answer(answers, null_threshold)
    return [chosen, *(answer for answer in answers if answer is not chosen)]


def best_answer(answers: Sequence[Answer], null_threshold: float = 0.0) -> Answer:
    """The answer to give: the best span, unless the null answer's score exceeds its by more than the threshold.

    ``answers`` is what ``decode`` returned. Raises MblError when it is empty.
    """
    if not answers:
        raise MblError("no answers to choose from; pass what decode returned")
    null = next((answer for answer in answers if answer.is_null), None)
    spans = [answer for answer in answers if not answer.is_null]
    if not spans:
        return answers[0]
    best = max(spans, key=lambda answer: answer.score)
    return null if null and null.score - best.score > null_threshold else best


def best_span(features: Features, outputs: Outputs, max_answer_tokens: int = MAX_ANSWER_TOKENS) -> tuple[int, int]:
    """First and last token of the best span of this one window; (0, 0) when [CLS], the null answer, is better."""
    start, end = _logits(features, outputs)
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
    return NEAR_TIE * float(sum(np.ptp(row[read]) for row in _logits(window, outputs)))


def contenders(windows: Sequence[Features], outputs: Sequence[Outputs], context: str,
               max_answer_tokens: int = MAX_ANSWER_TOKENS, allow_null: bool = True) -> list[Answer]:
    """The answers among which rounding chooses: the best one and all that tie with it (``slack``), the best first.

    The same text at two places is two answers. Arguments and errors are those of ``decode``, whose first answer, with a
    threshold of 0, is among them. Probabilities are left at 0.
    """
    logits = _logits_of(windows, outputs)
    spans = [_spans(window, *pair, len(window.ids), max_answer_tokens)
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


def stretches_of(tokens: int, room: int, stride: int) -> Iterator[tuple[int, int]]:
    """(start, end) of each window over the context."""
    start = 0
    while start + room < tokens:
        yield start, start + room
        start += min(room, stride)
    yield start, tokens


def owners_of(stretches: list[tuple[int, int]], tokens: int) -> np.ndarray:
    """For each token of the context, the window in which it stands farthest from both ends; int [tokens].

    ``_check_is_max_context`` of run_squad.py: the smaller of the two distances plus 0.01 times the window's length,
    the earlier window where they are equal. The arithmetic is double precision there too, so ties fall alike.
    """
    best = np.full(tokens, -1.0)
    owners = np.zeros(tokens, np.int64)
    for i, (start, end) in enumerate(stretches):
        place = np.arange(end - start)
        score = np.minimum(place, place[::-1]) + 0.01 * (end - start)
        better = score > best[start:end]
        best[start:end][better] = score[better]
        owners[start:end][better] = i
    return owners


def _logits_of(windows: Sequence[Features], outputs: Sequence[Outputs]) -> list[tuple[np.ndarray, np.ndarray]]:
    """``_logits`` of each window."""
    if not windows or len(windows) != len(outputs):
        raise MblError(f"{len(outputs)} outputs for {len(windows)} windows; run the model once for each window")
    return [_logits(window, output) for window, output in zip(windows, outputs, strict=True)]


def _null(logits: Sequence[tuple[np.ndarray, np.ndarray]]) -> Answer:
    """The answer that there is none: the window least convinced of that speaks for all."""
    return Answer("", -1, -1, min(float(start[0] + end[0]) for start, end in logits))


def _logits(window: Features, outputs: Outputs) -> tuple[np.ndarray, np.ndarray]:
    """Start and end logits, float64 [S]."""
    rows = output_row(outputs, "start_logits"), output_row(outputs, "end_logits")
    for name, row in zip(("start_logits", "end_logits"), rows, strict=True):
        if row.shape != window.ids.shape:
            raise MblError(f"output {name!r} is {[1, *row.shape]}; expected [1, {len(window.ids)}] as the inputs")
    return rows


def _spans(window: Features, start: np.ndarray, end: np.ndarray, n_best: int,
           max_answer_tokens: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Legal spans between the ``n_best`` starts and ends: first and last code point (end exclusive), and score."""
    first = np.argsort(-start, kind="stable")[:n_best, None]
    last = np.argsort(-end, kind="stable")[None, :n_best]
    legal = (window.max_context[first] & window.in_text[last] & (first <= last)
             & (last - first < max_answer_tokens))
    i, j = (index[legal] for index in np.broadcast_arrays(first, last))
    return window.offsets[i, 0], window.offsets[j, 1], start[i] + end[j]


def _distinct(context: str, starts: np.ndarray, ends: np.ndarray, scores: np.ndarray, n_best: int,
              null: Answer | None) -> list[Answer]:
    """The ``n_best`` best answers with different texts, and ``null`` in any case."""
    by_text: dict[str, Answer] = {}
    for i in np.argsort(-scores, kind="stable"):
        # A span wins a tie with the null answer.
        if null and "" not in by_text and null.score > scores[i]:
            by_text[""] = null
        if len(by_text) >= n_best:
            break
        text = context[starts[i]:ends[i]]
        by_text.setdefault(text, Answer(text, int(starts[i]), int(ends[i]), float(scores[i])))
    if null:
        by_text.setdefault("", null)
    return list(by_text.values())


def _with_probabilities(answers: list[Answer]) -> list[Answer]:
    scores = np.array([answer.score for answer in answers])
    weights = np.exp(scores - scores.max())
    return [replace(answer, probability=float(p))
            for answer, p in zip(answers, weights / weights.sum(), strict=True)]
