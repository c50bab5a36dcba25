"""Classification and feature extraction: packing of texts, decoding, agreement of models."""

from __future__ import annotations

import numpy as np
import pytest

from mobilebert_lite.errors import DataError, MblError
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tasks.classification import Label, decode
from mobilebert_lite.text.examples import QuestionExample, TextExample
from mobilebert_lite.text.features import Features, longest_first, pack
from mobilebert_lite.text.tokenization import Tokenizer

CLASSIFICATION, FEATURES = find_task("text-classification"), find_task("feature-extraction")


def words(tokenizer: Tokenizer, features: Features) -> str:
    """The tokens without padding, joined by spaces."""
    return " ".join(tokenizer.words(features.ids[:features.length_used]))


def test_one_text(small: Tokenizer) -> None:
    (features,) = CLASSIFICATION.features(small, TextExample("the  cats"), 8)
    assert words(small, features) == "[CLS] the cat ##s [SEP]"
    assert features.ids.tolist()[5:] == [small.pad_id] * 3
    assert features.mask.tolist() == [1] * 5 + [0] * 3
    assert features.segment_ids.tolist() == [0] * 8
    assert features.offsets.tolist() == [[-1, -1], [0, 3], [5, 8], [8, 9]] + [[-1, -1]] * 4
    assert features.max_context.tolist() == features.in_text.tolist() == [False] + [True] * 3 + [False] * 4
    assert all(value.shape == (1, 8) and value.dtype == np.int32 for value in features.inputs().values())


def test_two_texts(small: Tokenizer) -> None:
    (features,) = CLASSIFICATION.features(small, TextExample("the cat", "on mat"), 9)
    assert words(small, features) == "[CLS] the cat [SEP] on mat [SEP]"
    assert features.segment_ids.tolist() == [0, 0, 0, 0, 1, 1, 1, 0, 0]
    assert features.offsets.tolist()[4:6] == [[0, 2], [3, 6]]
    assert features.in_text.tolist() == [False] * 4 + [True] * 2 + [False] * 3


@pytest.mark.parametrize(("length", "expected"), [
    (9, "[CLS] the cat sat [SEP] on the mat [SEP]"),
    (8, "[CLS] the cat sat [SEP] on the [SEP]"),
    (7, "[CLS] the cat [SEP] on the [SEP]"),
    (5, "[CLS] the [SEP] on [SEP]"),
    (3, "[CLS] [SEP] [SEP]"),
    (2, "[CLS] [SEP]"),
])
def test_pairs_are_cut_in_turn(small: Tokenizer, length: int, expected: str) -> None:
    features = pack(small, "the cat sat", "on the mat", length)
    assert words(small, features) == expected
    assert len(features.ids) == length


@pytest.mark.parametrize(("length", "expected"), [(1, "[CLS]"), (2, "[CLS] [SEP]"), (3, "[CLS] the [SEP]"),
                                                  (4, "[CLS] the cat [SEP]"), (5, "[CLS] the cat [SEP]")])
def test_a_text_is_cut_at_its_end(small: Tokenizer, length: int, expected: str) -> None:
    features = pack(small, "the cat", None, length)
    assert words(small, features) == expected
    assert features.in_text.sum() == max(0, min(2, length - 2))


def test_longest_first_takes_one_token_after_the_other() -> None:
    for first in range(9):
        for second in range(9):
            for room in range(20):
                a, b = first, second
                while a + b > room:
                    a, b = (a - 1, b) if a > b else (a, b - 1)
                assert longest_first(first, second, room) == (a, b)


@pytest.mark.parametrize(("example", "length", "message"), [
    (TextExample(""), 8, "the text is empty"),
    (TextExample("\t "), 8, "the text .* holds no words"),
    (TextExample("cat", ""), 8, "the second text is empty"),
    (TextExample("", "cat"), 8, "the text is empty"),
    (TextExample("cat"), 0, "sequence length 0"),
    (QuestionExample("1", "who?", "cat"), 8, "takes a TextExample, not a QuestionExample"),
])
@pytest.mark.parametrize("task", [CLASSIFICATION, FEATURES])
def test_examples_that_cannot_be_used(small: Tokenizer, task: object, example: object, length: int,
                                      message: str) -> None:
    with pytest.raises(DataError, match=message):
        task.features(small, example, length)


