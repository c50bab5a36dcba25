"""Reports of evaluations without models: known answers of every kind of scorer, judged as `mbl eval` judges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilebert_lite.evaluation.languages import by_language
from mobilebert_lite.tasks.classification.numbers import MultiLabelScorer, OneClassScorer, RegressionScorer
from mobilebert_lite.tasks.classification.one_class import ClassificationScorer
from mobilebert_lite.tasks.masked_lm.scorer import MaskedScorer
from mobilebert_lite.tasks.multiple_choice.scorer import ChoiceScorer
from mobilebert_lite.tasks.question_answering.scorer import QuestionAnsweringScorer
from mobilebert_lite.tasks.scoring import Prediction, Scorer
from mobilebert_lite.tasks.token_classification.scorer import EntityScorer
from mobilebert_lite.text.examples import ChoiceExample, QuestionExample, TextExample, TokenExample

Judged = tuple[Scorer, Sequence[Any], Sequence[Prediction]]
# Texts that do their worst to a page and to 80 columns.
LONG = "a text with 漢字 and <b>markup</b> & many, many words " * 5


def classes(count: int = 3, rows: int = 60, name: str = "class") -> Judged:
    """``count`` classes, of which the model gets about two thirds of the texts right; languages by turns."""
    rng = np.random.default_rng(count)
    names = [f"{name} {i}" for i in range(count)]
    examples, predictions = [], []
    for i in range(rows):
        gold = int(rng.integers(count))
        found = gold if rng.random() < 0.67 else int(rng.integers(count))
        examples.append(TextExample(f"{LONG} {i}", label=names[gold], id=str(i), language=("de", "en", "sw")[i % 3]))
        predictions.append({"label": names[found], "probability": float(rng.uniform(1 / count, 1))})
    return ClassificationScorer(names), examples, predictions


def one_class() -> Judged:
    """A class that holds or not."""
    pairs = [("1", 0.9), ("rude", 0.2), ("", 0.6), ("0", 0.1)]
    return (OneClassScorer(("rude",)), [TextExample("a", label=label, id=str(i)) for i, (label, _) in enumerate(pairs)],
            [{"label": str(int(value >= 0.5)), "probability": value} for _, value in pairs])


def several() -> Judged:
    """Several classes at once."""
    rows = [("x, y", [0.9, 0.2]), ("x", [0.8, 0.1]), ("", [0.3, 0.7]), ("y", [0.4, 0.6])]
    found = [{"labels": [name for name, value in zip("xy", values, strict=True) if value >= 0.5],
              "probabilities": values} for _, values in rows]
    return (MultiLabelScorer(("x", "y")), [TextExample(LONG, label=label, id=str(i)) for i, (label, _) in
                                           enumerate(rows)], found)


def numbers() -> Judged:
    """Numbers, off by up to 2."""
    rng = np.random.default_rng(1)
    gold = rng.uniform(0, 5, 40)
    return (RegressionScorer(), [TextExample(LONG, "a pair", f"{value:.3f}", str(i)) for i, value in enumerate(gold)],
            [{"value": float(value)} for value in gold + rng.uniform(-2, 2, 40)])


def entities() -> Judged:
    """An entity found, one of the wrong kind, one cut short, one made up."""
    rows = [("B-city I-city O O", "B-city I-city O O"), ("B-city O O O", "B-date O O O"),
            ("O B-date I-date O", "O B-date O O"), ("O O O O", "O O O B-city")]
    examples = [TokenExample(tuple("abcd"), tuple(gold.split()), str(i)) for i, (gold, _) in enumerate(rows)]
    return EntityScorer(), examples, [{"labels": found.split(), "probabilities": [0.9, 0.8, None, 0.7]}
                                      for _, found in rows]


def questions(rules: str = "2.0") -> Judged:
    """Questions with and without an answer, answered and not."""
    rows = [("nine", "nine", 0.9), ("at nine", "nine o'clock", 0.8), ("", "ten", 0.7), ("", "", 0.6), ("six", "", 0.5)]
    rows = [row for row in rows if rules == "2.0" or (row[0] and row[1])]
    examples = [QuestionExample(f"q{i}", "when?", LONG, (gold,) if gold else (), (0,) if gold else (), not gold)
                for i, (gold, _, _) in enumerate(rows)]
    return QuestionAnsweringScorer(rules), examples, [{"text": found, "span": found or "ten", "null_odds": 0.5 - sure,
                                                       "probability": sure} for _, found, sure in rows]


def choices() -> Judged:
    """Three choices."""
    examples = [ChoiceExample("how?", ("so", "thus", LONG), i % 3, str(i)) for i in range(6)]
    return ChoiceScorer(), examples, [{"choice": (i + i // 4) % 3, "probability": 0.4 + i / 10} for i in range(6)]


def words() -> Judged:
    """Masked words."""
    examples = [TextExample("it was [MASK]-less", id="0"), TextExample("twice", id="1")]
    return MaskedScorer(), examples, [
        {"words": [5, 6], "likelihood": [-0.1, -2.0], "better": [0, 3], "best": [5, 9], "probabilities": [0.9, 0.4],
         "spelled": [["sun", "sea"], ["sun", "sky"]]},
        {"words": [7], "likelihood": [-0.5], "better": [0], "best": [7], "probabilities": [0.6],
         "spelled": [["day"], ["day"]]}]


KINDS: dict[str, Judged] = {
    "classes": classes(), "many classes": classes(60, 400, "a class with a long name, that of " * 3),
    "one": one_class(), "several": several(), "numbers": numbers(), "entities": entities(), "questions": questions(),
    "questions with answers": questions("1.1"), "choices": choices(), "words": words()}


def details(kind: str, most: int = 20) -> dict[str, Any]:
    """What stands behind the scores of one of KINDS."""
    scorer, examples, predictions = KINDS[kind]
    rows = np.array([scorer.row(*pair) for pair in zip(examples, predictions, strict=True)])
    return scorer.details(examples, predictions, rows, most)


def make_report(kind: str, name: str = "model.tflite") -> dict[str, Any]:
    """One of KINDS as `mbl eval` reports it, with times that are made up."""
    scorer, examples, predictions = KINDS[kind]
    rows = np.array([scorer.row(*pair) for pair in zip(examples, predictions, strict=True)])
    value = scorer.score(rows)
    languages = by_language(examples, rows, scorer)
    return {
        "toolkit": "mobilebert-lite", "model": {"name": name, "sha256": "0" * 64, "bytes": 26_000_000, "task": kind},
        "data": {"name": "data.csv", "sha256": "1" * 64, "examples": len(examples), "of": len(examples)},
        "cut": 0,
        "options": {"metric": None, "stride": 128, "tokenizer": "reference"},
        "metrics": scorer.metrics(rows),
        "score": {"metric": scorer.metric, "value": value, "low": value - 3, "high": value + 3, "confidence": 0.95,
                  "method": "percentile bootstrap, 1000 resamples, seed 0"},
        **({} if languages is None else {"languages": languages}), "details": details(kind),
        "timing": {"inference_ms": {"p50": 9.5, "p90": 10.0, "p99": 11.0}, "threads": 2, "workers": 1}}
