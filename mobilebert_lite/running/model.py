"""A ``.tflite`` of ours, ready to answer: everything it needs is in the file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.architecture.form import REGRESSION, Form
from mobilebert_lite.common.files import refuse_pointer
from mobilebert_lite.errors import DataError, ModelFileError
from mobilebert_lite.running.isolation.session import IsolatedSession
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tasks import TASKS, Task, masked_lm, multiple_choice, question_answering, token_classification
from mobilebert_lite.tasks.base import Outputs
from mobilebert_lite.tasks.classification import Classification, Label, Number, decode, decode_numbers
from mobilebert_lite.tasks.feature_extraction import FeatureExtraction
from mobilebert_lite.tasks.masked_lm import FillMask, Word
from mobilebert_lite.tasks.multiple_choice import Choice, MultipleChoice
from mobilebert_lite.tasks.next_sentence import NextSentence
from mobilebert_lite.tasks.question_answering import Answer
from mobilebert_lite.tasks.token_classification import Entity, Tagged, TokenClassification
from mobilebert_lite.text.examples import ChoiceExample, PairExample, TextExample
from mobilebert_lite.text.features import Features
from mobilebert_lite.text.tokenization import Tokenizer, parse_vocabulary
from mobilebert_lite.text.tokenizer_settings import TokenizerSettings
from mobilebert_lite.tflite import container as metadata

# No MobileBERT comes near it; a wrong path must not fill the memory.
_LARGEST = 2 << 30
# Of a sequence; arrays of it are made before the file gets a say.
_LENGTH = re.compile("[1-9][0-9]{0,4}")


class Model:
    """A converted model with its vocabulary, labels and lengths."""

    def __init__(self, path: str | Path, threads: int = 1, runtime: str | None = None,
                 tokenizer: str = "reference", content: bytes | None = None, isolated: bool = False) -> None:
        """Read ``path``, or take its ``content`` from elsewhere. ``tokenizer`` is one of tokenization.BEHAVIorS.

        ``isolated`` keeps the interpreter in a process of its own, for files from strangers: one that crashes it, never
        comes to an end or eats the memory is then a ModelFileError and nothing else.

        Raises ModelFileError when it is no ``.tflite`` or not one of ours.
        """
        content = read_tflite(Path(path)) if content is None else content
        try:
            self.provenance = metadata.read_provenance(content)
            self.files = metadata.read_files(content)
        except ModelFileError as error:
            raise ModelFileError(f"{path}: {error}") from None
        self.task = self._task(path)
        self.session = (IsolatedSession if isolated else Session)(content, threads, runtime)
        prefix = f"{self.task.name}_"
        # Length -> signature, the shortest first.
        self.lengths: dict[int, str] = dict(sorted(
            (int(name.removeprefix(prefix)), name) for name in self.session.signatures
            if name.startswith(prefix) and _LENGTH.fullmatch(name.removeprefix(prefix))))
        if not self.lengths:
            raise ModelFileError(f"{path} has no signature {prefix}<length>; it has "
                                 f"{', '.join(self.session.signatures) or 'none'}")
        self.tokenizer = self._tokenizer(path, tokenizer)

    def _task(self, path: str | Path) -> Task:
        task = TASKS.get(str(self.provenance.get("task")))
        if task is None:
            raise ModelFileError(f"{path} does not say which task it is for; only files that `mbl convert` made "
                                 "carry what is needed to run them on text")
        return task.with_form(Form.read(self.provenance.get("form", {})))

    def _tokenizer(self, path: str | Path, behavior: str) -> Tokenizer:
        if metadata.VOCABULARY not in self.files:
            raise ModelFileError(f"{path} carries no vocabulary ({metadata.VOCABULARY})")
        words = parse_vocabulary(self.files[metadata.VOCABULARY])
        try:
            return Tokenizer(words, behavior=behavior, settings=TokenizerSettings.from_provenance(self.provenance))
        except DataError as error:
            raise ModelFileError(f"{path}: {error}") from None

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the outputs; empty when the file carries none."""
        return tuple(self.files.get(metadata.LABELS, b"").decode("utf-8", "replace").splitlines())

    @property
    def longest(self) -> int:
        """The longest sequence the file takes, in tokens."""
        return max(self.lengths)

    def run(self, features: Features) -> tuple[Features, Outputs]:
        """One sequence through the shortest signature that holds it: the sequence as it was read, and the outputs."""
        length = next(length for length in self.lengths if length >= features.length_used)
        features = features.trimmed(length)
        outputs = self.session.run(self.lengths[length], features.inputs())
        self.task.check_outputs(features, outputs, len(self.tokenizer.vocabulary))
        return features, outputs

    def answer(self, question: str, context: str, n_best: int = 20,
               max_answer_tokens: int = question_answering.MAX_ANSWER_TOKENS, null_threshold: float = 0.0,
               stride: int = question_answering.STRIDE, allow_null: bool = True,
               max_query: int = question_answering.MAX_QUERY) -> list[Answer]:
        """Answers in ``context``, the best first; an empty text means that there is none.

        The question is cut to ``max_query`` tokens, which must leave room for the context.
        Raises ModelFileError when the model answers no questions, DataError for empty texts.
        """
        self._expect(question_answering.QuestionAnswering)
        windows = question_answering.windows(self.tokenizer, question, context, self.longest, stride, max_query)
        read = [self.run(window) for window in windows]
        return question_answering.decode([window for window, _ in read], [outputs for _, outputs in read], context,
                                         n_best, max_answer_tokens, null_threshold, allow_null)

    def classify(self, text: str, pair: str | None = None) -> list[Label]:
        """Labels with their probabilities, the most probable first.

        Raises ModelFileError when the model does not classify or predicts numbers, DataError for an empty text.
        """
        self._expect(Classification)
        if self.task.form.problem_type == REGRESSION:
            raise ModelFileError("this model is for regression; ask it for numbers (predict)")
        return decode(self._outputs(TextExample(text, pair)), self.labels, self.task.form)

    def predict(self, text: str, pair: str | None = None) -> list[Number]:
        """The numbers of a regression model. Raises ModelFileError for another, DataError for an empty text."""
        self._expect(Classification)
        if self.task.form.problem_type != REGRESSION:
            raise ModelFileError(f"this model is for {self.task.form.problem_type}; ask it for labels (classify)")
        return decode_numbers(self._outputs(TextExample(text, pair)), self.labels, self.task.form)

    def tag(self, text: str) -> list[Tagged]:
        """Every word of ``text`` with its label. Raises ModelFileError for another model, DataError without words."""
        task = self._expect(TokenClassification)
        read = [self.run(window) for window in task.features(self.tokenizer, TextExample(text), self.longest)]
        return token_classification.tag([window for window, _ in read], [outputs for _, outputs in read],
                                        self.tokenizer, self.labels)

    def entities(self, text: str) -> list[Entity]:
        """What runs of labels name in ``text``, in its order. Raises as ``tag``."""
        return token_classification.entities(text, self.tag(text))

    def fill_mask(self, text: str, pair: str | None = None, top: int = 5) -> list[list[Word]]:
        """For each [MASK] the ``top`` words, the most probable first.

        Raises ModelFileError for another model, DataError for a text without [MASK].
        """
        task = self._expect(FillMask)
        texts = [text] if pair is None else [text, pair]
        mask = self.tokenizer.settings.mask_token
        if not any(mask in one for one in texts):
            raise DataError(f"the text has no {mask}; put one where a word is to be filled in")
        features, outputs = self._run_one(TextExample(text, pair))
        return masked_lm.decode(features, outputs, self.tokenizer, texts, top, task.outputs[0])

    def follows(self, text: str, following: str) -> list[Label]:
        """Whether ``following`` comes after ``text``, the more probable answer first. Raises as ``classify``."""
        self._expect(NextSentence)
        return decode(self._outputs(PairExample(text, following)), self.labels, self.task.form)

    def choose(self, prompt: str, choices: Sequence[str]) -> list[Choice]:
        """The ``choices`` with their probabilities, the most probable first. Raises as ``classify``."""
        self._expect(MultipleChoice)
        return multiple_choice.decode(self._outputs(ChoiceExample(prompt, tuple(choices))), choices, self.task.form)

    def embed(self, text: str, pair: str | None = None) -> dict[str, np.ndarray]:
        """``sequence_output`` float32 [tokens, H] and ``pooled_output`` [H] of a text. Raises as ``classify``."""
        self._expect(FeatureExtraction)
        features, outputs = self._run_one(TextExample(text, pair))
        return {"sequence_output": outputs["sequence_output"][0, :features.length_used],
                "pooled_output": outputs["pooled_output"][0]}

    def _expect(self, kind: type[Task]) -> Task:
        if not isinstance(self.task, kind):
            raise ModelFileError(f"this model is for {self.task.name}, not for {kind.name}")
        return self.task

    def _run_one(self, example: Any) -> tuple[Features, Outputs]:
        [features] = self.task.features(self.tokenizer, example, self.longest)
        return self.run(features)

    def _outputs(self, example: Any) -> Outputs:
        return self._run_one(example)[1]


def read_tflite(path: Path) -> bytes:
    """The bytes of a ``.tflite``, checked as far as they can be without running them (tflite/soundness.py).

    Raises ModelFileError when ``path`` is not one, or a damaged one.
    """
    from mobilebert_lite.tflite.flatbuffer import is_tflite
    from mobilebert_lite.tflite.soundness import check_tflite

    refuse_pointer(path)
    try:
        if path.stat().st_size > _LARGEST:
            raise ModelFileError(f"{path} is larger than {_LARGEST >> 30} GiB; that is no MobileBERT")
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error.strerror}") from None
    if not is_tflite(content):
        raise ModelFileError(f"{path} is not a .tflite file (it does not carry the identifier TFL3)")
    try:
        check_tflite(content)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from None
    return content
