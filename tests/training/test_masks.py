"""Words hidden for masked language modeling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import find_task
from mobilebert_lite.text.examples import TextExample
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.training.batches import Batcher, EncodedRow, pad
from mobilebert_lite.training.masks import MASKED, RANDOM, SHARE, Masker, most_hidden
from mobilebert_lite.training.rows import RowMaker

# "redberry" is three pieces, every other word one.
TEXT = "the red room is on the right and the redberry is in the room to the left of it"


@pytest.fixture(scope="module")
def tokenizer(tiny_vocabulary: tuple[str, ...]) -> Tokenizer:
    return Tokenizer([*tiny_vocabulary, "##ber", "##ry"])


def rows(tokenizer: Tokenizer, length: int, *texts: str) -> list[EncodedRow]:
    return RowMaker(find_task("fill-mask"), tokenizer, length).rows([TextExample(text) for text in texts])


def hidden(tokenizer: Tokenizer, whole_words: bool = False, count: int = 400, text: str = TEXT
           ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    [row] = rows(tokenizer, 64, text)
    before = pad([row] * count, 64, count, 0)
    return before, Masker.of(tokenizer, whole_words)(before, np.random.default_rng(0))


def test_what_is_hidden(tokenizer: Tokenizer) -> None:
    """15 % of the tokens; of these 80 % are [MASK], 10 % some word; the labels are what stood there."""
    before, after = hidden(tokenizer)
    real = after["weight"] > 0
    tokens = int((before["labels"][0] >= 0).sum())
    assert real.sum(axis=1).tolist() == [round(SHARE * tokens)] * 400
    assert after["positions"].shape == (400, most_hidden(64))
    row = np.arange(400)[:, None].repeat(real.shape[1], 1)
    places = (row[real], after["positions"][real])
    np.testing.assert_array_equal(after["labels"][real], before["ids"][places])
    assert not np.isin(before["ids"][places], tokenizer.special_ids).any()
    assert len(set(places[1].tolist())) == tokens  # every token has its turn
    now = after["ids"][places]
    masked, same = float(np.mean(now == tokenizer.mask_id)), float(np.mean(now == before["ids"][places]))
    assert masked == pytest.approx(MASKED, abs=0.04)
    assert same == pytest.approx(1 - MASKED - RANDOM, abs=0.04)
    untouched = np.ones(before["ids"].shape, bool)
    untouched[places] = False
    np.testing.assert_array_equal(after["ids"][untouched], before["ids"][untouched])


def test_whole_words(tokenizer: Tokenizer) -> None:
    """All three pieces of a word or none; without, mostly one of them."""
    [row] = rows(tokenizer, 64, TEXT)
    pieces = np.flatnonzero([tokenizer.vocabulary[i].startswith("##") for i in row.ids])
    word = {int(pieces[0]) - 1, *pieces.tolist()}
    assert len(word) == 3
    for whole, allowed in ((True, {0, 3}), (False, {0, 1, 2, 3})):
        _, after = hidden(tokenizer, whole, text=f"{TEXT} {TEXT.replace('redberry', 'light')}")
        found = {len(word & set(positions[weight > 0].tolist()))
                 for positions, weight in zip(after["positions"], after["weight"], strict=True)}
        assert found <= allowed
        assert max(found) > 1
        assert (1 in found) != whole


def test_masks_follow_from_the_step(tokenizer: Tokenizer) -> None:
    """Another epoch hides other words; a training that begins in the middle hides what the whole one does."""
    made = rows(tokenizer, 64, *(f"{TEXT} {i}" for i in range(10)))
    batcher = Batcher(4, (32, 64), 0, seed=3, masker=Masker.of(tokenizer))
    whole = batcher.stream(lambda epoch: made)
    first = [next(whole) for _ in range(9)]
    later = batcher.stream(lambda epoch: made, start=5)
    for batch in first[5:]:
        for name, value in next(later).items():
            np.testing.assert_array_equal(value, batch[name])
    other = next(replace(batcher, seed=4).stream(lambda epoch: made))
    assert not np.array_equal(other["positions"], first[0]["positions"])
    seen = {tuple(batch["positions"][i][batch["weight"][i] > 0]) for batch in first for i in range(4)}
    assert len(seen) > 12


def test_long_texts_lose_nothing(tokenizer: Tokenizer) -> None:
    whole = [i for row in rows(tokenizer, 64, TEXT) for i in row.labels.tolist() if i >= 0]
    parts = rows(tokenizer, 8, TEXT)
    assert [i for row in parts for i in row.labels.tolist() if i >= 0] == whole
    assert max(row.length for row in parts) == 8


def test_refusals(tokenizer: Tokenizer, small: Tokenizer) -> None:
    with pytest.raises(DataError, match=r"no \[MASK\], which hides"):
        Masker.of(small)
    with pytest.raises(DataError, match=r"has a \[MASK\] whose word is unknown"):
        rows(tokenizer, 64, "the [MASK] is red")
