"""The parts of a training, each held against something that was not written with it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mobilebert_lite.architecture.config import PRESETS, MobileBertConfig
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.common.files import json_bytes
from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import find_task
from mobilebert_lite.text.examples import QuestionExample, TextExample, TokenExample
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.training.batches import Batcher, EncodedRow, bucket_for, choose_buckets, epoch_batches, pad
from mobilebert_lite.training.checks import check
from mobilebert_lite.training.initial import initial, stacked, with_head
from mobilebert_lite.training.layout import Layout
from mobilebert_lite.training.optimizer import AdamW, rate_at
from mobilebert_lite.training.options import TrainOptions
from mobilebert_lite.training.rows import RowMaker
from mobilebert_lite.training.start import read_configuration
from mobilebert_lite.training.vocabulary import build_vocabulary


def rows_of(lengths: list[int]) -> list[EncodedRow]:
    return [EncodedRow(np.full(length, 10 + i, np.int32), np.zeros(length, np.int32), np.array(i, np.int32))
            for i, length in enumerate(lengths)]


def test_layout_there_and_back() -> None:
    import tensorflow as tf

    tensors = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.float32([7, 8])}
    layout = Layout.of(tensors)
    vector = layout.join(tensors)
    assert vector.tolist() == [0, 1, 2, 3, 4, 5, 7, 8]
    assert layout.size == 8
    in_tensorflow = {name: value.numpy() for name, value in layout.cut(tf.constant(vector)).items()}
    for back in (layout.arrays(vector), in_tensorflow):
        assert {name: value.tolist() for name, value in back.items()} == {
            name: value.tolist() for name, value in tensors.items()}
    assert layout.fill(lambda name: float(name == "a")).tolist() == [0] * 6 + [1] * 2


def test_adamw_is_that_of_keras() -> None:
    """Several steps against Keras' optimizer; its epsilon sits elsewhere, which costs less than 1e-6 here."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    values = rng.normal(size=50).astype(np.float32)
    theirs = tf.Variable(values)
    keras = tf.keras.optimizers.AdamW(learning_rate=0.01, weight_decay=0.1, beta_1=0.9, beta_2=0.98, epsilon=1e-8)
    ours, mean, square = tf.constant(values), tf.zeros(50), tf.zeros(50)
    for step in range(1, 6):
        gradient = tf.constant(rng.normal(size=50).astype(np.float32))
        keras.apply_gradients([(gradient, theirs)])
        ours, mean, square, norm = AdamW(clip=0).update(gradient, ours, mean, square, tf.constant(0.1),
                                                        step=tf.constant(step, tf.int64), rate=tf.constant(0.01))
        assert float(norm) == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
    assert np.abs(ours.numpy() - theirs.numpy()).max() < 1e-6
    assert np.abs(ours.numpy() - values).max() > 0.02


def test_clipping_keeps_the_direction() -> None:
    import tensorflow as tf

    gradient = tf.constant([3.0, 4.0])
    _, mean, _, norm = AdamW(clip=1.0).update(gradient, tf.zeros(2), tf.zeros(2), tf.zeros(2), tf.constant(0.0),
                                              step=tf.constant(1, tf.int64), rate=tf.constant(0.1))
    assert float(norm) == pytest.approx(5)
    assert mean.numpy() == pytest.approx([0.06, 0.08], rel=1e-4)


