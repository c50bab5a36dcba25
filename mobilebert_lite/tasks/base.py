"""What every task says about itself.

A task is one package. Its ``__init__`` holds a subclass of ``Task``; the modules beside it are imported when they are
first needed, so that running a file needs no TensorFlow:

- ``head``: ``draw(task, tensors, config, x, positions)``, the head as TensorFlow operations;
- ``printer``: ``show(model, asked)``, what `mbl run` prints;
- ``scorer``: ``make(task, examples, labels, options)``, what `mbl eval` scores with;
- ``training``: ``TRAINING``, how `mbl train` teaches it.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.architecture.heads import HEADS, Head
from mobilebert_lite.errors import AnswerError, DataError, ModelFileError
from mobilebert_lite.tasks import wording
from mobilebert_lite.text.examples import QuestionExample, TextExample
from mobilebert_lite.text.features import Features, pack
from mobilebert_lite.text.tokenization import Tokenizer

if TYPE_CHECKING:
    from mobilebert_lite.architecture.config import MobileBertConfig
    from mobilebert_lite.architecture.weights import Weights
    from mobilebert_lite.tasks.printing import Asked, Shown
    from mobilebert_lite.tasks.scoring import Scorer, ScorerOptions
    from mobilebert_lite.tasks.teaching import Training

# Output name -> array with a leading batch axis of 1.
Outputs = Mapping[str, np.ndarray]


class ReadyModel(Protocol):
    """What tasks know of a model that answers (``running.Model``)."""

    task: Task
    tokenizer: Tokenizer

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence."""

    @property
    def with_logits(self) -> ReadyModel:
        """The same model, with logits in place of the probabilities of a softmax where the file can give them."""

    def run(self, features: Features) -> tuple[Features, Outputs]:
        """One sequence: as it was read, and the outputs."""


