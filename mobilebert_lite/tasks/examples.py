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
