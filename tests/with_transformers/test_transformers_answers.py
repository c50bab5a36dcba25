"""Answers of the same logits: the places that the question-answering pipeline of transformers gives."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from transformers_support import start

from mobilebert_lite.datasets.reading import evenly, read_examples
from mobilebert_lite.tasks.question_answering import decode, windows
from mobilebert_lite.text.tokenization import Tokenizer

pytestmark = [pytest.mark.transformers, pytest.mark.timeout(1800)]

AWKWARD = ("don't", "rock'n'roll", "state-of-the-art", "e-mail—later", "(1,234.56)", "U.S.-led", "“quoted”", "東京都庁",
           "北京2022年", "한국어를", "cafe\u0301s", "Zürich's", "C++/C#", "...", "naïveté", "x" * 120, "ﬁnancial",
           "12%", "antidisestablishmentarianism", "Übergrößenträger", "日本language", "👍🏽nice", "a.m.", "[SEP]",
           "#hash_tag")


def test_places_are_those_of_the_pipeline(shared: Callable[..., Path], uncased: Tokenizer, tmp_path: Path) -> None:
    """Real questions, every other one with awkward words in its context; whole words and tokens as they stand."""
    rng = random.Random(8)
    asked = []
    for i, example in enumerate(evenly(read_examples(shared("data", "squad", "dev-v2.0.json"), "qa"), 600)):
        words = example.context.split(" ")
        for piece in rng.choices(AWKWARD, k=12 * (i % 2)):
            words.insert(rng.randrange(len(words) + 1), piece)
        asked.append((example.question, " ".join(words)))
    start("tf446", "answers.py", [shared("data", "vocab", "uncased.txt"), tmp_path / "found.json"], json.dumps(asked))
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    compared = [(question, context, case) for (question, context), case in zip(asked, found, strict=True) if case]
    assert len(compared) > 500
    moved = 0
    for question, context, case in compared:
        logits = np.array(case["logits"], np.float32)
        [window] = windows(uncased, question, context, 512)
        window = window.trimmed(logits.shape[1])
        outputs = {"start_logits": logits[:1], "end_logits": logits[1:]}
        for whole, theirs in zip((True, False), case["answers"], strict=True):
            ours = decode([window], [outputs], context, n_best=512, allow_null=False, whole_words=whole)[0]
            assert [ours.start, ours.end, ours.text] == theirs
        moved += case["answers"][0] != case["answers"][1]
    assert moved > 100  # answers that begin or end inside a word
