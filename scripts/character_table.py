"""What the tokenizers do to each character, as the text file that the Kotlin tokenizer reads.

    python scripts/character_table.py

writes ``android_demo/core/src/main/resources/org/mobilebertlite/core/characters.txt``. Unicode tables differ between
Hugging Face ``tokenizers``, the JVM and every version of Android; with this file all phones do what the reference does.

A section ``[name]`` holds one table. Those of the reference are laid over each other, the later above the earlier:

1. ``words``: how a text is cut;
2. ``chinese``, where Chinese characters are set apart;
3. ``lower``, ``strip`` or ``both``, where texts are lower-cased or stripped of accents;
4. ``clean``, where control characters are dropped and all spaces made equal.

``phone`` stands alone. ``edges`` says what stands beside tokens that are matched whole. The lines, all in hexadecimal
code points:

- ``space``, ``removed``, ``alone`` (a word by itself), ``apart`` (a word by itself, with a space put on either side):
  ranges ``first-last`` or single characters.
- ``accent N``: removed too, of canonical combining class N (decimal), by which accents are put into order first.
- ``order N``: accents of that class that stay; not 0.
- ``map F A B+C …``: F becomes A, the next one B C, and so on; what they become is looked up in its turn.
- ``inside``: part of a word, beside which a token that must be a single word is none.

What is in no line stays as it is. Hangul syllables are decomposed by arithmetic (The Unicode Standard, section 3.12).
"""

from __future__ import annotations

import argparse
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import NFD, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, PreTokenizer

from mobilebert_lite.common.files import write_atomically
from mobilebert_lite.text.tokenization import phone_words

PATH = (Path(__file__).parent.parent
        / "android_demo/core/src/main/resources/org/mobilebertlite/core/characters.txt")
CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
# The others are unassigned or private; cleaning alone does something to them.
ASSIGNED = [code for code in CODES if code < 0x34000 or 0xE0000 <= code < 0xE1000]
HANGUL = range(0xAC00, 0xD7A4)
WIDTH = 118
# Section -> lower-cased, stripped of accents.
FORMS = {"lower": (True, False), "strip": (False, True), "both": (True, True)}
# Private, and so part of no word.
_MARK = "\ue000"

Lines = dict[str, list[str]]


def words() -> Lines:
    """What ends a word, and what is one by itself."""
    return _cut_by(BertPreTokenizer())


def chinese() -> Lines:
    """What spaces are put around."""
    normal = _normal(ASSIGNED, handle_chinese_chars=True)
    return {"apart": _ranges(code for code, text in normal.items() if text == f" {chr(code)} ")}


def form(lower_case: bool, strip_accents: bool) -> Lines:
    """The lines of one of ``FORMS``, by what they say."""
    normal = _normal(ASSIGNED, lowercase=lower_case, strip_accents=strip_accents)
    kept = {code for code, text in normal.items() if text == chr(code)}
    changed = {code: [ord(one) for one in text] for code, text in normal.items()
               if text and code not in kept and code not in HANGUL}
    for code, becomes in changed.items():
        if not kept.issuperset(becomes):
            raise ValueError(f"U+{code:04X} becomes what is changed in its turn; the format cannot say that")
    classes = {code: _combining_class(code) for code in ASSIGNED if unicodedata.category(chr(code))[0] == "M"
               or unicodedata.combining(chr(code))} if strip_accents else {}
    return {
        **_by_class("accent", {code: classes.get(code, 0) for code, text in normal.items() if not text}),
        **_by_class("order", {code: own for code, own in classes.items() if own and code in kept}),
        **_maps(changed)}


def clean() -> Lines:
    """What cleaning drops, and what it makes a space."""
    normal = _normal(CODES, clean_text=True)
    return {"space": _ranges(code for code, text in normal.items() if text == " "),
            "removed": _ranges(code for code, text in normal.items() if not text)}


def phone() -> Lines:
    """The lines of the phone clients' table."""
    return _cut_by(phone_words()) | _maps({code: [code + 32] for code in range(ord("A"), ord("Z") + 1)})


