"""A ``.tflite`` of ours, ready to answer: everything it needs is in the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.common.files import refuse_pointer
from mobilebert_lite.errors import DataError, ModelFileError
from mobilebert_lite.running.isolation.session import IsolatedSession
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tasks import (
    TASKS,
    Task,
    classification,
    embedding,
    feature_extraction,
    masked_lm,
    multiple_choice,
    next_sentence,
    question_answering,
    token_classification,
)
from mobilebert_lite.tasks.base import Outputs
from mobilebert_lite.tasks.classification import Label, Number, zero_shot
from mobilebert_lite.tasks.hypotheses import TEMPLATE, ZeroShot
from mobilebert_lite.tasks.masked_lm import Word
from mobilebert_lite.tasks.multiple_choice import Choice
from mobilebert_lite.tasks.question_answering import Answer
from mobilebert_lite.tasks.token_classification import Entity, Tagged
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

    def __init__(self, path: str | Path, threads: int = 1, *, runtime: str | None = None,
                 tokenizer: str = "reference", content: bytes | None = None, isolated: bool = False,
                 session: Callable[[bytes], Session] | None = None) -> None:
        """Read ``path``, or take its ``content`` from elsewhere. ``tokenizer`` is one of tokenization.BEHAVIORS.

        ``isolated`` keeps the interpreter in a process of its own, for files from strangers: one that crashes it, never
        comes to an end or eats the memory is then a ModelFileError and nothing else. ``session`` opens the file in
        another way, such as in the simulator of an NPU (npu.session.opener).

        Raises ModelFileError when it is no ``.tflite`` or not one of ours.
        """
        content = read_tflite(Path(path)) if content is None else content
        try:
            self.provenance = metadata.read_provenance(content)
            self.files = metadata.read_files(content)
        except ModelFileError as error:
            raise ModelFileError(f"{path}: {error}") from None
        self.task = self._task(path)
        self._opened = path, threads, runtime, tokenizer, isolated, session
        self._content = content
        self.session = self._open(session)
        prefix = f"{self.task.name}_"
        # Length -> signature, the shortest first.
        self.lengths: dict[int, str] = dict(sorted(
            (int(name.removeprefix(prefix)), name) for name in self.session.signatures
            if name.startswith(prefix) and _LENGTH.fullmatch(name.removeprefix(prefix))))
        if not self.lengths:
            raise ModelFileError(f"{path} has no signature {prefix}<length>; it has "
                                 f"{', '.join(self.session.signatures) or 'none'}")
        self._check_labels(path)
        self.tokenizer = self._tokenizer(path, tokenizer)
        self._cut = False

    def _open(self, session: Callable[[bytes], Session] | None) -> Session:
        path, threads, runtime, _, isolated, _ = self._opened
        if session is not None:
            return session(self._content)
        if soc := self.provenance.get("npu", {}).get("soc"):
            raise ModelFileError(f"{path} is compiled for the NPU of {soc}, which no CPU can run; its simulator runs "
                                 f"it (--npu {soc})")
        return (IsolatedSession if isolated else Session)(self._content, threads, runtime)

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

    def _check_labels(self, path: str | Path) -> None:
        """Raise ModelFileError where the file carries another number of labels than its graph has classes."""
        if not self.task.has_labels or not self.labels:
            return
        classes = metadata.last_axis(self._content, self.lengths[self.longest])
        if classes is not None and len(self.labels) != classes:
            raise ModelFileError(f"{path} carries {len(self.labels):,} labels ({metadata.LABELS}) for {classes:,} "
                                 "outputs; it must be one for each. Put the right ones in with `mbl inspect --fix FILE "
                                 "--labels LABELS`")

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the outputs; empty when the file carries none."""
        return tuple(self.files.get(metadata.LABELS, b"").decode("utf-8", "replace").splitlines())

    @cached_property
    def with_logits(self) -> Model:
        """The same model, with logits in place of the probabilities of a softmax; itself where its graph has none."""
        from mobilebert_lite.tflite.logits import expose_logits

        content = None if self.task.form.logits else expose_logits(self._content)
        if content is None:
            return self
        path, threads, runtime, tokenizer, isolated, session = self._opened
        return Model(path, threads, runtime=runtime, tokenizer=tokenizer, content=content, isolated=isolated,
                     session=session)

    @property
    def longest(self) -> int:
        """The longest sequence the file takes, in tokens."""
        return max(self.lengths)

    def run(self, features: Features) -> tuple[Features, Outputs]:
        """One sequence through the shortest signature that holds it: the sequence as it was read, and the outputs."""
        length = next(length for length in self.lengths if length >= features.length_used)
        features = features.trimmed(length)
        self._cut |= features.cut
        outputs = self.session.run(self.lengths[length], features.inputs())
        self.task.check_outputs(features, outputs, len(self.tokenizer.vocabulary))
        return features, outputs

    def take_cut(self) -> bool:
        """Whether a text that was read since the last call was cut because no signature is long enough for it."""
        taken, self._cut = self._cut, False
        return taken

    def ask(self, example: Any) -> Any:
        """What the model says to an example of its task (``task.example_type``), as the methods below for theirs."""
        return self.task.answer(self, example)

    def answer(self, question: str, context: str, *, n_best: int = 20,
               max_answer_tokens: int = question_answering.MAX_ANSWER_TOKENS, null_threshold: float = 0.0,
               stride: int = question_answering.STRIDE, allow_null: bool = True,
               max_query: int = question_answering.MAX_QUERY, whole_words: bool = True) -> list[Answer]:
        """Answers in ``context``, the best first; an empty text means that there is none.

        Answers are whole words, and none shares a word with a better one; without ``whole_words`` they are cut at the
        model's tokens, and may overlap. The question is cut to ``max_query`` tokens, which must leave room for the
        context.
        Raises ModelFileError when the model answers no questions, DataError for empty texts.
        """
        self._expect(question_answering.QuestionAnswering)
        return question_answering.answer(self, question, context, n_best=n_best,
                                         max_answer_tokens=max_answer_tokens, null_threshold=null_threshold,
                                         stride=stride, allow_null=allow_null, max_query=max_query,
                                         whole_words=whole_words)

    def classify(self, text: str, pair: str | None = None) -> list[Label]:
        """Labels with their probabilities, the most probable first.

        Raises ModelFileError when the model does not classify or predicts numbers, DataError for an empty text.
        """
        self._expect(classification.Classification)
        return classification.classify(self, text, pair)

    def zero_shot(self, text: str, labels: Sequence[str], *, template: str = TEMPLATE,
                  multi_label: bool = False, entailment: str | None = None, contradiction: str | None = None
                  ) -> list[Label]:
        """``labels`` that the model was not trained for, with their probabilities, the most probable first.

        For models of natural-language inference; see hypotheses.ZeroShot. Raises ModelFileError for another model,
        RequestError for labels or a template that cannot be used, or where the model's classes do not say which of them
        is entailment, DataError for an empty text.
        """
        asked = ZeroShot(tuple(labels), template, multi_label, entailment, contradiction)
        return zero_shot.zero_shot(self, text, asked)

    def predict(self, text: str, pair: str | None = None) -> list[Number]:
        """The numbers of a regression model. Raises ModelFileError for another, DataError for an empty text."""
        self._expect(classification.Classification)
        return classification.predict(self, text, pair)

    def tag(self, text: str) -> list[Tagged]:
        """Every word of ``text`` with its label. Raises ModelFileError for another model, DataError without words."""
        self._expect(token_classification.TokenClassification)
        return token_classification.tag_text(self, text)

    def entities(self, text: str) -> list[Entity]:
        """What runs of labels name in ``text``, in its order. Raises as ``tag``."""
        self._expect(token_classification.TokenClassification)
        return token_classification.find(self, text)

    def fill_mask(self, text: str, pair: str | None = None, top: int = 5) -> list[list[Word]]:
        """For each [MASK] the ``top`` words, the most probable first.

        Raises ModelFileError for another model, DataError for a text without [MASK].
        """
        self._expect(masked_lm.FillMask)
        return masked_lm.fill_gaps(self, text, pair, top)

    def follows(self, text: str, following: str) -> list[Label]:
        """Whether ``following`` comes after ``text``, the more probable answer first. Raises as ``classify``."""
        self._expect(next_sentence.NextSentence)
        return next_sentence.follows(self, text, following)

    def choose(self, prompt: str, choices: Sequence[str]) -> list[Choice]:
        """The ``choices`` with their probabilities, the most probable first. Raises as ``classify``."""
        self._expect(multiple_choice.MultipleChoice)
        return multiple_choice.choose(self, prompt, choices)

    def embed(self, text: str | Sequence[str], pair: str | None = None) -> Any:
        """Vectors: float32 [texts, dimensions] of several texts, [dimensions] of one.

        Of a model for features, which takes one text or a pair: ``sequence_output`` float32 [tokens, H] and
        ``pooled_output`` [H]. Raises as ``classify``.
        """
        if isinstance(self.task, feature_extraction.FeatureExtraction) and isinstance(text, str):
            return feature_extraction.embed(self, text, pair)
        self._expect(embedding.Embedding)
        if pair is not None:
            raise DataError("an embedding is of one text; give several as a list, or use similarity(a, b)")
        return embedding.embed(self, [text])[0] if isinstance(text, str) else embedding.embed(self, text)

    def similarity(self, first: str, second: str) -> float:
        """The cosine of the vectors of two texts, -1 to 1. Raises as ``classify``."""
        self._expect(embedding.Embedding)
        return embedding.similarity(self, first, second)

    def _expect(self, kind: type[Task]) -> None:
        if not isinstance(self.task, kind):
            raise ModelFileError(f"this model is for {self.task.name}, not for {kind.name}")


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
