"""Masked language modeling: which words belong in the gaps of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import wording
from mobilebert_lite.tasks.base import Outputs, ReadyModel, Task, near_best, output_row, read_one
from mobilebert_lite.text.examples import TextExample
from mobilebert_lite.text.features import Features, pack
from mobilebert_lite.text.tokenization import Tokenizer

# As BERT spells it; a tokenizer may have another.
MASK = "[MASK]"
# One word in so many is masked where a text has no [MASK]: 15 %, as in pre-training.
EVERY = 7
# Words whose logits differ by less than this share of the logits' spread are a tie that rounding decides.
NEAR_TIE = 0.02


@dataclass(frozen=True)
class Word:
    """A word for a gap."""

    # As the vocabulary spells it; "##" marks what continues the word before.
    token: str
    probability: float
    # The text with the word in its place; other gaps stay open.
    text: str = ""


class FillMask(Task):
    """The words for every [MASK]."""

    name = "fill-mask"
    aliases: ClassVar[tuple[str, ...]] = ("masked-lm",)
    heads: ClassVar[tuple[str, ...]] = ("mlm",)
    architecture = "MobileBertForMaskedLM"
    tensorflow1 = True
    plain_text = True
    outputs: tuple[str, ...] = ("logits",)
    vectors: ClassVar[tuple[str, ...]] = ("logits",)
    words: ClassVar[tuple[str, ...]] = ("logits",)
    form_options: ClassVar[tuple[str, ...]] = ("positions",)
    trainable = True
    purpose = "the words that were masked in a text"
    inputs: ClassVar = {**wording.INPUTS, "positions": "Positions of the masked tokens; 0 in places left over."}

    @property
    def per_token(self) -> tuple[str, ...]:  # type: ignore[override]
        """The logits, unless they are given at certain positions alone."""
        return () if self.form.positions else self.outputs[:1]

    def features(self, tokenizer: Tokenizer, example: TextExample, length: int) -> list[Features]:
        """One sequence; too long texts are cut, the longer first. Without a [MASK], every ``EVERY``th word gets one.

        Raises DataError for a vocabulary without [MASK], or for more of them than the file has positions for.
        """
        self._check(example)
        if tokenizer.mask_id is None:
            raise DataError(f"the vocabulary has no {tokenizer.settings.mask_token}, so there is nothing to fill in")
        features = pack(tokenizer, example.text, example.pair, length)
        if not (features.ids == tokenizer.mask_id).any():
            features = mask_words(tokenizer, features, self.form.positions)
        return [self._with_positions(features, tokenizer.mask_id)]

    def _with_positions(self, features: Features, mask_id: int) -> Features:
        masked = np.flatnonzero(features.ids == mask_id).astype(np.int32)
        most = self.form.positions
        if not most:
            return replace(features, masked=masked)
        if len(masked) > most:
            raise DataError(f"{len(masked)} × {MASK}: this file gives words for {most} at a time (--positions)")
        return replace(features, masked=masked, positions=np.pad(masked, (0, most - len(masked))))

    def answer(self, model: ReadyModel, example: TextExample) -> list[list[Word]]:
        """``fill_gaps``."""
        return fill_gaps(model, example.text, example.pair)

    def describe(self, output: str) -> str:
        """Words are the classes."""
        return ("Score of each word of the vocabulary at each token. Logits: a softmax over words makes them "
                "probabilities.")

    def axes(self, output: str) -> tuple[str, ...]:
        """Words are the classes."""
        return "batch", "position" if self.form.positions else "token", "word"

    def _same(self, features: Features, reference: Outputs, candidate: Outputs) -> bool:
        """The same best word in every gap, or one that the reference finds as good to within ``NEAR_TIE``."""
        expected, actual = (mask_logits(features, outputs, self.outputs[0]) for outputs in (reference, candidate))
        return near_best(expected, actual, NEAR_TIE)


def fill_gaps(model: ReadyModel, text: str, pair: str | None = None, top: int = 5) -> list[list[Word]]:
    """For each [MASK] the ``top`` words, the most probable first. Raises DataError for a text without [MASK]."""
    texts = [text] if pair is None else [text, pair]
    mask = model.tokenizer.settings.mask_token
    if not any(mask in one for one in texts):
        raise DataError(f"the text has no {mask}; put one where a word is to be filled in")
    features, outputs = read_one(model, TextExample(text, pair))
    return decode(features, outputs, model.tokenizer, texts, top=top,
                  name=model.task.outputs[0])


def mask_words(tokenizer: Tokenizer, features: Features, most: int = 0) -> Features:
    """``features`` with [MASK] in place of every ``EVERY``th word, at most ``most`` of them (0: any number)."""
    words = np.flatnonzero((features.mask == 1) & ~np.isin(features.ids, (tokenizer.cls_id, tokenizer.sep_id)))
    places = words[min(EVERY // 2, len(words) - 1)::EVERY] if len(words) else words
    ids = features.ids.copy()
    ids[places[:most or None]] = tokenizer.mask_id
    return replace(features, ids=ids)


def refuse_open(example: TextExample, mask: str) -> None:
    """Raise DataError for an ``example`` with a ``mask``: it must say what its words are."""
    if mask in f"{example.text} {example.pair or ''}":
        raise DataError(f"example {example.id} has a {mask} whose word is unknown; give whole texts, in which words "
                        "are masked here")


def mask_logits(features: Features, outputs: Outputs, name: str = "logits") -> np.ndarray:
    """Logits in the gaps, float64 [gaps, V], from outputs at every token or at the positions asked for."""
    if features.masked is None:
        raise DataError(f"no {MASK} was looked for in this sequence; make it with the task's features")
    rows = output_row(outputs, name)
    return rows[features.masked] if features.positions is None else rows[:len(features.masked)]


def decode(features: Features, outputs: Outputs, tokenizer: Tokenizer, texts: Sequence[str], *,
           top: int = 5, name: str = "logits") -> list[list[Word]]:
    """For each gap the ``top`` words, the most probable first: a softmax over the rows of the word table.

    ``texts`` are the one or two texts that the gaps stand in. Rows that belong to no word are never given. Raises
    MblError for NaN.
    """
    logits = mask_logits(features, outputs, name)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities = powers / powers.sum(axis=-1, keepdims=True)
    found = []
    mask, prefix = tokenizer.settings.mask_token, tokenizer.settings.continuing_prefix
    named = probabilities[:, :len(tokenizer.vocabulary)]
    assert features.masked is not None
    second = features.segment_ids[features.masked]
    for gap, row in enumerate(named):
        which = int(second[gap])
        before = int((second[:gap] == which).sum())
        words = tokenizer.words(np.argsort(-row, kind="stable")[:top].tolist())
        best = np.sort(-row, kind="stable")[:top]
        found.append([Word(word, float(-value), fill(texts[which], before, word, mask, prefix))
                      for word, value in zip(words, best, strict=True)])
    return found


def fill(text: str, gap: int, word: str, mask: str = MASK, prefix: str = "##") -> str:
    """``text`` with ``word`` in place of its ``mask`` number ``gap``; a continuation joins the word before."""
    parts = text.split(mask)
    before, after = mask.join(parts[:gap + 1]), mask.join(parts[gap + 1:])
    if prefix and word.startswith(prefix):
        return before.rstrip() + word.removeprefix(prefix) + after
    return before + word + after


TASK = FillMask()
