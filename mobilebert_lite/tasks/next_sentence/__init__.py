"""Next-sentence prediction: whether one text follows another."""

from __future__ import annotations

from collections.abc import Sequence

from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import wording
from mobilebert_lite.tasks.base import ReadyModel, outputs_of
from mobilebert_lite.tasks.classification import ClassTask, Label, decode
from mobilebert_lite.text.examples import PairExample, TextExample
from mobilebert_lite.text.features import Features, pack
from mobilebert_lite.text.tokenization import Tokenizer

# In the order of the head's outputs (create_pretraining_data.py of google-research/bert: 1 is a random next).
LABELS = ("is next", "not next")


class NextSentence(ClassTask):
    """Whether the second text follows the first."""

    name = "next-sentence"
    aliases = ("next-sentence-prediction",)
    heads = ("nsp",)
    architecture = "MobileBertForNextSentencePrediction"
    tensorflow1 = True
    example_type = PairExample
    trainable = True
    prompts = ("text", "pair")
    min_length = 5
    purpose = "whether one text follows another"
    texts = wording.TEXTS
    client_kind = "classification"

    def class_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        """``LABELS``, whatever the checkpoint calls its classes."""
        return LABELS

    def features(self, tokenizer: Tokenizer, example: TextExample, length: int) -> list[Features]:
        """One sequence; too long texts are cut, the longer first. Raises DataError without a second text."""
        self._check(example)
        if example.pair is None:
            raise DataError("next-sentence prediction takes two texts; give the second one too (--pair)")
        return [pack(tokenizer, example.text, example.pair, length)]

    def answer(self, model: ReadyModel, example: PairExample) -> list[Label]:
        """``follows``."""
        return follows(model, example.text, example.pair or "")


def follows(model: ReadyModel, text: str, following: str) -> list[Label]:
    """Whether ``following`` comes after ``text``, the more probable answer first."""
    return decode(outputs_of(model, PairExample(text, following)), model.labels, model.task.form)


TASK = NextSentence()
