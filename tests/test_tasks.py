"""Tagging, gaps, choices and numbers: features, decoding, agreement of models."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.errors import DataError, MblError, RequestError
from mobilebert_lite.tasks import classification, find_task, masked_lm, multiple_choice
from mobilebert_lite.tasks.token_classification import Tagged, chunks, entities, tag
from mobilebert_lite.tasks.token_classification import conll as entity_metric
from mobilebert_lite.text.examples import ChoiceExample, PairExample, TextExample, TokenExample
from mobilebert_lite.text.tokenization import Tokenizer

TAGGING, FILL, CHOICE = find_task("ner"), find_task("masked-lm"), find_task("multiple-choice")
NAMES = ("O", "B-x", "I-x", "B-y", "I-y")


@pytest.fixture(scope="module")
def words(tiny_vocabulary: tuple[str, ...]) -> Tokenizer:
    return Tokenizer(tiny_vocabulary)


# Runs of labels

def conlleval(labels: list[str]) -> list[tuple[str, int, int]]:
    """startOfChunk and endOfChunk of conlleval.pl, for B, I and O."""
    def split(label: str) -> tuple[str, str]:
        return ("O", "") if label == "O" else (label[0], label[2:])

    starts, ends = [], []
    for i, (before, here) in enumerate(pairwise([split(label) for label in ["O", *labels, "O"]])):
        if before[0] != "O" and (here[0] in "BO" or here[1] != before[1]):
            ends.append(i)
        if here[0] == "B" or (here[0] == "I" and (before[0] == "O" or before[1] != here[1])):
            starts.append((here[1], i))
    return [(kind, start, end) for (kind, start), end in zip(starts, ends, strict=True)]


@given(st.lists(st.sampled_from(NAMES), max_size=12))
def test_runs_of_labels_are_those_of_conlleval(labels: list[str]) -> None:
    assert list(chunks(labels)) == conlleval(labels)


def test_labels_without_prefix_are_kinds_themselves() -> None:
    assert list(chunks(["LABEL_1", "LABEL_1", "O", "LABEL_2"])) == [("LABEL_1", 0, 2), ("LABEL_2", 3, 4)]
    assert list(chunks(["B-", "I-x-ray"])) == [("B-", 0, 1), ("x-ray", 1, 2)]


# Tagging

def one_hot(places: list[int], length: int) -> dict[str, np.ndarray]:
    """Logits of NAMES with 5 at the class of each place and 0 elsewhere."""
    logits = np.zeros((1, length, len(NAMES)))
    logits[0, np.arange(len(places)), places] = 5
    return {"logits": logits}


def test_the_first_token_speaks_for_its_word(words: Tokenizer) -> None:
    text = "Take Zoe to Rome, now"
    [features] = TAGGING.features(words, TextExample(text), 20)
    tokens = words.words(features.ids[:features.length_used])
    assert tokens == ["[CLS]", "take", "z", "##o", "##e", "to", "r", "##o", "##m", "##e", ",", "now", "[SEP]"]
    classes = [1, 0, 1, 3, 3, 0, 3, 0, 0, 0, 4, 0, 1]
    found = tag([features], [one_hot(classes, 20)], words, NAMES)
    assert [(text[word.start:word.end], word.label) for word in found] == [
        ("Take", "O"), ("Zoe", "B-x"), ("to", "O"), ("Rome", "B-y"), (",", "I-y"), ("now", "O")]
    probability = np.exp(5) / (np.exp(5) + 4)
    assert all(word.probability == pytest.approx(probability) for word in found)
    assert [(entity.label, entity.text, entity.start, entity.end) for entity in entities(text, found)] == [
        ("x", "Zoe", 5, 8), ("y", "Rome,", 12, 17)]


def test_an_entity_is_as_probable_as_its_words_on_average() -> None:
    found = entities("a b", [Tagged(0, 1, "B-x", 0.9), Tagged(2, 3, "I-x", 0.5)])
    assert [(entity.text, entity.probability) for entity in found] == [("a b", pytest.approx(0.7))]


def test_long_texts_are_tagged_in_windows(words: Tokenizer) -> None:
    """Every word once, by the window that shows most around it, in the order of the text."""
    text = " ".join(["water", "and", "life"] * 100)
    windows = TAGGING.features(words, TokenExample(tuple(text.split())), 64)
    assert len(windows) > 4
    outputs = [one_hot([1 if token == "water" else 0 for token in words.words(window.ids)], 64) for window in windows]
    found = tag(windows, outputs, words, NAMES)
    assert [text[word.start:word.end] for word in found] == text.split()
    assert [word.label == "B-x" for word in found] == [word == "water" for word in text.split()]


def test_taggers_agree_on_every_token(words: Tokenizer) -> None:
    [features] = TAGGING.features(words, TextExample("take time"), 6)
    reference = one_hot([0, 1, 2, 0], 6)
    other = one_hot([0, 1, 3, 0], 6)
    padding = one_hot([1, 1, 2, 3, 4, 4], 6)
    tie = {"logits": reference["logits"].copy()}
    tie["logits"][0, 2, 3] = 4.95
    assert TAGGING.agrees(features, reference, reference)
    assert not TAGGING.agrees(features, reference, other)
    assert TAGGING.agrees(features, reference, padding)  # [CLS], [SEP] and padding are no words
    assert TAGGING.agrees(features, tie, other)


def test_labels_must_fit(words: Tokenizer) -> None:
    [features] = TAGGING.features(words, TextExample("take"), 6)
    with pytest.raises(DataError, match="2 labels for a model of 5 classes"):
        tag([features], [one_hot([0], 6)], words, ("O", "B-x"))
    with pytest.raises(MblError, match=r"'logits' is \[1, 5, 5\]; expected a row for each of 6"):
        tag([features], [one_hot([0], 5)], words, NAMES)
    assert tag([features], [one_hot([0, 2], 6)], words)[0].label == "LABEL_2"


# Entity F1

def test_entity_scores() -> None:
    gold = [["B-x", "I-x", "O"], ["B-y", "O", "B-x"]]
    predicted = [["B-x", "O", "O"], ["B-y", "O", "B-x"]]
    scores = entity_metric.score(gold, predicted)
    # 2 of 3 found, 2 of 3 right.
    assert scores == pytest.approx({"precision": 200 / 3, "recall": 200 / 3, "f1": 200 / 3, "entities": 3, "total": 2})
    assert entity_metric.score(gold, gold)["f1"] == 100
    assert entity_metric.score(gold, [["O"] * 3] * 2)["f1"] == 0
    # The same entity in another text is another entity.
    assert entity_metric.score([["B-x"], ["O"]], [["O"], ["B-x"]])["f1"] == 0
    with pytest.raises(DataError, match="text 1: 1 labels predicted for 3 words"):
        entity_metric.score(gold, [gold[0], ["O"]])
    with pytest.raises(DataError, match="1 predictions for 2 texts"):
        entity_metric.score(gold, gold[:1])


# Gaps

def test_gaps_in_both_texts(words: Tokenizer) -> None:
    [features] = FILL.features(words, TextExample("a [MASK] day", "[MASK] and [MASK]"), 16)
    assert features.masked.tolist() == [2, 5, 7]
    logits = np.zeros((1, 16, len(words.vocabulary)))
    index = {word: i for i, word in enumerate(words.vocabulary)}
    for place, word in ((2, "hot"), (5, "sun"), (7, "water")):
        for token, value in (("water", 3), ("life", 2), ("##s", 1)):
            logits[0, place, index[token]] = value
        logits[0, place, index.get(word, index["sun"])] = 9
    found = masked_lm.decode(features, {"logits": logits}, words, ["a [MASK] day", "[MASK] and [MASK]"], top=4)
    assert [[word.token for word in gap] for gap in found] == [["sun", "water", "life", "##s"]] * 2 + [
        ["water", "life", "##s", "[PAD]"]]
    assert [gap[0].text for gap in found] == ["a sun day", "sun and [MASK]", "[MASK] and water"]
    assert found[0][3].text == "as day"
    powers = np.exp(logits[0, 2])
    assert found[0][0].probability == pytest.approx(powers.max() / powers.sum())


def test_only_positions_asked_for(words: Tokenizer) -> None:
    task = FILL.with_form(Form(positions=3))
    [features] = task.features(words, TextExample("a [MASK] day, [MASK]"), 12)
    assert features.inputs()["positions"].tolist() == [[2, 5, 0]]
    assert features.trimmed(8).inputs()["positions"].tolist() == [[2, 5, 0]]
    rows = np.arange(3 * len(words.vocabulary), dtype=float).reshape(1, 3, -1)
    assert np.array_equal(masked_lm.mask_logits(features, {"logits": rows}), rows[0, :2])
    assert "positions" not in FILL.features(words, TextExample("[MASK]"), 12)[0].inputs()


def test_one_word_in_seven_is_masked_where_none_is(words: Tokenizer) -> None:
    text = " ".join(["water"] * 30)
    [features] = FILL.features(words, TextExample(text), 40)
    assert features.masked.tolist() == [4, 11, 18, 25]  # the fourth word and every seventh after it; [CLS] is 0
    [short] = FILL.features(words, TextExample("water"), 40)
    assert short.masked.tolist() == [1]
    [few] = FILL.with_form(Form(positions=2)).features(words, TextExample(text), 40)
    assert few.masked.tolist() == [4, 11]


def test_a_vocabulary_without_mask() -> None:
    tokenizer = Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"])
    with pytest.raises(DataError, match=r"the vocabulary has no \[MASK\]"):
        FILL.features(tokenizer, TextExample("a"), 4)


def test_models_agree_on_the_words_for_gaps(words: Tokenizer) -> None:
    [features] = FILL.features(words, TextExample("a [MASK] day [MASK]"), 8)

    def outputs(first: int, second: int, elsewhere: int = 0) -> dict[str, np.ndarray]:
        logits = np.zeros((1, 8, len(words.vocabulary)))
        logits[0, :, elsewhere] = 8
        logits[0, features.masked] = 0
        logits[0, features.masked, [first, second]] = 8
        return {"logits": logits}

    assert FILL.agrees(features, outputs(5, 6), outputs(5, 6, elsewhere=9))
    assert not FILL.agrees(features, outputs(5, 6), outputs(5, 7))
    tie = outputs(5, 6)
    tie["logits"][0, features.masked[1], 7] = 7.9
    assert FILL.agrees(features, tie, outputs(5, 7))


def test_pretraining_also_agrees_on_what_follows(words: Tokenizer) -> None:
    task = find_task("pretraining")
    [features] = task.features(words, TextExample("a [MASK]", "day"), 8)
    logits = np.zeros((1, 8, len(words.vocabulary)))
    logits[0, :, 5] = 3

    def outputs(*verdict: float) -> dict[str, np.ndarray]:
        return {"prediction_logits": logits, "seq_relationship_logits": np.array([verdict])}

    assert task.agrees(features, outputs(1, 0), outputs(3, 0))
    assert not task.agrees(features, outputs(1, 0), outputs(0, 1))
    assert task.agrees(features, outputs(0.01, 0), outputs(0, 1))
    assert not task.agrees(features, outputs(1, 0), {**outputs(1, 0), "prediction_logits": logits[:, :, ::-1]})


# Classes

def test_choices(words: Tokenizer) -> None:
    task = CHOICE.with_form(Form(choices=4))
    [features] = task.features(words, ChoiceExample("a day", ("sun", "water now")), 9)
    assert {name: value.shape for name, value in features.inputs().items()} == dict.fromkeys(
        ("ids", "mask", "segment_ids"), (1, 4, 9))
    rows = [" ".join(words.words(row[:mask.sum()])) for row, mask in zip(features.ids, features.mask, strict=True)]
    assert rows == ["[CLS] a day [SEP] s ##u ##n [SEP]".replace("s ##u ##n", "sun"),
                    "[CLS] a day [SEP] water now [SEP]", *["[CLS] a day [SEP] sun [SEP]"] * 2]
    assert features.length_used == 7
    assert features.trimmed(7).offsets.shape == (4, 7, 2)
    found = multiple_choice.decode({"probability": np.array([[0.1, 0.3, 0.2, 0.4]])}, ("sun", "water now"), task.form)
    assert [(choice.text, choice.index, choice.probability) for choice in found] == [
        ("water now", 1, pytest.approx(0.75)), ("sun", 0, pytest.approx(0.25))]
    with pytest.raises(DataError, match="1 choices: this file takes 2 to 4"):
        task.features(words, ChoiceExample("a", ("b",)), 9)


def test_the_second_sentence_is_needed(words: Tokenizer) -> None:
    with pytest.raises(DataError, match="takes two texts"):
        find_task("next-sentence").features(words, PairExample("a"), 9)


@pytest.mark.parametrize(("form", "raw", "expected"), [
    (Form(logits=True), [0.0, np.log(3.0)], [0.25, 0.75]),
    (Form("multi_label_classification", logits=True), [0.0, np.log(3.0)], [0.5, 0.75]),
    (Form("regression"), [0.5, -2.0], [0.5, -2.0]),
])
def test_answers_from_logits(form: Form, raw: list[float], expected: list[float]) -> None:
    outputs = {"logits": np.array([raw])}
    assert classification.class_values(outputs, form) == pytest.approx(expected)
    assert find_task("classification", form).outputs == ("logits",)


def test_when_classifiers_of_other_kinds_agree(words: Tokenizer) -> None:
    several = find_task("classification", Form("multi_label_classification"))
    number = find_task("classification", Form("regression"))
    [features] = several.features(words, TextExample("a day"), 8)

    def agree(task: object, name: str, first: list[float], second: list[float]) -> bool:
        return task.agrees(features, {name: np.array([first])}, {name: np.array([second])})  # type: ignore[attr-defined]

    assert agree(several, "probability", [0.9, 0.8, 0.1], [0.6, 0.9, 0.3])
    assert not agree(several, "probability", [0.9, 0.8, 0.1], [0.9, 0.4, 0.1])
    assert agree(several, "probability", [0.9, 0.51, 0.1], [0.9, 0.4, 0.1])
    assert agree(number, "logits", [4.0], [4.3])
    assert not agree(number, "logits", [4.0], [4.5])
    assert agree(number, "logits", [0.01], [-0.05])
    assert not agree(number, "logits", [0.0], [0.2])


def test_unknown_problem() -> None:
    with pytest.raises(RequestError, match="problem_type is 'ranking'; known are single_label"):
        Form("ranking")
