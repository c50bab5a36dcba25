"""A finished network with signatures that take texts beside those that take ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilebert_lite.conversion.lowering import rewrite
from mobilebert_lite.conversion.text_input.frontend import Frontend
from mobilebert_lite.conversion.text_input.splice import add_signature
from mobilebert_lite.datasets.reading import Example, QuestionExample, TextExample
from mobilebert_lite.errors import ConversionError, DataError, RequestError, VerificationError, shorten
from mobilebert_lite.graph.names import signature_name
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tasks import TASKS, Task
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.text.tokenizer_settings import TokenizerSettings

# Least share of texts for which a text signature must give what the other gives: all but those with what
# ``differences`` names.
LEAST = 0.98
MOST_TEXTS = 64
# XNNPACK sums in another order where it splits a graph otherwise: float32 rounding, no more.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class TextInput:
    """What the file says about its text signatures."""

    signatures: tuple[str, ...]
    # Operators that whoever runs them must register.
    operators: tuple[str, ...]
    texts: int
    # Share of texts for which a text signature computes what its sibling computes.
    agreement: float


def text_signature(task: str, length: int) -> str:
    """``qa_text_384``: the signature of a task and length that takes texts."""
    return f"{task}_text_{length}"


def check(task: Task, settings: TokenizerSettings) -> None:
    """Raise RequestError for a task whose texts are more than one or two, ConversionError for a tokenizer that the
    operators cannot follow."""
    if not task.texts:
        known = ", ".join(name for name, one in TASKS.items() if one.texts)
        raise RequestError(f"--text-input is for {known}, not for {task.name}")
    if missing := unsupported(settings):
        raise ConversionError(f"--text-input: tensorflow-text's operators cannot do what this tokenizer asks for "
                              f"({'; '.join(missing)}); convert without it, and tokenize outside the file")


def unsupported(settings: TokenizerSettings) -> list[str]:
    """What of ``settings`` the operators do otherwise: they clean texts, set Chinese characters apart, count 100 bytes
    a word, and match no token whole."""
    default = TokenizerSettings()
    found = [name for name, same in (("clean_text false", settings.clean_text),
                                     ("tokenize_chinese_chars false", settings.chinese_characters),
                                     (f"words of up to {settings.longest_word} characters",
                                      settings.longest_word == default.longest_word)) if not same]
    if settings.extra_tokens:
        found.append(f"added tokens {shorten([token.content for token in settings.extra_tokens], 3)}")
    return found


def attach(content: bytes, tokenizer: Tokenizer, task: Task, lengths: Sequence[int]) -> bytes:
    """``content`` with a text signature for each of ``lengths``. Raises DependencyError without tensorflow-text."""
    front = Frontend(tokenizer, task)

    def change(model: Any) -> None:
        for length in lengths:
            add_signature(model, signature_name(task.name, length), front.convert(length),
                          text_signature(task.name, length), ["offsets"])

    return rewrite(content, change)


def verify(content: bytes, tokenizer: Tokenizer, task: Task, lengths: Sequence[int], examples: Sequence[Example],
           *, threads: int) -> TextInput:
    """Run each text signature beside its sibling. Raises VerificationError when they differ on too many texts."""
    from tensorflow_text.core.pybinds import tflite_registrar

    session = Session(content, threads, custom_operators=tflite_registrar.SELECT_TFTEXT_OPS)
    same: list[bool] = []
    for length in lengths:
        for example in examples[:MOST_TEXTS]:
            try:
                features = task.features(tokenizer, example, length)[0]
            except DataError:  # a question can be too long for a short signature
                continue
            expected = session.run(signature_name(task.name, length), features.inputs())
            actual = session.run(text_signature(task.name, length), _texts(example))
            same.append(all(np.abs(actual[name] - value).max() <= TOLERANCE * max(np.abs(value).max(), 1.0)
                            for name, value in expected.items()))
    agreement = sum(same) / len(same) if same else 0.0
    if agreement < LEAST:
        raise VerificationError(f"text input differs from the tokenizer on {1 - agreement:.1%} of {len(same)} texts "
                                f"(at most {1 - LEAST:.1%} allowed); no file was written")
    names = tuple(text_signature(task.name, length) for length in lengths)
    return TextInput(names, _operators(content), len(same), agreement)


def _texts(example: Example) -> dict[str, np.ndarray]:
    if isinstance(example, QuestionExample):
        texts = {"question": example.question, "context": example.context}
    else:
        assert isinstance(example, TextExample)
        texts = {"text": example.text, "pair": example.pair or ""}
    return {name: np.array([text.encode()]) for name, text in texts.items()}


def _operators(content: bytes) -> tuple[str, ...]:
    from mobilebert_lite.tflite.flatbuffer import read_model

    return tuple(sorted({code.customCode.decode() for code in read_model(content).operatorCodes if code.customCode}))