def test_rate() -> None:
    rates = [rate_at(step, 100, 2.0, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[9] == pytest.approx(2.0) == rates[10]
    assert rates[55] == pytest.approx(1.0)
    assert rates[99] == pytest.approx(2 / 90)
    assert min(rates) > 0
    assert rate_at(0, 1, 2.0, 0.06) == 2.0


def test_every_row_once_in_an_epoch() -> None:
    rows = rows_of([int(n) for n in np.random.default_rng(1).integers(3, 60, 333)])
    buckets = choose_buckets(rows, 64)
    batches = epoch_batches(rows, 8, buckets, [5, 0])
    assert sorted(i for chosen, _ in batches for i in chosen) == list(range(333))
    assert len(batches) == 42
    assert all(max(len(rows[i].ids) for i in chosen) < length for chosen, length in batches)
    padded = sum(length * len(chosen) for chosen, length in batches)
    assert padded < 1.35 * sum(len(row.ids) for row in rows)  # without buckets it is twice the tokens
    again, other = epoch_batches(rows, 8, buckets, [5, 0]), epoch_batches(rows, 8, buckets, [5, 1])
    assert [c.tolist() for c, _ in again] == [c.tolist() for c, _ in batches] != [c.tolist() for c, _ in other]


def test_stream_goes_on_anywhere() -> None:
    rows = rows_of([5, 9, 12, 7, 5, 6, 30])
    batcher = Batcher(2, (8, 16, 32), 0, seed=3, unknown=0.3, unk_id=1, shift=0.5, positions=64)
    first = [batch for batch, _ in zip(batcher.stream(lambda epoch: rows), range(11), strict=False)]
    for start in (0, 1, 4, 7, 10):
        batch = next(batcher.stream(lambda epoch: rows, start))
        assert all(np.array_equal(batch[name], first[start][name]) for name in batch), start
    assert any(batch["shift"] > 0 for batch in first)
    assert any(batch["shift"] == 0 for batch in first)
    words = np.concatenate([batch["ids"][batch["mask"] == 1] for batch in first])
    assert 0.1 < np.mean(words == 1) < 0.5


def test_special_tokens_are_never_hidden() -> None:
    """Wherever they stand in the vocabulary: that of published checkpoints has [CLS] at 101."""
    rows = [EncodedRow(np.int32([101, 7, 8, 102]), np.zeros(4, np.int32), np.array(0, np.int32)) for _ in range(40)]
    batcher = Batcher(40, (8,), 0, seed=3, unknown=0.5, unk_id=100, special_ids=(0, 100, 101, 102, 103))
    ids = next(batcher.stream(lambda epoch: rows))["ids"]
    assert set(ids[:, 0]) == {101}
    assert set(ids[:, 3]) == {102}
    assert set(ids[:, 1]) == {7, 100}
    assert set(ids[:, 4:].ravel()) == {0}


def test_padding_weighs_nothing() -> None:
    rows = rows_of([3, 5])
    arrays = pad(rows, 8, 4, pad_id=9)
    assert arrays["ids"][0].tolist() == [10] * 3 + [9] * 5
    assert arrays["mask"].sum(axis=1).tolist() == [3, 5, 0, 0]
    assert arrays["weight"].tolist() == [1, 1, 0, 0]
    assert arrays["labels"].tolist() == [0, 1, -1, -1]
    tagged = [EncodedRow(row.ids, row.segment_ids, np.int32([2, -1, 0]), True) for row in rows[:1]]
    arrays = pad(tagged, 4, 2, pad_id=0)
    assert arrays["labels"].tolist() == [[2, -1, 0, -1], [-1] * 4]
    assert arrays["weight"].tolist() == [[1, 0, 1, 0], [0] * 4]


def test_a_pad_follows_every_text_that_has_room() -> None:
    assert bucket_for(7, (8, 16)) == 8
    assert bucket_for(8, (8, 16)) == 16
    assert bucket_for(16, (8, 16)) == 16
    assert choose_buckets(rows_of([8]), 64) == (16,)
    assert choose_buckets(rows_of([70]), 64) == (64,)


def test_targets_of_questions(small: Tokenizer) -> None:
    maker = RowMaker(find_task("qa"), small, 12)
    example = QuestionExample("q", "who", "the cat sat on the mat", ("the mat",), (15,))
    [row] = maker.rows([example])
    # [CLS] who [SEP] the cat sat on the mat [SEP]
    assert row.labels.tolist() == [7, 8]
    assert len(row.ids) == 10
    [row] = maker.rows([replace(example, answers=(), answer_starts=(), is_impossible=True)])
    assert row.labels.tolist() == [0, 0]
    windows = RowMaker(find_task("qa"), small, 8).rows([example])  # 4 tokens of the context at a time
    assert len(windows) == 2
    assert windows[0].labels.tolist() == [0, 0]
    assert windows[1].labels.tolist() == [3, 4]
    assert small.words(windows[1].ids[3:5].tolist()) == ["the", "mat"]
    torn = RowMaker(find_task("qa"), small, 9).rows([example])  # 5 at a time: "the" and "mat" fall apart
    assert [row.labels.tolist() for row in torn] == [[0, 0], [0, 0]]


def test_targets_of_words(small: Tokenizer) -> None:
    task = find_task("token-classification")
    example = TokenExample(("the", "cab", "sat"), ("O", "B-x", "O"))
    labels = task.training.labels([example])
    assert labels == ("O", "B-x")
    [row] = RowMaker(task, small, 16, labels).rows([example])
    # [CLS] the c ##a ##b sat [SEP]
    assert row.labels.tolist() == [-1, 0, 1, -1, -1, 0, -1]
    assert row.per_token
    with pytest.raises(DataError, match="'I-y' is no class of the model; it has O, B-x"):
        RowMaker(task, small, 16, labels).rows([replace(example, labels=("O", "I-y", "O"))])


def test_targets_of_texts(small: Tokenizer) -> None:
    task = find_task("classification")
    maker = RowMaker(task, small, 16, ("no", "yes"))
    rows = maker.rows([TextExample("cat", label="yes"), TextExample("cat", label="0")])
    assert [int(row.labels) for row in rows] == [1, 0]
    with pytest.raises(DataError, match="example 7: it has no label"):
        maker.rows([TextExample("cat", id="7")])
    several = RowMaker(task.with_form(replace(task.form, problem_type="multi_label_classification")), small, 16,
                       ("a", "b", "c"))
    assert several.rows([TextExample("cat", label="c,a")])[0].labels.tolist() == [1, 0, 1]
    number = RowMaker(task.with_form(replace(task.form, problem_type="regression")), small, 16)
    assert number.rows([TextExample("cat", label="2.5")])[0].labels.tolist() == [2.5]
    with pytest.raises(DataError, match="'two' is no number"):
        number.rows([TextExample("cat", label="two")])


def test_vocabulary_is_the_same_every_time() -> None:
    texts = ["the cat sat on the mat", "the rat sat on the cat", "Größe: 12 cats' café"] * 3
    words = build_vocabulary(texts, 220)
    assert words[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert len(words) == len(set(words)) <= 220
    assert {"the", "sat", "cat", "~", "##~", "a", "##a"} <= set(words)
    assert "A" not in words
    assert build_vocabulary(texts, 220) == words
    assert build_vocabulary(texts[::-1], 220) == words
    tokenizer = Tokenizer(words)
    assert tokenizer.unk_id not in tokenizer.encode("Any plain English text {with} 1,234 signs!").ids
    assert "G" in build_vocabulary(texts, 300, lower_case=False)
    with pytest.raises(DataError, match="vocab_size is 100"):
        build_vocabulary(texts, 100)


def outputs_of(config: MobileBertConfig, tensors: dict[str, np.ndarray]) -> np.ndarray:
    from mobilebert_lite.graph.encoder import encode

    ids = np.arange(5, 29, dtype=np.int32)[None]
    return np.asarray(encode(tensors, config, ids, np.ones_like(ids), np.zeros_like(ids)))


@pytest.mark.parametrize("change", [{}, {"use_bottleneck_attention": True}, {"use_bottleneck": False}],
                         ids=["shared bottleneck", "bottleneck attention", "no bottleneck"])
def test_stacking_keeps_the_function(tiny_config: MobileBertConfig, change: dict[str, bool]) -> None:
    config = replace(tiny_config, **change)
    tensors = dict(random_weights(config, seed=2).tensors)
    deep = replace(config, num_hidden_layers=5)
    grown = stacked(tensors, deep)
    assert list(grown) == list(random_weights(deep).tensors)
    expected, actual = outputs_of(config, tensors), outputs_of(deep, grown)
    assert np.abs(expected - actual).max() < 1e-5 * np.abs(expected).max()
    assert np.array_equal(grown["layers.3.attention.query.kernel"], tensors["layers.1.attention.query.kernel"])
    zeros = stacked(tensors, deep, fill="zero")
    assert not zeros["layers.2.attention.query.kernel"].any()
    assert zeros["layers.1.attention.query.kernel"].any()


def test_depth_does_not_explode(tiny_config: MobileBertConfig) -> None:
    """The stream at the end of 24 layers without normalization is of the size of its beginning."""
    sizes = [outputs_of(config, dict(initial(config, {}, seed=1).tensors)).std()
             for config in (replace(tiny_config, num_hidden_layers=layers) for layers in (1, 24))]
    assert 0.5 < sizes[1] / sizes[0] < 2.5
    first = initial(tiny_config, {"qa": 2}, seed=1).tensors
    assert all(np.array_equal(first[name], value) for name, value in initial(tiny_config, {"qa": 2}, 1).tensors.items())
    assert not np.array_equal(first["qa.kernel"], initial(tiny_config, {"qa": 2}, 2).tensors["qa.kernel"])
    assert not first["embeddings.word"][0].any()
    assert first["embeddings.word"][1].any()


def test_a_head_is_kept_or_made(tiny_config: MobileBertConfig) -> None:
    weights = random_weights(tiny_config, {"classifier": 4, "nsp": 2}, pooler=True)
    same = with_head(weights, "classifier", 4, seed=0, fresh=False, pooler=True)
    assert same.heads == ("classifier",)
    assert same.has_pooler
    assert same.config.classifier_activation
    assert np.array_equal(same.tensors["classifier.kernel"], weights.tensors["classifier.kernel"])
    for new in (with_head(weights, "classifier", 4, 0, fresh=True, pooler=True),
                with_head(weights, "classifier", 3, 0, fresh=False, pooler=True)):
        assert new.tensors["classifier.kernel"].std() == pytest.approx(0.02, rel=0.3)
    qa = with_head(weights, "qa", 2, 0, fresh=False, pooler=False)
    assert qa.heads == ("qa",)
    assert not qa.has_pooler
    assert not qa.config.classifier_activation


def kinds(splits: dict[str, list[object]], length: int = 16) -> dict[str, int]:
    rows = rows_of([len(getattr(example, "text", "").split()) + 2 for example in splits["data"]])
    return {finding.kind: finding.count for finding in check(splits, rows, length)}


def test_checks_of_texts() -> None:
    clean = [TextExample(f"text number {i}", label=str(i % 2)) for i in range(40)]
    assert kinds({"data": clean, "eval": [TextExample("another", label="0")]}) == {}
    assert kinds({"data": clean, "eval": [TextExample("Text  NUMBER 3", label="1"), TextExample("new", label="1")]}
                 ) == {"leakage": 1}
    assert kinds({"data": [*clean, TextExample("text number 4", label="1")]}) == {"contradiction": 1}
    assert kinds({"data": [*clean, clean[0], clean[0]]}) == {"duplicates": 2}
    rare = [*clean, *(TextExample(f"more {i}", label="0") for i in range(200)), TextExample("one", label="2")]
    assert kinds({"data": rare}) == {"imbalance": 1, "rare": 1}
    assert kinds({"data": clean, "eval": [TextExample("x", label="9")]}) == {"unseen": 1}
    long = [TextExample(f"{i} " * 20, label=str(i % 2)) for i in range(20)]
    assert kinds({"data": long}) == {"length": 20}


def test_checks_of_questions() -> None:
    good = QuestionExample("1", "who", "the cat sat", ("cat",), (4,))
    assert kinds({"data": [good]}) == {}
    assert kinds({"data": [good, replace(good, id="2", question="what", answers=("dog",), answer_starts=(-1,))]}
                 ) == {"answer": 1}
    assert kinds({"data": [replace(good, answer_starts=(3,))]}) == {"answer": 1}
    assert kinds({"data": [good], "eval": [replace(good, id="9")]}) == {"leakage": 1}


def test_options_are_read_back() -> None:
    """Paths too whose bytes are no UTF-8, so that such a training can be resumed."""
    options = TrainOptions("qa", Path(os.fsdecode(b"caf\xe9.json")), Path("out"), stack=(2, 4), distill=("features",))
    assert TrainOptions.from_json(json.loads(json_bytes(options.to_json()))) == options


def test_a_configuration_from_scratch(tmp_path: Path) -> None:
    """A preset by either option, or a file of either writer."""
    def read(**given: object) -> MobileBertConfig:
        return read_configuration(TrainOptions("qa", tmp_path, tmp_path, **given))  # type: ignore[arg-type]

    assert read() == PRESETS["small"]
    assert read(weights="tiny") == read(config=Path("tiny")) == PRESETS["tiny"]
    for name, activation in (("config.json", "gelu"), ("bert_config.json", "gelu_new")):
        (tmp_path / name).write_text('{"vocab_size": 100, "hidden_act": "gelu"}')
        assert read(config=tmp_path / name).hidden_act == activation
