"""What ``mbl run`` answers, in the terms of the clients, and the texts it is asked."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.datasets.reading import QuestionExample, TextExample, evenly, read_examples
from mobilebert_lite.running.model import Model
from mobilebert_lite.tasks import classification, question_answering
from mobilebert_lite.tasks.base import Outputs
from mobilebert_lite.text.features import Features
from mobilebert_lite.text.tokenization import Tokenizer

# (text) or (question, context).
Example = tuple[str, ...]
# (start, end), or nothing where a client does not say it.
Place = tuple[int, ...]
# A text or a label, and where it stands.
Choice = tuple[str, Place]


@dataclass(frozen=True)
class Answer:
    """What a user is told, and how good that and its alternatives are."""

    best: str
    # Answer or label → logit sum or probability.
    scores: Mapping[str, float]
    # What ties with it (tasks.*.NEAR_TIE): how much worse it is, as a share of what its scores span.
    ties: Mapping[Choice, float]
    # Where it stands in the context, in code points; nowhere for a label.
    place: Place = ()


class RememberingModel(Model):
    """A model that runs no sequence twice: most texts are the same tokens for both tokenizers."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, threads=2)
        self._known: dict[bytes, Outputs] = {}

    def run(self, features: Features) -> tuple[Features, Outputs]:
        """As ``Model.run``, at the longest length: that is where clients run."""
        key = features.ids.tobytes() + features.segment_ids.tobytes()
        if key not in self._known:
            self._known[key] = self.session.run(self.lengths[self.longest], features.inputs())
        return features, self._known[key]

    def features(self, example: Example) -> list[Features]:
        """The sequences of an example, as ``mbl run`` makes them."""
        if self.task.name == "qa":
            return self.task.features(self.tokenizer, QuestionExample("", *example), self.longest)
        return self.task.features(self.tokenizer, TextExample(*example), self.longest)

    def tokens(self, example: Example) -> list[list[int]]:
        """Ids of each text."""
        return [part.ids for part in self.tokenizer.encode_batch(example)]

    def as_(self, tokenizer: str) -> RememberingModel:
        """The same model, and what it remembers, with another tokenizer."""
        other = copy.copy(self)
        other.tokenizer = Tokenizer(self.tokenizer.vocabulary, behavior=tokenizer, settings=self.tokenizer.settings)
        return other

    def best(self, example: Example, options: Mapping[str, Any]) -> Answer:
        """What ``mbl run`` prints; ``options`` are for questions."""
        if self.task.name != "qa":
            return _labels(self.classify(*example))
        windows = self.features(example)
        return _answers(example, windows, [self.run(window)[1] for window in windows], **options)


def decoded(model: RememberingModel, features: Features, example: Example, outputs: Outputs) -> Answer:
    """What ``mbl run`` would print if the network had given ``outputs``."""
    if model.task.name != "qa":
        return _labels(classification.decode(outputs, model.labels, model.task.form))
    return _answers(example, [features], [outputs])


def _labels(labels: Sequence[classification.Label]) -> Answer:
    gaps = {(label.name, ()): labels[0].probability - label.probability for label in labels}
    return Answer(labels[0].name, {label.name: label.probability for label in labels},
                  {choice: gap for choice, gap in gaps.items() if gap <= classification.NEAR_TIE})


def _answers(example: Example, windows: Sequence[Features], outputs: Sequence[Outputs], n_best: int = 20,
             **options: Any) -> Answer:
    context = example[1]
    answers = question_answering.decode(windows, outputs, context, n_best=n_best, **options)
    tied = question_answering.contenders(windows, outputs, context, **options)
    scores: dict[str, float] = {}
    for answer in answers:
        scores.setdefault(whole_words(context, answer), answer.score)
    spans = max(map(question_answering.slack, windows, outputs)) / question_answering.NEAR_TIE
    gaps: dict[Choice, float] = {}
    for answer in tied:
        gaps.setdefault((whole_words(context, answer), (answer.start, answer.end)),
                        (tied[0].score - answer.score) / spans)
    return Answer(whole_words(context, answers[0]), scores, gaps, (answers[0].start, answers[0].end))


def whole_words(context: str, answer: question_answering.Answer) -> str:
    """The answer with the words it begins and ends in, single spaces between them: so the Task Library gives it."""
    if answer.is_null:
        return ""
    start, end = context.rfind(" ", 0, answer.start) + 1, context.find(" ", answer.end)
    words = context[start:end if end >= 0 else None].split(" ")
    return " ".join(word for word in words if word)


def stacked(model: RememberingModel, examples: Sequence[Example]) -> dict[str, np.ndarray]:
    """The inputs of all examples, each of one sequence, for a bare runtime; the first axis is the examples."""
    each = [model.features(example)[0].inputs() for example in examples]
    return {name: np.stack([one[name] for one in each]) for name in each[0]}


def real_texts(shared: Callable[..., Path], kind: str, count: int, fits: Callable[[Example], bool]) -> list[Example]:
    """``count`` examples, all of which ``fits``.

    Four fifths are of the ``kind`` that the checkpoint was trained on (qa, sst2, intents), one fifth of SQuAD with
    characters beyond ASCII, which tokenizers take differently.
    """
    squad = [(one.question, one.context) for one in read_examples(shared("data", "squad", "dev-v2.0.json"), "qa")]
    if kind == "qa":
        path = shared("checkpoints", "trained", "snips_qa", "snips_qa_test.json")
        plain: list[Example] = [(one.question, one.context) for one in read_examples(path, "qa")]
        # Sentences: the checkpoint knows no more than 47 positions.
        odd: list[Example] = [(question, f"{sentence}.") for question, context in squad
                              for sentence in context.split(". ") if not sentence.isascii()]
    else:
        plain = ([(one.text,) for one in read_examples(shared("data", "sst2", "dev.tsv"), "classification")]
                 if kind == "sst2" else
                 [(line.strip(),) for line in shared("data", "snips", "test.seq.in").read_text("utf-8").splitlines()])
        odd = [(question,) for question, _ in squad if not question.isascii()]
    some = count // 5
    found = [*_fitting(plain, count - some, fits), *_fitting(odd, some, fits)]
    assert len(found) >= count - 8  # of such questions SQuAD has 35
    return found


def _fitting(examples: Sequence[Example], count: int, fits: Callable[[Example], bool]) -> Sequence[Example]:
    return evenly([example for example in evenly(examples, 4 * count) if fits(example)], count)
