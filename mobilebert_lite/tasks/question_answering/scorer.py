"""Question answering scored as SQuAD 1.1 and 2.0 do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from mobilebert_lite.tasks import judging
from mobilebert_lite.tasks.base import ReadyModel, Task
from mobilebert_lite.tasks.question_answering import answer, longest_question, squad
from mobilebert_lite.tasks.scoring import Prediction, Scorer, ScorerOptions
from mobilebert_lite.text.examples import QuestionExample

# Columns of a row.
_ANSWERABLE, _EXACT, _F1, _SPAN_EXACT, _SPAN_F1, _NULL_ODDS, _ANSWERED = range(7)


def make(task: Task, examples: Sequence[QuestionExample], labels: Sequence[str], options: ScorerOptions) -> Scorer:
    """By the rules that ``examples`` need; without labels a question may be left open unless ``no_null`` says not."""
    labeled = any(map(_has_label, examples))
    rules = squad.rules_for(examples) if labeled else "1.1" if options.no_null else "2.0"
    return QuestionAnsweringScorer(rules, options.metric, options.stride,
                                   options.max_answer_tokens, options.null_threshold,
                                   whole_words=not options.word_pieces)


class QuestionAnsweringScorer(Scorer):
    """Exact match and F1, and for sets with impossible questions the threshold that would be best."""

    headlines: ClassVar = {"f1": ("f1",), "exact": ("exact",)}
    default = "f1"

    def __init__(self, rules: str, metric: str | None = None, stride: int = 128, max_answer_tokens: int = 30,
                 null_threshold: float = 0.0, *, whole_words: bool = True) -> None:
        """``rules`` are those of SQuAD ("1.1" or "2.0"); only by those of 2.0 a model may leave a question open."""
        self.rules, self.stride = rules, stride
        self.max_answer_tokens, self.null_threshold = max_answer_tokens, null_threshold
        self.whole_words = whole_words
        self.metric = self.choose_metric(metric)

    def has_label(self, example: QuestionExample) -> bool:
        """Answers, or that there are none."""
        return _has_label(example)

    def check(self, example: QuestionExample) -> None:
        """It needs answers, or to be known to have none."""
        squad.check_labeled(example)

    def predict(self, model: ReadyModel, example: QuestionExample) -> dict[str, Any]:
        """The answer; the best span even where the null answer won, and by how much."""
        answers = answer(model, example.question, example.context, max_answer_tokens=self.max_answer_tokens,
                         null_threshold=self.null_threshold, stride=self.stride, allow_null=self.rules == "2.0",
                         max_query=longest_question(model.longest), whole_words=self.whole_words)
        null = next((answer for answer in answers if answer.is_null), None)
        spans = [answer for answer in answers if not answer.is_null]
        best = max(spans, key=lambda answer: answer.score, default=None)
        odds = null.score - best.score if null and best else None
        return {"text": answers[0].text, "span": best.text if best else "", "null_odds": odds,
                "probability": answers[0].probability}

    def row(self, example: QuestionExample, prediction: Prediction) -> tuple[float, ...]:
        """See the columns above."""
        scores = [measure(prediction[key], example.answers, self.rules) for key in ("text", "span")
                  for measure in (squad.exact_match, squad.f1)]
        odds = prediction["null_odds"]
        # Without a legal span the null answer is all there is.
        return (float(not example.is_impossible), *scores, np.inf if odds is None else odds,
                float(prediction["span"] != ""))

    def metrics(self, rows: np.ndarray) -> dict[str, float]:
        """The keys of the official scripts."""
        result = squad.summarize(rows[:, :_F1 + 1])
        if self.rules == "2.0":
            for key, column in (("exact", _SPAN_EXACT), ("f1", _SPAN_F1)):
                result[f"best_{key}"], result[f"best_{key}_thresh"] = squad.best_threshold(
                    rows[:, column], rows[:, _ANSWERABLE] == 1, rows[:, _ANSWERED] == 1, rows[:, _NULL_ODDS])
        return result

    def score(self, rows: np.ndarray) -> float:
        """The metric alone: an interval takes a thousand of them."""
        return 100.0 * float(rows[:, _EXACT if self.metric == "exact" else _F1].sum()) / len(rows)

    def details(self, examples: Sequence[QuestionExample], predictions: Sequence[Prediction], rows: np.ndarray,
                most: int) -> dict[str, Any]:
        """Questions with and without an answer; the errors that share the fewest words, then the surest, first."""
        sure = np.array([one["probability"] for one in predictions], np.float64)
        wrong = np.flatnonzero(rows[:, _EXACT] != 1).tolist()
        errors = [judging.mistake(examples[i], " | ".join(dict.fromkeys(examples[i].answers)) or "(no answer)",
                                  predictions[i]["text"] or "(no answer)", f1=100 * rows[i, _F1],
                                  confidence=100 * sure[i])
                  for i in judging.worst(sure / 2 - rows[:, _F1], wrong, most)]
        found = {"calibration": judging.calibration(sure, rows[:, _EXACT], "answers (exact matches)"),
                 "wrong": len(wrong), "errors": errors}
        if self.rules != "2.0":
            return found
        gold = rows[:, _ANSWERABLE].astype(np.int64)
        given = np.array([bool(one["text"]) for one in predictions], np.int64)
        names = ("no answer", "an answer")
        table = judging.classes(gold, given, names)
        groups = [{"name": name, "examples": int(those.sum()), "exact": 100 * float(rows[those, _EXACT].mean()),
                   "f1": 100 * float(rows[those, _F1].mean())}
                  for name, those in (("answerable", gold == 1), ("unanswerable", gold == 0)) if those.any()]
        return {"groups": groups, "classes": table, "averages": judging.averages(table, micro=False),
                "confusion": judging.confusion(gold, given, names), **found}

    def correct(self, rows: np.ndarray) -> np.ndarray:
        """Exact matches."""
        right: np.ndarray = rows[:, _EXACT] == 1
        return right

    def answer(self, prediction: Prediction) -> object:
        """The text."""
        return prediction["text"]

    def official(self, examples: Sequence[QuestionExample], predictions: Sequence[Prediction]) -> str:
        """``predictions.json`` of run_squad.py: an object from the question's id to the text."""
        return json.dumps({example.id: prediction["text"]
                           for example, prediction in zip(examples, predictions, strict=True)},
                          indent=1, ensure_ascii=False) + "\n"


def _has_label(example: QuestionExample) -> bool:
    return bool(example.answers) or example.is_impossible
