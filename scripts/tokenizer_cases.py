"""Texts with their ids and offsets, for implementations of the tokenizer in other languages to be held against.

    python scripts/tokenizer_cases.py --output out/tokenizer_cases.json

writes JSON: ``vocabulary`` names the words by their SHA-256; ``cases`` holds, for each behavior (``reference``,
``phone``) and case (``lower``, ``cased``), objects with ``text``, ``ids``, ``offsets`` (start, end in code points) and
``words`` (which word each token is of).
The same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from collections.abc import Sequence
from pathlib import Path

from mobilebert_lite.common.files import write_atomically
from mobilebert_lite.converters.checkpoints import demonstration
from mobilebert_lite.datasets.reading import QuestionExample, builtin_examples
from mobilebert_lite.text.tokenization import BEHAVIorS, Tokenizer

# What tokenizers disagree about: composed and decomposed accents, letters whose lower case is longer, ligatures and
# widths, CJK, punctuation outside ASCII, spaces of all kinds, control and format characters, private use, emoji with
# modifiers, combining marks alone, scripts without case, special tokens.
AWKWARD = (
    "é", "e\u0301", "Å", "İ", "ß", "ẞ", "Ǆ", "ﬁ", "½", "²", "Ω", "Ａ", "１", "ﾊ", "日本語", "한국어", "かな", "𠀀", "।",
    "“", "”", "—", "…", "¿", "«", "€", "©", "\u00a0", "\u2009", "\u3000", "\u2028", "\x0b", "\x85", "\t", "\n", "\r",
    "\x00", "\x01", "\x7f", "\u00ad", "\u200b", "\u200d", "\u202e", "\ufeff", "\ufffd", "\ue000", "😀", "👍🏽", "🇨🇭",
    "\u0301", "ไทย", "हिन्दी", "עברית", "العربية", "[SEP]", "[MASK]", "[unk]", "##s", "x" * 101, "é" * 51, "é" * 50)


def texts(count: int, seed: int = 0) -> list[str]:
    """The built-in questions, contexts and texts, each awkward piece in a word and alone, and random mixtures."""
    plain: list[str] = []
    for task in ("qa", "classification"):
        for example in builtin_examples(task):
            plain += [example.question, example.context] if isinstance(example, QuestionExample) else [example.text]
    made = [form for piece in AWKWARD for form in (piece, f"a{piece}b Take {piece} off", f"{piece}{piece}")]
    rng = random.Random(seed)
    words = sorted({word for text in plain for word in text.split()})
    while len(plain) + len(made) < count:
        pieces = rng.choices(words, k=rng.randint(1, 8)) + rng.choices(AWKWARD, k=rng.randint(1, 5))
        rng.shuffle(pieces)
        made.append(rng.choice(("", " ", "  ")).join(pieces))
    return ["", *plain, *made]


def cases(tokenizer: Tokenizer, chosen: list[str]) -> list[dict[str, object]]:
    """What ``tokenizer`` makes of each text."""
    return [{"text": text, "ids": encoding.ids, "offsets": encoding.offsets, "words": numbered(encoding.words)}
            for text, encoding in zip(chosen, tokenizer.encode_batch(chosen), strict=True)]


def numbered(words: Sequence[int | None]) -> list[int]:
    """The words of tokens, numbered without gaps: ``tokenizers`` also counts words that no token came of."""
    number = {word: i for i, word in enumerate(dict.fromkeys(words))}
    return [number[word] for word in words]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocab", type=Path, default=demonstration("qa") / "vocab.txt",
                        help="[default: that of the bundled checkpoint]")
    parser.add_argument("--count", type=int, default=800, help="texts [default: %(default)s]")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    chosen = texts(options.count)
    result = {"vocabulary": hashlib.sha256(options.vocab.read_bytes()).hexdigest(), "cases": {
        f"{behavior}-{name}": cases(Tokenizer.from_file(options.vocab, lower_case, behavior), chosen)
        for behavior in BEHAVIorS for name, lower_case in (("lower", True), ("cased", False))}}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(options.output, (json.dumps(result, ensure_ascii=False, indent=0) + "\n").encode())
    print(f"{options.output}: {sum(map(len, result['cases'].values()))} cases")


if __name__ == "__main__":
    main()
