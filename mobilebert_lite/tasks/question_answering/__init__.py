"""Extractive question answering: the official SQuAD windows and answers."""

from __future__ import annotations

from typing import ClassVar

from mobilebert_lite.tasks.base import Outputs, ReadyModel, Task
from mobilebert_lite.tasks.question_answering.decoding import (
    MAX_ANSWER_TOKENS,
    NEAR_TIE,
    Answer,
    best_answer,
    best_span,
    contenders,
    decode,
    logits_of_window,
    slack,
)
from mobilebert_lite.tasks.question_answering.windows import (
    MAX_QUERY,
    STRIDE,
    longest_question,
    token_to_orig_map,
    windows,
)
from mobilebert_lite.text.examples import QuestionExample
from mobilebert_lite.text.features import Features
from mobilebert_lite.text.tokenization import Tokenizer

__all__ = ["MAX_ANSWER_TOKENS", "MAX_QUERY", "NEAR_TIE", "STRIDE", "Answer", "QuestionAnswering", "answer",
           "best_answer", "best_span", "contenders", "decode", "longest_question", "slack", "token_to_orig_map",
           "windows"]


class QuestionAnswering(Task):
    """The span of a context that answers a question."""

    name = "qa"
    aliases = ("question-answering",)
    heads = ("qa",)
    architecture = "MobileBertForQuestionAnswering"
    peft = "QUESTION_ANS"
    tensorflow1 = True
    example_type = QuestionExample
    asks = ("question", "context")
    prompts = ("context", "question")
    min_length = 8
    default_length = 384
    outputs = per_token = ("end_logits", "start_logits")
    purpose = "the span of a context that answers a question"
    texts: ClassVar = {"question": "A question, UTF-8.", "context": "The text to find the answer in, UTF-8."}
    trainable = True

    def features(self, tokenizer: Tokenizer, example: QuestionExample, length: int) -> list[Features]:
        """``windows`` of an example."""
        self._check(example)
        return windows(tokenizer, example.question, example.context, length, max_query=longest_question(length))

    def answer(self, model: ReadyModel, example: QuestionExample) -> list[Answer]:
        """``answer``, the question cut to what the model has room for."""
        return answer(model, example.question, example.context, max_query=longest_question(model.longest))

    def describe(self, output: str) -> str:
        """Which end of the answer, and where the other is."""
        which, other = ("last", "start") if output == "end_logits" else ("first", "end")
        return (f"Score of each token as the {which} one of the answer; [CLS] stands for no answer. Logits: their sum "
                f"with {other}_logits ranks spans.")

    def _same(self, features: Features, reference: Outputs, candidate: Outputs) -> bool:
        """The same best span, or one that the reference itself finds as good to within ``NEAR_TIE``."""
        start, end = logits_of_window(features, reference)
        expected, actual = (start[first] + end[last] for first, last in
                            (best_span(features, reference), best_span(features, candidate)))
        return bool(expected - actual <= slack(features, reference))


def answer(model: ReadyModel, question: str, context: str, *, n_best: int = 20,
           max_answer_tokens: int = MAX_ANSWER_TOKENS, null_threshold: float = 0.0, stride: int = STRIDE,
           allow_null: bool = True, max_query: int = MAX_QUERY, whole_words: bool = True) -> list[Answer]:
    """Answers in ``context``, the best first; an empty text means that there is none.

    They are whole words, and none shares a word with a better one; without ``whole_words`` they are cut at the model's
    tokens, and may overlap. The question is cut to ``max_query`` tokens, which must leave room for the context. Raises
    DataError for empty texts.
    """
    found = windows(model.tokenizer, question, context, model.longest, stride=stride, max_query=max_query)
    read = [model.run(window) for window in found]
    return decode([window for window, _ in read], [outputs for _, outputs in read], context,
                  n_best=n_best, max_answer_tokens=max_answer_tokens, null_threshold=null_threshold,
                  allow_null=allow_null, whole_words=whole_words)


TASK = QuestionAnswering()
