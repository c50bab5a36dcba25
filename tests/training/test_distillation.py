"""A student that learns from a teacher: what is compared, and that it gets nearer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, softmax

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.form import MULTI_LABEL, REGRESSION, Form
from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.weights import Weights, random_weights
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import find_task
from mobilebert_lite.training.batches import EncodedRow, pad
from mobilebert_lite.training.distillation import Transfer, annotated, imitating
from mobilebert_lite.training.objective import TaskObjective, forward, hidden_states
from mobilebert_lite.training.options import TrainOptions
from mobilebert_lite.training.run import train

RNG = np.random.default_rng(5)


def row(tokens: int, label: Any, per_token: bool = False) -> EncodedRow:
    ids = RNG.integers(5, 200, tokens).astype(np.int32)
    return EncodedRow(ids, np.zeros(tokens, np.int32), np.asarray(label, np.int32), per_token)


def eager(weights: Weights) -> dict[str, tf.Tensor]:
    return {name: tf.constant(tensor) for name, tensor in weights.tensors.items()}


def batch_of(rows: Sequence[EncodedRow], length: int = 32) -> dict[str, tf.Tensor]:
    arrays = pad(rows, length, len(rows), 0) | {"seed": np.zeros(2, np.int32)}
    return {name: tf.constant(value) for name, value in arrays.items()}


@pytest.mark.parametrize(("task", "rows"), [
    ("classification", [row(5, 1), row(20, 0), row(31, 1)]),
    ("token-classification", [row(5, [0, 1, 2, 1, 0], True), row(9, [1] * 9, True)]),
    ("qa", [row(6, [1, 3]), row(21, [0, 0]), row(13, [2, 2])])])
def test_rows_carry_what_the_teacher_says(tiny_config: MobileBertConfig, task: str, rows: list[EncodedRow]) -> None:
    """Padded anew, in any order and at any length, the logits are those of the teacher on that batch."""
    head = {"qa": {"qa": 2}}.get(task, {"classifier": 3})
    teacher = random_weights(tiny_config, head, seed=2)
    batch = batch_of(annotated(rows, teacher, find_task(task), Masking(), (16, 32)))
    outputs = forward(eager(teacher), tiny_config, find_task(task), batch, masking=Masking())
    real = batch["mask"].numpy() == 1
    for name, value in outputs.items():
        said = batch[f"teacher.{name}"].numpy()
        assert said.shape == value.shape
        chosen = slice(None) if value.shape[1] != 32 else real
        np.testing.assert_allclose(said[chosen], value.numpy()[chosen], rtol=1e-4, atol=1e-4 * np.abs(value).max())


def divergence(student: np.ndarray, teacher: np.ndarray, temperature: float) -> np.ndarray:
    wanted = softmax(teacher / temperature, axis=-1)
    return temperature ** 2 * np.sum(wanted * (np.log(wanted) - log_softmax(student / temperature, axis=-1)), axis=-1)


def test_the_distance_of_classes() -> None:
    student, teacher = RNG.normal(0, 2, (2, 4, 3)).astype(np.float32)
    batch = {"labels": tf.constant([0, 1, 2, 0]), "teacher.logits": tf.constant(teacher)}
    outputs = {"logits": tf.constant(student)}
    loss = find_task("classification").training.loss()
    found = imitating(loss, find_task("classification"), 0.7, 3.0)(outputs, batch).numpy()
    expected = 0.3 * loss(outputs, batch).numpy() + 0.7 * divergence(student, teacher, 3.0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_distance_of_spans_leaves_padding_out() -> None:
    student, teacher = RNG.normal(0, 2, (2, 2, 3, 8)).astype(np.float32)
    mask = np.array([[1] * 5 + [0] * 3] * 3, np.int32)
    names = ("start_logits", "end_logits")
    batch = {"labels": tf.zeros([3, 2], tf.int32), "mask": tf.constant(mask),
             **{f"teacher.{name}": tf.constant(value) for name, value in zip(names, teacher, strict=True)}}
    outputs = {name: tf.constant(value) for name, value in zip(names, student, strict=True)}
    qa = find_task("qa")
    found = imitating(qa.training.loss(), qa, 1.0, 2.0)(outputs, batch).numpy()
    expected = np.mean([divergence(student[i, :, :5], teacher[i, :, :5], 2.0) for i in range(2)], axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("problem", [MULTI_LABEL, REGRESSION])
def test_other_problems_are_nearest_at_the_teacher(problem: str) -> None:
    teacher = RNG.normal(0, 2, (4, 3)).astype(np.float32)
    batch = {"labels": tf.zeros([4, 3]), "teacher.logits": tf.constant(teacher)}
    task = find_task("classification", Form(problem))
    distance = imitating(task.training.loss(problem), task, 1.0, 2.0)
    there, beside = (distance({"logits": tf.constant(teacher + shift)}, batch).numpy() for shift in (0.0, 0.3))
    assert (beside > there).all()
    if problem == REGRESSION:
        np.testing.assert_allclose(there, 0, atol=1e-6)
        np.testing.assert_allclose(beside, 0.09, rtol=1e-4)


@pytest.mark.parametrize("kind", ["features", "attention"])
def test_layers_are_compared_at_the_same_depth(tiny_config: MobileBertConfig, kind: str) -> None:
    """A student whose layers are the teacher's second and fourth is at no distance; one with the others is."""
    teacher = random_weights(replace(tiny_config, num_hidden_layers=4), {"classifier": 2}, seed=1)
    transfer = Transfer.of(teacher, Masking(), (kind,))
    assert transfer is not None
    batch = batch_of([row(9, 0), row(30, 1)])
    known: dict[str, tf.Tensor] = {}

    def tap(name: str, x: tf.Tensor) -> tf.Tensor:
        known[name] = x
        return x

    hidden_states(eager(teacher), teacher.config, batch, Masking(), tap)
    places = {"features": ("layers.1.stream", "final.stream", ("layers.2.stream", "final.stream")),
              "attention": ("layers.0.attention.probabilities", "layers.1.attention.probabilities",
                            ("layers.1.attention.probabilities", "layers.3.attention.probabilities"))}[kind]
    seen = dict(zip(places[:2], (known[name] for name in places[2]), strict=True))
    np.testing.assert_allclose(transfer(seen, 2, batch), 0, atol=1e-5)
    swapped = dict(zip(places[:2], reversed(seen.values()), strict=True))
    assert (transfer(swapped, 2, batch).numpy() > 1e-3).all()