class Task(ABC):
    """One thing that a model can be asked to do, in files of one ``form``."""

    # Prefix of the signatures in the file.
    name: ClassVar[str]
    # Names of the same task at Hugging Face.
    aliases: ClassVar[tuple[str, ...]] = ()
    # The heads it needs, by their names in architecture.heads.HEADS; none when the encoder is enough.
    heads: ClassVar[tuple[str, ...]] = ()
    # Those among them that no other task has declared.
    own_heads: ClassVar[tuple[Head, ...]] = ()

    # In checkpoints: the class of transformers whose weights it takes, and peft's word for it ("": none).
    architecture: ClassVar[str] = ""
    peft: ClassVar[str] = ""
    # Whether a script of google-research/mobilebert trains it.
    tensorflow1: ClassVar[bool] = False
    # Whether a checkpoint's class names are those of its outputs.
    has_labels: ClassVar[bool] = False

    # Class of the examples that ``features`` takes.
    example_type: ClassVar[type] = TextExample
    # Whether a file of lines that no names of columns stand above is a text on each line.
    plain_text: ClassVar[bool] = False
    # What of `mbl run` it cannot do without.
    asks: ClassVar[tuple[str, ...]] = ("text",)
    # What a prompt asks for, in this order.
    prompts: ClassVar[tuple[str, ...]] = ("text",)
    # Shortest sequence that holds anything useful, in tokens, and the one that is taken unless another is asked for.
    min_length: ClassVar[int] = 3
    default_length: ClassVar[int] = 128

    # Those among the outputs that have a row for every token.
    per_token: ClassVar[tuple[str, ...]] = ()
    # Those among the outputs that have a vector, not a number, in each row.
    vectors: ClassVar[tuple[str, ...]] = ()
    # Those of them that have a number for every word of the vocabulary.
    words: ClassVar[tuple[str, ...]] = ()
    # Whether the head reads position 0 of the last hidden states alone, and whether these are themselves an output.
    cls_only: ClassVar[bool] = False
    shows_hidden: ClassVar[bool] = False
    # Whether the outputs are the same whatever positive number the last hidden states are multiplied by.
    scale_free: ClassVar[bool] = False
    # What a conversion can choose: logits, positions, choices, problem, pooling (choose.choose_form).
    form_options: ClassVar[tuple[str, ...]] = ()

    # For metadata: what it does ("the class of a text"), and the network's inputs, name -> description.
    purpose: ClassVar[str]
    inputs: ClassVar[Mapping[str, str]] = wording.INPUTS
    # Inputs of signatures that take texts, name -> description; none where its texts are more than one or two.
    texts: ClassVar[Mapping[str, str]] = {}
    # What the text clients take its files for; "": for nothing but the task itself.
    client_kind: ClassVar[str] = ""
    # Whether `mbl eval` can score it, and `mbl train` teach it.
    scored: ClassVar[bool] = True
    trainable: ClassVar[bool] = False
    # What to do where it cannot be trained here.
    trained_elsewhere: ClassVar[str] = "give a checkpoint that was trained for it to mbl convert"

    def __init__(self, form: Form | None = None) -> None:
        self.form = form or Form()

    def with_form(self, form: Form) -> Self:
        """The same task for files of ``form``."""
        return type(self)(form)

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """Outputs in the order of the file."""

    def class_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Names of the classes that a file carries, where ``labels`` are the checkpoint's."""
        return tuple(labels) if self.has_labels else ()

    def form_of(self, weights: Weights, examples: Sequence[Any], form: Form, problem: str | None) -> Form:
        """The form of a file of ``weights``: ``form``, which is what was asked for, and what they decide.

        ``problem`` is one of form.PROBLEMS or None. Raises ConversionError for weights that do not fit.
        """
        return form

    def usual_length(self, weights: Weights) -> int:
        """Tokens of the sequences of a file of ``weights``, unless another length is asked for."""
        return self.default_length

    # In the network

    def pools(self, head: str) -> bool:
        """Whether ``head`` reads the pooler's output, where there is a pooler, and not the hidden states."""
        return HEADS[head].pooled

    def draw(self, tensors: Mapping[str, Any], config: MobileBertConfig, x: Any, positions: Any = None
             ) -> dict[str, Any]:
        """The head on the last hidden states ``x``: outputs by name, as TensorFlow operations.

        *Shape:* (batch · choices, seq or 1, hidden), int32 (batch, P) or None
        """
        outputs: dict[str, Any] = self._module("head").draw(self, tensors, config, x, positions)
        return outputs

    # From text to text

    def read_example(self, raw: Mapping[str, Any], where: str, default_id: str) -> Any:
        """An example of a type of the task's own, from an object or the cells of a row, named by their columns.

        None for the types of ``text.examples``, which ``datasets`` reads. Raises DataError, which says ``where``.
        """
        return None

    def builtin_examples(self, questions: Sequence[QuestionExample]) -> Sequence[Any]:
        """Examples to calibrate with, made of the built-in ``questions``; none: those that ``datasets`` makes."""
        return ()

    def features(self, tokenizer: Tokenizer, example: Any, length: int) -> list[Features]:
        """``example`` as sequences of ``length`` tokens; several when a long text is read in windows.

        By default one sequence of a text or a pair; too long texts are cut, the longer first. Raises DataError for an
        example of another task, an empty text or a length that is too short.
        """
        self._check(example)
        return [pack(tokenizer, example.text, example.pair, length)]

    @abstractmethod
    def answer(self, model: ReadyModel, example: Any) -> Any:
        """What ``model`` says to ``example``."""

    def show(self, model: ReadyModel, asked: Asked) -> Shown:
        """What `mbl run` prints for the options ``asked``. Raises NotAsked where one is missing."""
        shown: Shown = self._module("printer").show(model, asked)
        return shown

    def scorer(self, examples: Sequence[Any], labels: Sequence[str], options: ScorerOptions) -> Scorer:
        """What scores the models of this task, with classes called ``labels``, on ``examples``."""
        scorer: Scorer = self._module("scorer").make(self, examples, labels, options)
        return scorer

    def load_scorer(self) -> None:
        """Import the module of its scorers, where it has one."""
        if self.scored:
            self._module("scorer")

    @property
    def training(self) -> Training:
        """How `mbl train` teaches it."""
        training: Training = self._module("training").TRAINING
        return training

    def _module(self, name: str) -> Any:
        return importlib.import_module(f"{type(self).__module__}.{name}")

    # For metadata

    @abstractmethod
    def describe(self, output: str) -> str:
        """What the values of ``output`` mean."""

    def axes(self, output: str) -> tuple[str, ...]:
        """Names of the dimensions of ``output``."""
        return wording.TOKENS if output in self.per_token else ("batch", "class")

    # What a file gives

    def check_outputs(self, features: Features, outputs: Outputs, vocabulary: int) -> None:
        """Raise ModelFileError for ``outputs`` of a file that is not what it says: missing ones, or of a wrong shape.

        ``vocabulary`` is the number of its words.
        """
        for name in self.outputs:
            if name not in outputs:
                raise ModelFileError(f"the model has no output {name!r}; it has {', '.join(outputs) or 'none'}")
            shape = outputs[name].shape
            fits = len(shape) == (3 if name in self.vectors else 2) and shape[0] == 1 and 0 not in shape
            if fits and name in self.per_token:
                fits = shape[1] == features.ids.shape[-1]
            elif fits and name in self.vectors and features.positions is not None:
                fits = shape[1] == len(features.positions)
            if not fits or (name in self.words and shape[2] < vocabulary):
                raise ModelFileError(f"output {name!r} is {list(shape)}, which does not fit task {self.name} with "
                                     f"{features.ids.shape[-1]} tokens")

    def agrees(self, features: Features, reference: Outputs, candidate: Outputs) -> bool:
        """Whether a user would get the same answer from both models. NaN agrees with nothing."""
        if not all(np.isfinite(value).all() for outputs in (reference, candidate) for value in outputs.values()):
            return False
        return self._same(features, reference, candidate)

    @abstractmethod
    def _same(self, features: Features, reference: Outputs, candidate: Outputs) -> bool:
        """``agrees`` for finite outputs."""

    def _check(self, example: object) -> None:
        if not isinstance(example, self.example_type):
            raise DataError(f"task {self.name} takes a {self.example_type.__name__}, not a {type(example).__name__}")


