"""Scores of sentence embeddings: similarities against those of people, and searches for documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import glue
from mobilebert_lite.tasks.base import ReadyModel, Task
from mobilebert_lite.tasks.classification.numbers import RegressionScorer
from mobilebert_lite.tasks.embedding import cosines, embed, similarity
from mobilebert_lite.tasks.embedding.retrieval import QueryExample, corpus_of, measures, ranks_of
from mobilebert_lite.tasks.scoring import Prediction, Scorer, ScorerOptions
from mobilebert_lite.text.examples import TextExample

# Documents of a ranking that are written down.
_SHOWN = 100


def make(task: Task, examples: Sequence[TextExample], labels: Sequence[str], options: ScorerOptions) -> Scorer:
    """A retrieval where there are queries, else pairs with a score."""
    if any(isinstance(example, QueryExample) for example in examples):
        return RetrievalScorer(corpus_of(examples), options.metric)
    return SimilarityScorer(options.metric)


class SimilarityScorer(RegressionScorer):
    """Correlation of the cosines with the scores of people, whatever the scale of these (STS)."""

    headlines: ClassVar = {"spearman": ("spearman",), "pearson": ("pearson",), "stsb": glue.TASKS["stsb"]}
    default = "spearman"

    def check(self, example: TextExample) -> None:
        """It needs two texts and a number."""
        if example.pair is None:
            raise DataError(f"example {example.id} has one text; scoring similarities takes pairs with a score "
                            "(sentence1, sentence2, score), or queries (query, positives)")
        super().check(example)

    def predict(self, model: ReadyModel, example: TextExample) -> dict[str, Any]:
        """The cosine."""
        return {"value": similarity(model, example.text, example.pair or "")}

    def metrics(self, rows: np.ndarray) -> dict[str, float]:
        """Correlations in percent."""
        gold, predicted = rows.T
        return {"pearson": glue.pearson(gold, predicted), "spearman": glue.spearman(gold, predicted),
                "total": len(rows)}

    def answer(self, prediction: Prediction) -> object:
        """The cosine to two decimals."""
        return round(prediction["value"], 2)


class RetrievalScorer(Scorer):
    """For each query all documents of the file, ranked by their cosine.

    Every process embeds the documents once, before its first query.
    """

    headlines: ClassVar = {name: (name,) for name in measures([1])}
    default = "ndcg@10"

    def __init__(self, corpus: Sequence[str], metric: str | None = None) -> None:
        """``corpus`` is what is searched."""
        self.corpus = tuple(corpus)
        self.metric = self.choose_metric(metric)
        self._vectors: np.ndarray | None = None

    def asked(self, examples: Sequence[TextExample]) -> list[TextExample]:
        """The queries; other texts are documents."""
        return [example for example in examples if isinstance(example, QueryExample)]

    def check(self, example: QueryExample) -> None:
        """Reading has checked it."""

    def has_label(self, example: QueryExample) -> bool:
        """What answers it."""
        return bool(example.positives)

    def predict(self, model: ReadyModel, example: QueryExample) -> dict[str, Any]:
        """``ranks`` of the documents that answer the query, and the numbers of the best documents with their cosines.
        """
        if self._vectors is None:
            self._vectors = embed(model, self.corpus)
        scores = cosines(embed(model, [example.text]), self._vectors)[0]
        place = {text: i for i, text in enumerate(self.corpus)}
        best = np.argsort(-scores, kind="stable")[:_SHOWN]
        return {"ranks": ranks_of([place[text] for text in example.positives], scores),
                "documents": best.tolist(), "scores": [round(float(scores[i]), 6) for i in best]}

    def row(self, example: QueryExample, prediction: Prediction) -> tuple[float, ...]:
        """The measures of its ranking."""
        return tuple(measures(prediction["ranks"]).values())

    def metrics(self, rows: np.ndarray) -> dict[str, float]:
        """Means over the queries, in percent."""
        means = {name: 100.0 * float(value) for name, value in zip(self.headlines, rows.mean(axis=0), strict=True)}
        return {**means, "documents": len(self.corpus), "total": len(rows)}

    def correct(self, rows: np.ndarray) -> np.ndarray | None:
        """The first document answers the query."""
        right: np.ndarray = rows[:, list(self.headlines).index("mrr")] == 1.0
        return right

    def answer(self, prediction: Prediction) -> object:
        """The best document."""
        return prediction["documents"][0]

    def official(self, examples: Sequence[QueryExample], predictions: Sequence[Prediction]) -> str:
        """TREC's run format: query, Q0, document, rank, score, name of the run. Documents have their numbers from 0, in
        the order of the file."""
        return "".join(f"{example.id} Q0 {document} {rank} {score:.6f} mbl\n"
                       for example, prediction in zip(examples, predictions, strict=True)
                       for rank, (document, score) in enumerate(
                           zip(prediction["documents"], prediction["scores"], strict=True), 1))