def test_padding_is_no_matter(tiny_config: MobileBertConfig) -> None:
    """The loss of a row is the same in longer batches, but for the trigram's one [PAD], which both have."""
    teacher = random_weights(tiny_config, {"classifier": 2}, seed=1)
    student = random_weights(tiny_config, {"classifier": 2}, seed=2)
    task = find_task("classification")
    objective = TaskObjective(replace(tiny_config, hidden_dropout_prob=0.0), task, task.training.loss(), Masking(),
                              transfer=Transfer.of(teacher, Masking(), ("features", "attention")))
    rows = [row(9, 0), row(14, 1)]
    short, long = (float(objective(eager(student), batch_of(rows, length))) for length in (16, 48))
    plain = float(replace(objective, transfer=None)(eager(student), batch_of(rows, 16)))
    assert short > plain + 0.1
    np.testing.assert_allclose(short, long, rtol=1e-3)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "texts.jsonl"
    words = ("cat", "dog", "mat", "sat", "who", "the")
    path.write_text("".join(json.dumps({"text": " ".join(RNG.choice(words, 6)), "label": str(i % 4)}) + "\n"
                            for i in range(64)), encoding="utf-8")
    return path


def test_a_student_gets_nearer_to_its_teacher(tiny_classifier: Path, tiny_config: MobileBertConfig, texts: Path,
                                              tmp_path: Path) -> None:
    """One layer learns what two say, by all three ways at once."""
    teacher = huggingface.load(tiny_classifier)
    student = random_weights(replace(teacher.config, num_hidden_layers=1), {"classifier": 4}, pooler=True, seed=9)
    folder = tmp_path / "student"
    vocabulary = (tiny_classifier / "vocab.txt").read_text(encoding="utf-8").split("\n")
    huggingface.save(student, folder, vocabulary=tuple(word for word in vocabulary if word), lower_case=True)
    options = TrainOptions("classification", texts, tmp_path / "out", texts, str(folder), seq_len=16, epochs=6,
                      learning_rate=3e-3, batch_size=16, teacher=str(tiny_classifier), distill_weight=1.0, dropout=0.0,
                      distill=("logits", "features", "attention"))
    report = train(options).report
    losses = [entry["loss"] for entry in report["history"] if entry["step"]]  # before the first there is none
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize(("change", "distill", "reason"), [
    ({"hidden_size": 32}, ("features",), "same hidden_size; they have 64 and 32"),
    ({"num_attention_heads": 2}, ("attention",), "same num_attention_heads; they have 4 and 2")])
def test_teachers_of_other_shapes(tiny_classifier: Path, tiny_config: MobileBertConfig, texts: Path, tmp_path: Path,
                                  change: dict[str, int], distill: tuple[str, ...], reason: str) -> None:
    config = tmp_path / "config.json"
    told = json.loads((tiny_classifier / "config.json").read_text(encoding="utf-8"))
    config.write_text(json.dumps(told | change), encoding="utf-8")
    options = TrainOptions("classification", texts, tmp_path / "out", texts, config=config, seq_len=16, epochs=1,
                      vocabulary=tiny_classifier / "vocab.txt", teacher=str(tiny_classifier), distill=distill)
    with pytest.raises(DataError, match=reason):
        train(options)


def test_a_teacher_of_other_classes(tiny_classifier: Path, texts: Path, tmp_path: Path) -> None:
    """In another order they would be learnt crosswise; numbers are in the teacher's own."""
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"{name}\n" for name in ("3", "x", "y", "z")), encoding="utf-8")
    options = TrainOptions("classification", texts, tmp_path / "out", texts, seq_len=16, epochs=1, labels=labels,
                      vocabulary=tiny_classifier / "vocab.txt", teacher=str(tiny_classifier))
    with pytest.raises(DataError, match=r"the teacher's classes are .*, the student's 3, x, y, z"):
        train(options)


def test_a_teacher_of_other_words(tiny_classifier: Path, texts: Path, tmp_path: Path) -> None:
    options = TrainOptions("classification", texts, tmp_path / "out", texts, seq_len=16, epochs=1, vocab_size=300,
                      teacher=str(tiny_classifier))
    with pytest.raises(DataError, match=r"another vocabulary than the student; .*--vocab"):
        train(options)
    assert not (tmp_path / "out").exists()  # or the next try would be told that a training was begun there