def read_one(model: ReadyModel, example: Any) -> tuple[Features, Outputs]:
    """``example``, which makes one sequence: as ``model`` read it, and the outputs."""
    [features] = model.task.features(model.tokenizer, example, model.longest)
    return model.run(features)


def outputs_of(model: ReadyModel, example: Any) -> Outputs:
    """The outputs of ``read_one``."""
    return read_one(model, example)[1]


def output_row(outputs: Outputs, name: str) -> np.ndarray:
    """Output ``name`` without its batch axis, float64. Raises MblError when it is missing, NaN or infinite."""
    if name not in outputs:
        raise AnswerError(f"the model has no output {name!r}; it has {', '.join(outputs) or 'none'}")
    row = np.asarray(outputs[name], np.float64)
    bad = int(np.count_nonzero(~np.isfinite(row)))
    if bad:
        raise AnswerError(f"output {name!r} holds {bad} NaN or infinite values out of {row.size}; "
                       "convert again with --quantize none to see whether quantization is the cause")
    if row.ndim < 2 or row.shape[0] != 1:
        raise AnswerError(f"output {name!r} is {list(row.shape)}; expected a batch of 1")
    first: np.ndarray = row[0]
    return first


def near_best(expected: np.ndarray, actual: np.ndarray, share: float) -> bool:
    """Whether in each row the greatest of ``actual`` is the greatest of ``expected``, or within ``share`` of the row's
    spread of it. *Shape:* float (rows, classes) twice"""
    chosen = np.take_along_axis(expected, actual.argmax(axis=-1)[:, None], axis=-1)[:, 0]
    return bool((expected.max(axis=-1) - chosen <= share * np.ptp(expected, axis=-1)).all())
