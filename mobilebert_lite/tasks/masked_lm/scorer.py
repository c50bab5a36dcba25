"""Masked language modeling scored on words of the text itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from mobilebert_lite.tasks import judging
from mobilebert_lite.tasks.base import ReadyModel, Task
from mobilebert_lite.tasks.masked_lm import MASK, mask_logits, refuse_open
from mobilebert_lite.tasks.scoring import Prediction, Scorer, ScorerOptions
from mobilebert_lite.text.examples import TextExample
from mobilebert_lite.text.features import pack

# The other words that a right one may stand among.
TOP = 5


def make(task: Task, examples: Sequence[TextExample], labels: Sequence[str], options: ScorerOptions) -> Scorer:
    """Whatever the data."""
    return MaskedScorer(options.metric)


class MaskedScorer(Scorer):
    """One word in seven is masked: how often it is the model's first, or among the first ``TOP``, and perplexity."""

    headlines: ClassVar = {name: (name,) for name in ("top1", "top5")}
    default = "top1"

    def __init__(self, metric: str | None = None) -> None:
        self.metric = self.choose_metric(metric)

    def has_label(self, example: TextExample) -> bool:
        """The words of a text are its labels."""
        return True

    def check(self, example: TextExample) -> None:
        """It must say what its words are."""
        refuse_open(example, MASK)

    def predict(self, model: ReadyModel, example: TextExample) -> dict[str, Any]:
        """For each masked word the log-likelihood in nats, and how many words the model finds better."""
        refuse_open(example, model.tokenizer.settings.mask_token)
        [masked] = model.task.features(model.tokenizer, example, model.longest)
        whole = pack(model.tokenizer, example.text, example.pair, model.longest)
        read, outputs = model.run(masked)
        logits = mask_logits(read, outputs, model.task.outputs[0])
        words = whole.ids[read.masked]
        right = logits[np.arange(len(words)), words]
        most = logits.max(axis=-1)
        total = np.log(np.exp(logits - most[:, None]).sum(axis=-1))
        best = logits.argmax(axis=-1).tolist()
        return {"words": words.tolist(), "likelihood": (right - most - total).tolist(),
                "better": (logits > right[:, None]).sum(axis=-1).tolist(), "best": best,
                "probabilities": np.exp(-total).tolist(),
                "spelled": [model.tokenizer.words(words.tolist()), model.tokenizer.words(best)]}

    def row(self, example: TextExample, prediction: Prediction) -> tuple[float, ...]:
        """Log-likelihood, words, words that are the first and among the first."""
        better = np.array(prediction["better"])
        return (float(np.sum(prediction["likelihood"])), float(len(better)), float(np.sum(better < 1)),
                float(np.sum(better < TOP)))

    def metrics(self, rows: np.ndarray) -> dict[str, float]:
        """Over all words together; perplexity is e to the mean negative log-likelihood."""
        likelihood, words, first, among = (float(value) for value in rows.sum(axis=0))
        return {"top1": 100.0 * first / words, "top5": 100.0 * among / words,
                "perplexity": float(np.exp(-likelihood / words)), "words": int(words), "total": len(rows)}

    def details(self, examples: Sequence[TextExample], predictions: Sequence[Prediction], rows: np.ndarray, most: int
                ) -> dict[str, Any]:
        """The texts whose words the model finds least probable; calibration of its first words."""
        wrong = np.flatnonzero(rows[:, 2] != rows[:, 1]).tolist()
        loss = -rows[:, 0] / np.maximum(rows[:, 1], 1)
        errors = [judging.mistake(examples[i], *(" ".join(words) for words in predictions[i]["spelled"]),
                                  loss=float(loss[i])) for i in judging.worst(loss, wrong, most)]
        sure = [value for one in predictions for value in one["probabilities"]]
        right = [value < 1 for one in predictions for value in one["better"]]
        return {"calibration": judging.calibration(sure, right, "masked words"), "wrong": len(wrong), "errors": errors}

    def correct(self, rows: np.ndarray) -> np.ndarray:
        """Every word the first."""
        right: np.ndarray = rows[:, 2] == rows[:, 1]
        return right

    def answer(self, prediction: Prediction) -> object:
        """The first words."""
        return prediction["best"]

    def official(self, examples: Sequence[TextExample], predictions: Sequence[Prediction]) -> str:
        """There is no such form; an object a line, ids as the vocabulary counts them."""
        return "".join(json.dumps({"words": one["words"], "best": one["best"]}) + "\n" for one in predictions)
