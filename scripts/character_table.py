"""What the tokenizers do to each character, as the text file that the Kotlin tokenizer reads.

    python scripts/character_table.py

writes ``android_demo/core/src/main/resources/org/mobilebertlite/core/characters.txt``. Unicode tables differ between
Hugging Face ``tokenizers``, the JVM and every version of Android; with this file all phones do what the reference does.

A section ``[name]`` holds one table: ``lower`` and ``cased`` of the reference, and ``phone``. Its lines, all in
hexadecimal code points:

- ``space``, ``removed``, ``alone`` (a word by itself): ranges ``first-last`` or single characters.
- ``accent N``: removed too, of canonical combining class N (decimal), by which accents are put into order first.
- ``order N``: accents of that class that stay; not 0.
- ``map F A B+C …``: F becomes A, the next one B C, and so on; what they become is looked up in its turn.

What is in no line stays as it is. Hangul syllables are decomposed by arithmetic (The Unicode Standard, section 3.12).
"""

from __future__ import annotations

import argparse
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

from tokenizers.normalizers import NFD, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from mobilebert_lite.files import write_atomically
from mobilebert_lite.tokenization import phone_words

PATH = (Path(__file__).parent.parent
        / "android_demo/core/src/main/resources/org/mobilebertlite/core/characters.txt")
CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
HANGUL = range(0xAC00, 0xD7A4)
WIDTH = 118


def reference(lower_case: bool) -> dict[str, list[str]]:
    """The lines of a reference table, by what they say."""
    normal = _normal(lower_case)
    cleaned = normal if not lower_case else _normal(False)
    split = BertPreTokenizer()
    words = {code: len(split.pre_tokenize_str(f"a{chr(code)}b")) for code in CODES}
    # Spaces around ideographs say that they stand alone.
    changed = {code: [ord(one) for one in text.strip()] for code, text in normal.items()
               if text.strip() not in ("", chr(code)) and code not in HANGUL}
    for code, becomes in changed.items():
        if any(normal[one].strip() != chr(one) for one in becomes):
            raise ValueError(f"U+{code:04X} becomes what is changed in its turn; the format cannot say that")
    removed = [code for code in CODES if not normal[code]]
    classes = {code: _combining_class(code) for code in CODES if unicodedata.category(chr(code))[0] == "M"
               or unicodedata.combining(chr(code))} if lower_case else {}
    # Those that cleaning leaves.
    accents = {code for code in removed if cleaned[code]}
    return {
        "space": _ranges(code for code in CODES if normal[code] == " "),
        "removed": _ranges(set(removed) - accents),
        "alone": _ranges(code for code in CODES if (normal[code] == chr(code) and words[code] == 3)
                         or normal[code] == f" {chr(code)} "),
        **_by_class("accent", {code: classes.get(code, 0) for code in accents}),
        **_by_class("order", {code: own for code, own in classes.items() if own and normal[code] == chr(code)}),
        **_maps(changed)}


def phone() -> dict[str, list[str]]:
    """The lines of the phone clients' table."""
    split = phone_words()
    words = {code: len(split.pre_tokenize_str(f"a{chr(code)}b")) for code in CODES}
    return {"space": _ranges(code for code in CODES if words[code] == 2),
            "alone": _ranges(code for code in CODES if words[code] == 3),
            **_maps({code: [code + 32] for code in range(ord("A"), ord("Z") + 1)})}


def content() -> str:
    """The whole file."""
    lines = ["# What tokenizers do to each character. Written by scripts/character_table.py, which explains it."]
    for name, table in (("lower", reference(True)), ("cased", reference(False)), ("phone", phone())):
        lines.append(f"[{name}]")
        for kind, items in table.items():
            wrapped = textwrap.wrap(" ".join(items), WIDTH - len(kind), break_on_hyphens=False)
            lines += [f"{kind} {line}" for line in wrapped]
    return "\n".join(lines) + "\n"


def _normal(lower_case: bool) -> dict[int, str]:
    normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=lower_case,
                                lowercase=lower_case)
    return {code: normalizer.normalize_str(chr(code)) for code in CODES}


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
