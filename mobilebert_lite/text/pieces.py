"""Where a long text can be cut so that its pieces are tokenized as they are within the whole.

A tokenizer's memory is many times the text it reads, so that long texts are read in pieces; and who needs a hundred
tokens of a book stops after the first piece.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mobilebert_lite.text.tokenizer_settings import TokenizerSettings

# One white space or punctuation mark between letters or digits; two blanks, two punctuation marks or two Chinese
# characters. No combining mark stands beside such a place, and each of these ends a word.
# Not the underscore, which counts as a letter to what is matched as a word.
_MARK = r"!-/:-@\[-\^`{-~"
_PLACES = (rf"(?<=[^\W_])[ \n\t{_MARK}。、，！？](?=[^\W_])", r"(?<=[ \n])(?=[ \n])",
           f"(?<=[{_MARK}])(?=[{_MARK}])", "(?<=[一-鿿])(?=[一-鿿])")
# Part of one word whatever stands around it, and longer than any word of a vocabulary.
_ENDLESS = re.compile("[0-9A-Za-z]{4096,}")


@dataclass(frozen=True)
class Cutter:
    """Cuts texts for one tokenizer."""

    # Matches up to where a text may be cut.
    place: re.Pattern[str]
    # What is matched whole, as it is and normalized; nothing of it may be cut.
    whole: tuple[str, ...]
    # Characters beside which blanks belong to what is matched whole.
    clinging: frozenset[str]
    normalize: Callable[[str], str]
    # Characters of a piece at least; a shorter text is one.
    least: int = 1 << 13

    def pieces(self, text: str) -> Iterator[tuple[int, int]]:
        """(start, end) of each piece, together all of ``text``."""
        start = 0
        while len(text) - start > self.least:
            end = next((match.end() for match in self.place.finditer(text, start + self.least)
                        if not self._crossed(text, match.end())), len(text))
            yield start, end
            start = end
        if start < len(text) or not text:
            yield start, len(text)

    def shortened(self, piece: str, longest: int) -> tuple[str, list[tuple[int, int]]]:
        """``piece`` with words that nobody would look up made shorter, though longer than ``longest``; and for each
        where it ends there, and how many characters are missing."""
        kept: list[str] = []
        missing: list[tuple[int, int]] = []
        start = 0
        for match in _ENDLESS.finditer(piece) if len(piece) > self.least else ():
            end = match.start() + longest + 1
            if end < match.end() and not any(one and one.casefold() in match[0].casefold() for one in self.whole):
                kept.append(piece[start:end])
                missing.append((sum(map(len, kept)), match.end() - end))
                start = match.end()
        return "".join((*kept, piece[start:])), missing

    def _crossed(self, text: str, place: int) -> bool:
        """Whether something that is matched whole may lie across ``place``."""
        before, after = text[place - 1], text[place]
        plain = self.normalize(before)[-1:] + self.normalize(after)[:1]
        if any(before + after in one or plain in one for one in self.whole):
            return True
        if not self.clinging:
            return False
        # What clings takes all blanks beside it along, which may reach from either side up to here.
        edges = {text[place - 2:place - 1], before, after}
        return (before.isspace() and after.isspace()) or not self.clinging.isdisjoint(
            edges | {form for edge in edges for form in self.normalize(edge)})


def cutter(settings: TokenizerSettings | None, words: Iterable[str], normalize: Callable[[str], str]) -> Cutter:
    """For a tokenizer of ``settings`` that matches ``words`` whole; None: for phone clients, which match none."""
    added = settings.added_tokens if settings else ()
    # Two Chinese characters are two words, but one to what is matched as a word.
    joined = any(token.single_word for token in added) or (settings and not settings.chinese_characters)
    places = _PLACES[:-1] if joined else _PLACES
    edges = {edge for token in added for form in (token.content, normalize(token.content)) if form
             for edge in ([form[0]] if token.lstrip else []) + ([form[-1]] if token.rstrip else [])}
    known = [one for word in words for one in (word, normalize(word))]
    return Cutter(re.compile("|".join(places)), tuple(dict.fromkeys(known)), frozenset(edges), normalize)
