"""Copies of a text stand on one side of every split, and classes keep their shares."""

from __future__ import annotations

import random
import string
import time
from collections import Counter
from typing import Any

import pytest

from mobilebert_lite.errors import DataError
from mobilebert_lite.text.examples import ChoiceExample, PairExample, QuestionExample, TextExample, TokenExample
from mobilebert_lite.training import splitting
from mobilebert_lite.training.similar import groups

WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "lmnrst"]


def sentence(rng: random.Random, length: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(length))


def one_word_changed(text: str, rng: random.Random) -> str:
    words = text.split()
    place = rng.randrange(len(words))
    return " ".join([*words[:place], rng.choice((f"{words[place]}x", "", f"new {words[place]}")), *words[place + 1:]])


def other_signs(text: str, rng: random.Random) -> str:
    return "".join(rng.choice((one, one.upper())) for one in text).replace(" ", rng.choice(("  ", ", ", " - ", "\t"))) \
        + rng.choice(string.punctuation.replace("_", ""))


def several_changed(text: str, rng: random.Random) -> str:
    words = text.split()
    for place in rng.sample(range(len(words)), 3):
        words[place] = "changed"
    return " ".join(words)


def same_side(first: str, second: str) -> bool:
    found = groups([TextExample(first), TextExample(second)])
    return bool(found[0] == found[1])


@pytest.mark.parametrize(("change", "least"), [(one_word_changed, 4), (other_signs, 1), (several_changed, 40)])
def test_copies_are_one_group(change: Any, least: int) -> None:
    rng = random.Random(0)
    for _ in range(200):
        text = sentence(rng, rng.randint(least, least + 40))
        assert same_side(text, change(text, rng)), (text, change)


def test_other_texts_are_not() -> None:
    rng = random.Random(1)
    texts = [sentence(rng, rng.randint(4, 60)) for _ in range(3000)]
    assert len(set(groups([TextExample(text) for text in texts]).tolist())) == 3000
    assert not same_side("turn it on", "turn it off")
    assert not same_side("yes", "no")
    assert not same_side("!!!", "???")
    half = "the red house by the sea was sold last year for much more than it cost them when they built it"
    assert not same_side(half, f"{half.split(' last')[0]} to a man who came on foot and paid in coins of a far land")


def test_what_is_compared() -> None:
    """The context of questions, the prompt of choices, both texts of a pair, the words of a tagged text."""
    one, two = "it was a dark and stormy night", "the sun shone all day long here"
    for examples in (
            [QuestionExample(str(i), question, context) for i, (question, context) in enumerate(
                (("what?", one), ("who was it then?", f"{one}!"), ("what?", two)))],
            [ChoiceExample(prompt, choices) for prompt, choices in ((one, ("a", "b")), (one, ("c", "d")),
                                                                    (two, ("a", "b")))],
            [PairExample(*texts) for texts in ((one, two), (one.upper(), two), (one, "no"))],
            [TokenExample(tuple(text.split()), ()) for text in (one, one.title(), two)]):
        found = groups(examples).tolist()
        assert found[0] == found[1] != found[2]


def test_groups_do_not_depend_on_the_process_and_take_seconds() -> None:
    rng = random.Random(2)
    texts = [sentence(rng, 10) for _ in range(10_000)]
    texts += [one_word_changed(text, rng) for text in texts]
    started = time.process_time()
    found = groups([TextExample(text) for text in texts])
    # 100,000 rows are five times that.
    assert time.process_time() - started < 10
    assert (found[:10_000] == found[10_000:]).all()
    assert found[-1] == 9_999


def labelled(rng: random.Random, counts: dict[str, int], copies: int = 3) -> list[TextExample]:
    """``counts`` of texts of each class, every one with copies of it."""
    found = []
    for label, count in counts.items():
        for _ in range(count):
            text = sentence(rng, rng.randint(6, 12))
            found += [TextExample(one, label=label) for one in (text, *(one_word_changed(text, rng)
                                                                        for _ in range(copies - 1)))]
    rng.shuffle(found)
    return found


def sides_of(examples: list[TextExample], sides: list[list[TextExample]]) -> list[set[int]]:
    """The groups on each side."""
    number = dict(zip((id(one) for one in examples), groups(examples).tolist(), strict=True))
    return [{number[id(one)] for one in side} for side in sides]


def test_a_hold_out_has_no_copies_and_the_shares_of_the_classes() -> None:
    examples = labelled(random.Random(3), {"common": 200, "some": 60, "rare": 10})
    train, dev = splitting.hold_out(examples, 0.1, 1000, seed=0)
    assert len(train) + len(dev) == len(examples) == 810
    first, second = sides_of(examples, [train, dev])
    assert not first & second
    counts = Counter(one.label for one in dev)
    assert counts == {"common": 60, "some": 18, "rare": 3}
    again, other = (splitting.hold_out(examples, 0.1, 1000, seed=seed)[1] for seed in (0, 1))
    assert again == dev != other
    assert [one for one in examples if one in dev] == dev  # in the order of the file
    assert len(splitting.hold_out(examples, 0.1, 30, seed=0)[1]) == pytest.approx(30, abs=3)


def test_folds_test_every_example_once() -> None:
    examples = labelled(random.Random(4), {"a": 40, "b": 20}, copies=2)
    parts = splitting.folds(examples, 5, seed=0)
    assert sorted(id(one) for _, dev in parts for one in dev) == sorted(map(id, examples))
    for train, dev in parts:
        assert len(train) + len(dev) == len(examples)
        first, second = sides_of(examples, [train, dev])
        assert not first & second
        assert Counter(one.label for one in dev) == {"a": 16, "b": 8}


def test_a_class_with_one_text_is_learnt() -> None:
    examples = [*labelled(random.Random(6), {"a": 50}, copies=1), TextExample("the only one of its kind", label="b")]
    train, _ = splitting.hold_out(examples, 0.1, 1000, seed=0)
    assert "b" in {one.label for one in train}


@pytest.mark.parametrize("each", [1, 2, 3])
def test_rare_classes_are_on_every_side(each: int) -> None:
    """However few texts each class has, all of them together have their share on each side."""
    examples = labelled(random.Random(7), {f"class {i}": each for i in range(60)}, copies=1)
    assert len(splitting.hold_out(examples, 0.1, 1000, seed=0)[1]) == pytest.approx(6 * each, abs=1)
    assert {len(dev) for _, dev in splitting.folds(examples, 5, seed=0)} == {12 * each}


def test_one_text_of_each_of_some_classes_is_learnt() -> None:
    examples = labelled(random.Random(8), {"a": 200, **{f"class {i}": 1 for i in range(20)}}, copies=1)
    train, dev = splitting.hold_out(examples, 0.1, 1000, seed=0)
    assert len(dev) == pytest.approx(22, abs=1)
    assert {one.label for one in dev} == {"a"}
    assert len({one.label for one in train}) == 21


def test_what_cannot_be_split() -> None:
    copies = [TextExample(f"order number {i} has not arrived", label="ab"[i % 2]) for i in range(50)]
    with pytest.raises(DataError, match="50 examples are copies of one another"):
        splitting.hold_out(copies, 0.1, 1000, seed=0)
    with pytest.raises(DataError, match="--folds is 5"):
        splitting.folds(copies, 5, seed=0)
    with pytest.raises(DataError, match="3 examples are too few"):
        splitting.hold_out(copies[:3], 0.1, 1000, seed=0)