def test_padding_is_the_vocabularys_own() -> None:
    tokenizer = Tokenizer(["cat", "[SEP]", "[CLS]", "[UNK]", "[PAD]"])
    assert pack(tokenizer, "cat", None, 5).ids.tolist() == [2, 0, 1, 4, 4]


def test_labels_are_sorted_by_probability() -> None:
    outputs = {"probability": np.array([[0.2, 0.5, 0.3]], np.float32)}
    found = decode(outputs, ("bad", "good", "fair"))
    assert [label.name for label in found] == ["good", "fair", "bad"]
    assert found[0] == Label("good", pytest.approx(0.5))
    assert [label.name for label in decode(outputs)] == ["LABEL_1", "LABEL_2", "LABEL_0"]


def test_equal_probabilities_keep_their_order() -> None:
    assert [label.name for label in decode({"probability": np.full((1, 3), 0.25)})] == ["LABEL_0", "LABEL_1", "LABEL_2"]


def test_labels_and_probabilities_must_fit() -> None:
    with pytest.raises(DataError, match="2 labels for a model of 3 classes"):
        decode({"probability": np.ones((1, 3)) / 3}, ("bad", "good"))
    with pytest.raises(MblError, match="'probability' holds 2 NaN"):
        decode({"probability": np.array([[np.nan, np.nan, 1]])})
    with pytest.raises(MblError, match="no output 'probability'; it has logits"):
        decode({"logits": np.ones((1, 3))})


def test_classifiers_agree_on_the_most_probable_class(small: Tokenizer) -> None:
    (features,) = CLASSIFICATION.features(small, TextExample("cat"), 3)

    def agrees(a: list[float], b: list[float]) -> bool:
        return CLASSIFICATION.agrees(features, {"probability": np.array([a])}, {"probability": np.array([b])})

    assert agrees([0.1, 0.6, 0.3], [0.3, 0.4, 0.3])
    assert not agrees([0.1, 0.6, 0.3], [0.4, 0.3, 0.3])
    # 0.505 and 0.495 are a tie in the reference's own eyes, 0.53 and 0.47 are not.
    assert agrees([0.505, 0.495], [0.495, 0.505])
    assert not agrees([0.53, 0.47], [0.47, 0.53])
    assert not agrees([0.1, 0.6, 0.3], [np.nan, 0.6, 0.3])


def test_vectors_agree_by_cosine(small: Tokenizer) -> None:
    (features,) = FEATURES.features(small, TextExample("the cat"), 6)
    rng = np.random.default_rng(0)
    reference = {"sequence_output": rng.normal(size=(1, 6, 8)), "pooled_output": rng.normal(size=(1, 8))}

    def candidate(**changes: np.ndarray) -> bool:
        return FEATURES.agrees(features, reference, {**reference, **changes})

    sequence, pooled = reference["sequence_output"], reference["pooled_output"]
    assert candidate()
    assert candidate(sequence_output=3 * sequence, pooled_output=2 * pooled)
    assert not candidate(pooled_output=-pooled)
    assert not candidate(pooled_output=np.zeros((1, 8)))
    # The last two positions are padding; nobody reads them.
    padding = sequence.copy()
    padding[0, 4:] = -7
    assert candidate(sequence_output=padding)
    token = sequence.copy()
    token[0, 3] = -token[0, 3]
    assert not candidate(sequence_output=token)
    assert not candidate(sequence_output=np.where(sequence > 1, np.nan, sequence))


def test_the_bound_on_the_cosine_is_0_99(small: Tokenizer) -> None:
    (features,) = FEATURES.features(small, TextExample("cat"), 3)
    for cosine, same in ((0.991, True), (0.989, False)):
        turned = np.array([[cosine, np.sqrt(1 - cosine**2)]])
        assert FEATURES.agrees(features, {"pooled_output": np.array([[1.0, 0.0]])}, {"pooled_output": turned}) is same


def test_a_model_without_pooler_is_judged_by_its_sequence(small: Tokenizer) -> None:
    (features,) = FEATURES.features(small, TextExample("cat"), 3)
    outputs = {"sequence_output": np.ones((1, 3, 4))}
    assert FEATURES.agrees(features, outputs, outputs)
    assert not FEATURES.agrees(features, outputs, {"sequence_output": -np.ones((1, 3, 4))})
