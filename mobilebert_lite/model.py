"""A ``.tflite`` of ours, ready to answer: everything it needs is in the file."""

from __future__ import annotations

from pathlib import Path

from mobilebert_lite.converters import metadata
from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.runtime import Session
from mobilebert_lite.tasks import TASKS, Task, question_answering
from mobilebert_lite.tasks.base import Outputs
from mobilebert_lite.tasks.classification import Classification, Label, decode
from mobilebert_lite.tasks.examples import TextExample
from mobilebert_lite.tasks.features import Features
from mobilebert_lite.tasks.question_answering import Answer
from mobilebert_lite.tokenization import Tokenizer, parse_vocabulary

# No MobileBERT comes near it; a wrong path must not fill the memory.
_LARGEST = 2 << 30


class Model:
    """A converted model with its vocabulary, labels and lengths."""

    def __init__(self, path: str | Path, threads: int = 1, runtime: str | None = None,
                 tokenizer: str = "reference", content: bytes | None = None) -> None:
        """Read ``path``, or take its ``content`` from elsewhere. ``tokenizer`` is one of tokenization.BEHAVIOURS.

        Raises ModelFileError when it is no ``.tflite`` or not one of ours.
        """
        content = read_tflite(Path(path)) if content is None else content
        try:
            self.provenance = metadata.read_provenance(content)
            self.files = metadata.read_files(content)
        except ModelFileError as error:
            raise ModelFileError(f"{path}: {error}") from None
        self.task = self._task(path)
        self.session = Session(content, threads, runtime)
        prefix = f"{self.task.name}_"
        # Length -> signature, the shortest first.
        self.lengths: dict[int, str] = dict(sorted(
            (int(name.removeprefix(prefix)), name) for name in self.session.signatures
            if name.startswith(prefix) and name.removeprefix(prefix).isdigit()))
        if not self.lengths:
            raise ModelFileError(f"{path} has no signature {prefix}<length>; it has "
                                 f"{', '.join(self.session.signatures) or 'none'}")
        self.tokenizer = self._tokenizer(path, tokenizer)

    def _task(self, path: str | Path) -> Task:
        task = TASKS.get(str(self.provenance.get("task")))
        if task is None:
            raise ModelFileError(f"{path} does not say which task it is for; only files that `mbl convert` made "
                                 "carry what is needed to run them on text")
        return task

    def _tokenizer(self, path: str | Path, behaviour: str) -> Tokenizer:
        if metadata.VOCABULARY not in self.files:
            raise ModelFileError(f"{path} carries no vocabulary ({metadata.VOCABULARY})")
        words = parse_vocabulary(self.files[metadata.VOCABULARY])
        return Tokenizer(words, bool(self.provenance.get("lower_case", True)), behaviour)

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
        return features, self.session.run(self.lengths[length], features.inputs())

    def answer(self, question: str, context: str, n_best: int = 20,
               max_answer_tokens: int = question_answering.MAX_ANSWER_TOKENS, null_threshold: float = 0.0,
               stride: int = question_answering.STRIDE, allow_null: bool = True) -> list[Answer]:
        """Answers in ``context``, the best first; an empty text means that there is none.

        Raises ModelFileError when the model answers no questions, DataError for empty texts.
        """
        if not isinstance(self.task, question_answering.QuestionAnswering):
            raise ModelFileError(f"this model is for {self.task.name}, not for questions; give it --text")
        windows = question_answering.windows(self.tokenizer, question, context, self.longest, stride,
                                             question_answering.longest_question(self.longest))
        read = [self.run(window) for window in windows]
        return question_answering.decode([window for window, _ in read], [outputs for _, outputs in read], context,
                                         n_best, max_answer_tokens, null_threshold, allow_null)

    def classify(self, text: str, pair: str | None = None) -> list[Label]:
        """Labels with their probabilities, the most probable first.

        Raises ModelFileError when the model does not classify, DataError for an empty text.
        """
        task = self.task
        if not isinstance(task, Classification):
            raise ModelFileError(f"this model is for {task.name}, not for classification; "
                                 "give it --question and --context")
        [features] = task.features(self.tokenizer, TextExample(text, pair), self.longest)
        return decode(self.run(features)[1], self.labels)


def read_tflite(path: Path) -> bytes:
    """The bytes of a ``.tflite``. Raises ModelFileError when ``path`` is not one."""
    from mobilebert_lite.converters.flatbuffer import is_tflite

    try:
        if path.stat().st_size > _LARGEST:
            raise ModelFileError(f"{path} is larger than {_LARGEST >> 30} GiB; that is no MobileBERT")
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error.strerror}") from None
    if not is_tflite(content):
        raise ModelFileError(f"{path} is not a .tflite file (it does not carry the identifier TFL3)")
    return content
