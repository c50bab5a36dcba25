"""The phone tokenizer against the C++ that the phone clients are built on, as tensorflow-text's operators run it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import EXHAUSTIVE

from mobilebert_lite.text.tokenization import Tokenizer

# The expressions of bert_tokenizer.h of the Task Library and of MediaPipe, in RE2's spelling.
_KEPT = (r"[!-/]|[:-@]|[\[-`]|[{-~]|[\p{P}]|[\x{4E00}-\x{9FFF}]|[\x{3400}-\x{4DBF}]|[\x{20000}-\x{2A6DF}]|"
         r"[\x{2A700}-\x{2B73F}]|[\x{2B740}-\x{2B81F}]|[\x{2B820}-\x{2CEAF}]|[\x{F900}-\x{FAFF}]|"
         r"[\x{2F800}-\x{2FA1F}]")
MORE = ["é" * 51, "é" * 50, "ab " + "ß" * 60 + " cd", "x" * 101, "a\x0bb c\x85d", "NUL\0 ends"]


@pytest.mark.parametrize("name", ["uncased", "multilingual_cased"])
def test_every_recorded_text(shared: Callable[..., Path], name: str) -> None:
    import tensorflow as tf
    import tensorflow_text as text

    tokenizer = Tokenizer.from_file(shared("data", "vocab", f"{name}.txt"), behavior="phone")
    cases = json.loads(shared("data", "tokenization", "wordpiece_cases.json").read_text(encoding="utf-8"))
    texts = [case["text"] for case in cases["cases"][name][::1 if EXHAUSTIVE else 4]] + MORE
    index = {word: i for i, word in enumerate(tokenizer.vocabulary)}
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(
        list(index), tf.constant(list(index.values()), tf.int64)), -1)
    pieces = text.WordpieceTokenizer(table, max_bytes_per_word=100, max_chars_per_token=100)
    words, starts, _ = text.regex_split_with_offsets([one.encode().lower() for one in texts],
                                                     rf"(\s+|{_KEPT})", rf"({_KEPT})")
    columns = (words, starts, *pieces.tokenize_with_offsets(words))
    for one, encoding, *row in zip(texts, tokenizer.encode_batch(texts), *(c.to_list() for c in columns), strict=True):
        expected = [piece for word in zip(*row, strict=True) for piece in _pieces(one.encode(), *word)]
        assert (encoding.ids, encoding.offsets) == ([i for i, _ in expected], [span for _, span in expected]), one


def _pieces(raw: bytes, word: bytes, at: int, ids: list[int], starts: list[int],
            ends: list[int]) -> list[tuple[int, tuple[int, int]]]:
    """Ids with (start, end) in code points of the text."""
    if len(word) > 100:  # one [UNK], to which the operator gives the length of its own spelling
        ends = [len(word)]
    return [(i, (len(raw[:at + start].decode()), len(raw[:at + end].decode())))
            for i, start, end in zip(ids, starts, ends, strict=True)]
