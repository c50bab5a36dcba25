"""Token classification scored by whole entities, as CoNLL-2003."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import judging
from mobilebert_lite.tasks.base import ReadyModel, Task
from mobilebert_lite.tasks.scoring import Prediction, Scorer, ScorerOptions
from mobilebert_lite.tasks.token_classification import chunks, conll, judge
from mobilebert_lite.text.examples import TokenExample

_RIGHT, _ASKED, _GIVEN = range(3)


def make(task: Task, examples: Sequence[TokenExample], labels: Sequence[str], options: ScorerOptions) -> Scorer:
    """Whatever the data."""
    return EntityScorer(options.metric)


class EntityScorer(Scorer):
    """Precision, recall and F1 of entities over all texts together."""

    headlines: ClassVar = {"f1": ("f1",)}
    default = "f1"

    def __init__(self, metric: str | None = None) -> None:
        self.metric = self.choose_metric(metric)

    def check(self, example: TokenExample) -> None:
        """It needs labels."""
        if not example.labels:
            raise DataError(f"example {example.id} has no labels to score against")

    def predict(self, model: ReadyModel, example: TokenExample) -> dict[str, Any]:
        """A label for each word, and how probable it is."""
        labels, probabilities = zip(*conll.tag_words(model, example), strict=True)
        return {"labels": list(labels), "probabilities": list(probabilities)}

    def row(self, example: TokenExample, prediction: Prediction) -> tuple[float, ...]:
        """Entities found rightly, entities there are, entities found."""
        wanted, found = set(chunks(example.labels)), set(chunks(prediction["labels"]))
        return float(len(wanted & found)), float(len(wanted)), float(len(found))

    def metrics(self, rows: np.ndarray) -> dict[str, float]:
        """The keys of ``conll.score``."""
        right, asked, given = (float(value) for value in rows.sum(axis=0))
        return {"precision": 100.0 * right / given if given else 0.0, "recall": 100.0 * right / asked if asked else 0.0,
                "f1": 200.0 * right / (asked + given) if asked + given else 0.0, "entities": int(asked),
                "total": len(rows)}

    def details(self, examples: Sequence[TokenExample], predictions: Sequence[Prediction], rows: np.ndarray, most: int
                ) -> dict[str, Any]:
        """By kind of entity; words by kind; the texts with the most entities missed or made up first."""
        gold, found = [example.labels for example in examples], [one["labels"] for one in predictions]
        table = judge.by_kind(gold, found)
        kinds, wanted, given = judge.kinds_of_words(gold, found)
        sure = [(probability, label == right) for labels, one in zip(gold, predictions, strict=True) for label, right,
                probability in zip(one["labels"], labels, one["probabilities"], strict=True) if probability is not None]
        amiss = rows[:, _ASKED] + rows[:, _GIVEN] - 2 * rows[:, _RIGHT]
        wrong = np.flatnonzero(amiss).tolist()
        errors = [judging.mistake(examples[i], *judge.differing(examples[i].words, gold[i], found[i]),
                                  entities=int(amiss[i])) for i in judging.worst(amiss, wrong, most)]
        return {"classes": table, "averages": judging.averages(table, micro=True),
                "confusion": judging.confusion(wanted, given, kinds) | {"of": "words"},
                "calibration": judging.calibration([one for one, _ in sure], [right for _, right in sure], "words"),
                "wrong": len(wrong), "errors": errors}

    def correct(self, rows: np.ndarray) -> np.ndarray:
        """Every entity found, and no other."""
        right: np.ndarray = (rows[:, _RIGHT] == rows[:, _ASKED]) & (rows[:, _RIGHT] == rows[:, _GIVEN])
        return right

    def answer(self, prediction: Prediction) -> object:
        """The labels."""
        return prediction["labels"]

    def official(self, examples: Sequence[TokenExample], predictions: Sequence[Prediction]) -> str:
        """What ``conlleval`` reads: word, label and predicted label on each line, an empty line after each text.

        Without labels, word and predicted label, as participants of CoNLL's shared tasks hand them in.
        """
        texts = [zip(example.words, *[example.labels] * bool(example.labels), one["labels"], strict=True)
                 for example, one in zip(examples, predictions, strict=True)]
        return "".join("".join(f"{' '.join(row)}\n" for row in text) + "\n" for text in texts)
