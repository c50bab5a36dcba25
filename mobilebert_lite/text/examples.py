"""What a task is asked: the text, and the expected answer where it is known."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class QuestionExample:
    """A question about a context."""

    id: str
    question: str
    context: str
    # Every accepted answer; empty when unknown, or when there is none (is_impossible).
    answers: tuple[str, ...] = ()
    # Where each answer starts in the context, in code points; -1 when unknown.
    answer_starts: tuple[int, ...] = ()
    # The context is known not to hold an answer (SQuAD v2).
    is_impossible: bool = False


@dataclass(frozen=True)
class TextExample:
    """A text or a pair of texts."""

    text: str
    pair: str | None = None
    # Name of the class; None when unknown.
    label: str | None = None
    id: str = ""
    # As the data set calls it, such as "de", where scores of several are told apart (XNLI); empty when unknown.
    language: str = ""


@dataclass(frozen=True)
class PairExample(TextExample):
    """Two texts, of which the second may follow the first; label "0" (or "is next") says that it does."""


@dataclass(frozen=True)
class ChoiceExample:
    """The beginning of a text (or a question) and its possible continuations."""

    prompt: str
    choices: tuple[str, ...]
    # Which choice is right, from 0; None when unknown.
    label: int | None = None
    id: str = ""


@dataclass(frozen=True)
class TokenExample:
    """A text cut into words, each with a label such as B-city, I-city or O."""

    words: tuple[str, ...]
    # One for each word; empty when unknown.
    labels: tuple[str, ...] = ()
    id: str = ""

    @property
    def text(self) -> str:
        """The words with a space between them."""
        return " ".join(self.words)
