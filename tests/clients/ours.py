"""What ``mbl run`` answers, in the terms of the clients."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mobilebert_lite.datasets import evenly, read_examples
from mobilebert_lite.model import Model
from mobilebert_lite.tasks.base import Outputs
from mobilebert_lite.tasks.features import Features
from mobilebert_lite.tasks.question_answering import Answer
from mobilebert_lite.tokenization import Tokenizer

# As the Task Library searches: among five starts and five ends, for 32 tokens (kPredictAnsNum and kMaxAnsLen of
# bert_question_answerer.h), and always for an answer.
TASK_LIBRARY = {"n_best": 5, "max_answer_tokens": 32, "allow_null": False}

Example = tuple[str, ...]
# Label -> probability.
Scores = dict[str, float]


class RememberingModel(Model):
    """A model of one length that runs no sequence twice: most texts are the same tokens for both tokenizers."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, threads=2)
        self._known: dict[bytes, Outputs] = {}

    def run(self, features: Features) -> tuple[Features, Outputs]:
        key = features.ids.tobytes() + features.segment_ids.tobytes()
        if key not in self._known:
            self._known[key] = super().run(features)[1]
        return features, self._known[key]

    def as_(self, tokenizer: str) -> RememberingModel:
        """The same model, and what it remembers, with another tokenizer."""
        other = copy.copy(self)
        other.tokenizer = Tokenizer(self.tokenizer.vocabulary, self.tokenizer.lower_case, tokenizer)
        return other


def best_words(model: Model, example: Example, **options: bool | int) -> tuple[str, float]:
    """The best answer as whole words, joined by single spaces as the Task Library gives it, and its score."""
    question, context = example
    best: Answer = model.answer(question, context, **options)[0]
    if best.is_null:
        return "", best.score
    start = context.rfind(" ", 0, best.start) + 1
    end = context.find(" ", best.end)
    words = context[start:end if end >= 0 else None].split(" ")
    return " ".join(word for word in words if word), best.score


def scores(model: Model, example: Example) -> Scores:
    """The probability of each label, in the order of the outputs."""
    found = {label.name: label.probability for label in model.classify(*example)}
    return {name: found[name] for name in model.labels}


def stacked(model: Model, examples: Sequence[Example]) -> dict[str, np.ndarray]:
    """The inputs of all examples, each of one sequence, for a bare runtime."""
    windows = [model.task.features(model.tokenizer, example, model.longest)[0].inputs() for example in examples]
    return {name: np.stack([one[name] for one in windows]) for name in windows[0]}


def real_texts(shared: Callable[..., Path], task: str, count: int, fits: Callable[[Example], bool]) -> list[Example]:
    """``count`` examples that the model ``fits``: a fifth with characters that tokenizers take differently.

    The rest is of the kind that the checkpoints were trained on.
    """
    squad = [(one.question, one.context) for one in read_examples(shared("data", "squad", "dev-v2.0.json"), "qa")]
    if task == "qa":
        path = shared("checkpoints", "trained", "snips_qa", "snips_qa_test.json")
        plain: list[Example] = [(one.question, one.context) for one in read_examples(path, "qa")]
        odd: list[Example] = squad
    else:
        plain = [(one.text,) for one in read_examples(shared("data", "sst2", "dev.tsv"), "classification")]
        odd = [(question,) for question, _ in squad]
    odd = [example for example in odd if not "".join(example).isascii() and fits(example)]
    some = list(evenly([example for example in plain if fits(example)], count - count // 5))
    return some + list(evenly(odd, count // 5))