def edges() -> Lines:
    """The spaces that added tokens take along, and what they must not stand beside to be single words."""
    greedy = _having(AddedToken(_MARK, lstrip=True, normalized=False))
    single = _having(AddedToken(_MARK, single_word=True, normalized=False))
    return {"space": _ranges(code for code in ASSIGNED if greedy.encode(f"a{chr(code)}{_MARK}").offsets[-1] == (1, 3)),
            "inside": _ranges(code for code in ASSIGNED if 1 not in single.encode(f"{_MARK}{chr(code)}").ids)}


def _having(token: AddedToken) -> Tokenizer:
    """A tokenizer in which ``token`` is 1, and all else 0."""
    tokenizer = Tokenizer(WordPiece({"?": 0, token.content: 1}, unk_token="?"))
    tokenizer.add_tokens([token])
    return tokenizer


def content() -> str:
    """The whole file."""
    lines = ["# What tokenizers do to each character. Written by scripts/character_table.py, which explains it."]
    tables = {"words": words(), "chinese": chinese(), **{name: form(*how) for name, how in FORMS.items()},
              "clean": clean(), "phone": phone(), "edges": edges()}
    for name, table in tables.items():
        lines.append(f"[{name}]")
        for kind, items in table.items():
            wrapped = textwrap.wrap(" ".join(items), WIDTH - len(kind), break_on_hyphens=False)
            lines += [f"{kind} {line}" for line in wrapped]
    return "\n".join(lines) + "\n"


def _normal(codes: Sequence[int], clean_text: bool = False, handle_chinese_chars: bool = False,
            strip_accents: bool = False, lowercase: bool = False) -> dict[int, str]:
    normalizer = BertNormalizer(clean_text, handle_chinese_chars, strip_accents, lowercase)
    return {code: normalizer.normalize_str(chr(code)) for code in codes}


def _cut_by(split: PreTokenizer) -> Lines:
    """A character between letters makes two words where it is a space, three where it is a word by itself."""
    words = {code: len(split.pre_tokenize_str(f"a{chr(code)}b")) for code in ASSIGNED}
    return {kind: _ranges(code for code, count in words.items() if count == number)
            for kind, number in (("space", 2), ("alone", 3))}


def _by_class(kind: str, classes: dict[int, int]) -> dict[str, list[str]]:
    return {f"{kind} {number}": _ranges(code for code, own in classes.items() if own == number)
            for number in sorted(set(classes.values()))}


def _ranges(codes: Iterable[int]) -> list[str]:
    found: list[list[int]] = []
    for code in sorted(codes):
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return [f"{first:x}" if first == last else f"{first:x}-{last:x}" for first, last in found]


def _maps(changed: dict[int, list[int]]) -> dict[str, list[str]]:
    """One entry for each run of characters that stand side by side."""
    runs: dict[str, list[str]] = {}
    kind = ""
    for before, code in pairwise([-2, *sorted(changed)]):
        if code != before + 1:
            kind = f"map {code:x}"
            runs[kind] = []
        runs[kind].append("+".join(f"{one:x}" for one in changed[code]))
    return {kind: items for run, found in runs.items() for kind, items in _cut(int(run[4:], 16), found)}


def _cut(first: int, items: list[str]) -> Iterator[tuple[str, list[str]]]:
    """A run in lines that each fit the width."""
    for line in textwrap.wrap(" ".join(items), WIDTH - len(f"map {first:x}")):
        found = line.split()
        yield f"map {first:x}", found
        first += len(found)


_ORDERED = NFD().normalize_str


# Of the lowest class (1) and of the highest (240).
_LOWEST, _HIGHEST = "\u0334", "\u0345"


@cache
def _of_class() -> dict[int, str]:
    """A character of each canonical combining class of which the reference knows one."""
    return {unicodedata.combining(chr(code)): chr(code) for code in CODES
            if unicodedata.combining(chr(code)) and _is_ordered(chr(code))}


def _is_ordered(one: str) -> bool:
    return _moves(one, _LOWEST) or _moves(_HIGHEST, one)


def _moves(first: str, second: str) -> bool:
    return _ORDERED(first + second) == second + first != first + second


def _combining_class(code: int) -> int:
    """The class by which the reference's own tables put ``code`` in order, which may be older than Python's."""
    one = _ORDERED(chr(code))[-1]
    if not _is_ordered(one):
        return 0
    [number] = [number for number, other in _of_class().items() if not _moves(one, other) and not _moves(other, one)]
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=PATH)
    options = parser.parse_args()
    write_atomically(options.output, content().encode())


if __name__ == "__main__":
    main()
