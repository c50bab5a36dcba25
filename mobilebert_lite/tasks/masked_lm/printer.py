"""Words for gaps as `mbl run` prints them."""

from __future__ import annotations

from mobilebert_lite.tasks.base import ReadyModel
from mobilebert_lite.tasks.masked_lm import Word, fill_gaps
from mobilebert_lite.tasks.printing import Asked, Shown, shown


def show(model: ReadyModel, asked: Asked) -> Shown:
    """``top`` words, or 5, for every gap; an empty line between gaps."""
    gaps = [shown(words, _line) for words in fill_gaps(model, asked["text"], asked["pair"], asked["top"] or 5)]
    return [rows for rows, _ in gaps], [line for i, (_, lines) in enumerate(gaps) for line in ([""] * (i > 0) + lines)]


def _line(word: Word) -> str:
    return f"{word.token}\t{word.probability:.4f}\t{word.text}"
