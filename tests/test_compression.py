"""Networks made smaller: the algebra of leaving out and refitting, and `mbl compress` as users run it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from commands import mbl
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

import mobilebert_lite
from mobilebert_lite.architecture.config import MobileBertConfig, from_huggingface, to_huggingface
from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.shape import BlockShape
from mobilebert_lite.architecture.weights import Weights, random_weights
from mobilebert_lite.compression.batches import TextBatch
from mobilebert_lite.compression.cost import multiplications
from mobilebert_lite.compression.cutting import Kept, cut, everything
from mobilebert_lite.compression.knapsack import Item, Part, solve, total
from mobilebert_lite.compression.refit import fit, rebuild
from mobilebert_lite.compression.surgeon import curve
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.errors import ConfigError, RequestError
from mobilebert_lite.graph.encoder import encode
from mobilebert_lite.tasks import find_task

BUNDLED = Path(mobilebert_lite.__file__).parent / "data" / "demo" / "classification"
SMALL = MobileBertConfig(vocab_size=20, hidden_size=12, num_hidden_layers=3, num_attention_heads=2,
                         intermediate_size=6, embedding_size=6, intra_bottleneck_size=8, max_position_embeddings=8,
                         num_feedforward_networks=2, classifier_activation=False)
VARIANTS = ({}, {"use_bottleneck": False, "hidden_size": 8}, {"use_bottleneck_attention": True},
            {"key_query_shared_bottleneck": False})


def hidden(weights: Weights, batch: TextBatch) -> np.ndarray:
    """Last hidden states, in float64. *Shape:* [rows, length, hidden]"""
    tensors = {name: tf.constant(tensor, tf.float64) for name, tensor in weights.tensors.items()}
    found: np.ndarray = encode(tensors, weights.config, *(tf.constant(batch[name]) for name in (
        "ids", "mask", "segment_ids")), masking=Masking()).numpy()
    return found


def texts(rows: int, seed: int, length: int = 8) -> TextBatch:
    rng = np.random.default_rng(seed)
    used = rng.integers(2, length + 1, (rows, 1))
    return {"ids": rng.integers(0, 20, (rows, length)).astype(np.int32),
            "mask": (np.arange(length) < used).astype(np.int32),
            "segment_ids": (np.arange(length) >= used // 2).astype(np.int32)}


def zeroed(weights: Weights, kept: list[Kept]) -> Weights:
    """The full network with zeros where something is not kept, so that it adds a bias alone."""
    tensors = dict(weights.tensors)
    for block, stays in zip(weights.config.blocks, kept, strict=True):
        layers = [(f"{block.name}.attention.output", stays.columns(block.head_size))]
        layers += [(f"{scope}.output", np.array(units, int)) for scope, units in zip(block.networks, stays.units,
                                                                                     strict=True)]
        if not stays.whole:
            layers.append((f"{block.name}.output", np.zeros(0, int)))
        for layer, rows in layers:
            kernel = np.zeros_like(tensors[f"{layer}.kernel"])
            kernel[rows] = tensors[f"{layer}.kernel"][rows]
            tensors[f"{layer}.kernel"] = kernel
    return weights.with_tensors(tensors)


@st.composite
def choices(draw: st.DrawFn, config: MobileBertConfig) -> list[Kept]:
    def some(count: int) -> tuple[int, ...]:
        return tuple(i for i in range(count) if draw(st.booleans()))

    found = [Kept(some(block.heads), tuple(map(some, block.feed_forward))) for block in config.blocks]
    if config.use_bottleneck:
        found = [one if draw(st.integers(0, 3)) else Kept((), ((),) * len(one.units), whole=False) for one in found]
    return found


@examples(12)
@given(data=st.data(), variant=st.sampled_from(VARIANTS), seed=st.integers(0, 2**31))
def test_a_cut_network_is_the_full_one_with_zeros(data: st.DataObject, variant: dict[str, int], seed: int) -> None:
    config = replace(SMALL, **variant)  # type: ignore[arg-type]
    weights = random_weights(config, {"qa": 2}, seed=seed)
    kept = data.draw(choices(config))
    batch = texts(2, seed)
    try:
        small = cut(weights, kept)
    except RequestError:
        assert not any(one.whole and (config.use_bottleneck or one.heads or any(one.units)) for one in kept)
        return
    expected, actual = hidden(zeroed(weights, kept), batch), hidden(small, batch)
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(expected).max())
    assert small.parameters < weights.parameters or kept == everything(config)
    again = from_huggingface(json.loads(json.dumps(to_huggingface(small.config))))
    assert again == small.config


def test_blocks_that_are_left_out_whole_leave_a_plain_network(tmp_path: Path) -> None:
    """transformers can read it, and `mbl export` writes it."""
    kept = everything(SMALL)
    kept[0] = Kept((), ((), ()), whole=False)
    small = cut(random_weights(SMALL, {"qa": 2}, seed=1), kept)
    assert small.config == replace(SMALL, num_hidden_layers=2)
    huggingface.save(small, tmp_path / "small")
    done = mbl("export", tmp_path / "small", "--to", "huggingface", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "config.json").read_text())["model_type"] == "mobilebert"


def test_a_step_that_is_normalized_stays() -> None:
    weights = random_weights(replace(SMALL, normalization_type="layer_norm"))
    kept = everything(weights.config)
    kept[1] = replace(kept[1], units=((), kept[1].units[1]))
    with pytest.raises(RequestError, match=r"layers\.1\.ffn\.0 cannot be left out whole"):
        cut(weights, kept)


@examples(20)
@given(seed=st.integers(0, 2**31), gone=st.integers(1, 4))
def test_what_others_can_say_goes_at_no_loss(seed: int, gone: int) -> None:
    """Inputs that are sums of others: the surgeon takes these first, and the refit is exact."""
    rng = np.random.default_rng(seed)
    independent = rng.normal(0, 1, (200, 8))
    inputs = np.hstack([independent, independent @ rng.normal(0, 1, (8, gone)) + rng.normal(0, 1, gone)])
    kernel, bias = rng.normal(0, 1, (8 + gone, 5)), rng.normal(0, 1, 5)
    found = curve(np.cov(inputs.T, bias=True), kernel, np.eye(5))
    # The ridge on the covariance is 1e-5 of its mean, and an input may weigh several times as much as the mean.
    assert found.errors[gone] <= 1e-3 * found.errors[-1]
    rows = list(found.kept(8))
    refitted, shift = fit(inputs[:, rows], inputs @ kernel + bias, kernel[rows])
    wanted = inputs @ kernel + bias
    assert np.square(inputs[:, rows] @ refitted + shift - wanted).mean() <= 1e-3 * wanted.var()


def test_the_surgeon_knows_the_error_of_the_best_fit() -> None:
    """Its errors are those of a least-squares fit of what stays, for single inputs and for groups."""
    rng = np.random.default_rng(3)
    inputs = rng.normal(0, 1, (500, 12)) @ rng.normal(0, 1, (12, 12))
    kernel, metric = rng.normal(0, 1, (12, 4)), np.diag([1.0, 2.0, 0.5, 3.0])
    centered = inputs - inputs.mean(0)
    for group in (1, 3):
        found = curve(centered.T @ centered / len(inputs), kernel, metric, group)
        for count in range(1, 12 // group):
            rows = [group * i + j for i in found.kept(12 // group - count) for j in range(group)]
            solution, *_ = np.linalg.lstsq(centered[:, rows], centered @ kernel, rcond=None)
            left = centered @ kernel - centered[:, rows] @ solution
            expected = float(np.mean(np.sum(left @ metric * left, axis=1)))
            assert found.errors[count] == pytest.approx(expected, rel=0.02)


def test_a_rebuilt_network_makes_up_for_what_is_gone() -> None:
    """All kept: the same network. Two equal units: one goes at no loss. More gone: nearer than without fitting."""
    weights = random_weights(SMALL, {"qa": 2}, seed=5)
    tensors = dict(weights.tensors)
    for part in ("kernel", "bias"):
        twin = tensors[f"layers.0.ffn.1.intermediate.{part}"].copy()
        twin[..., 4] = twin[..., 1]
        tensors[f"layers.0.ffn.1.intermediate.{part}"] = twin
    weights = weights.with_tensors(tensors)
    some = [texts(40, 1), texts(40, 2)]
    batch = texts(5, 9)
    expected, real = hidden(weights, batch), batch["mask"].astype(bool)

    def error(small: Weights) -> float:
        return float(np.abs(hidden(small, batch) - expected)[real].max() / np.abs(expected).max())

    kept = everything(SMALL)
    assert error(rebuild(weights, kept, Masking(), some)) < 1e-3
    kept[0] = replace(kept[0], units=(kept[0].units[0], (0, 1, 2, 3, 5)))
    assert error(rebuild(weights, kept, Masking(), some)) < 1e-3 < error(cut(weights, kept))
    kept[1] = Kept((), ((),) * 2, whole=False)
    kept[2] = Kept((1,), ((0, 3), ()))
    assert error(rebuild(weights, kept, Masking(), some)) < 0.7 * error(cut(weights, kept))


@examples(30)
@given(seed=st.integers(0, 2**31), share=st.floats(0.2, 1.0))
def test_the_knapsack_finds_the_best_choice(seed: int, share: float) -> None:
    """Against all choices there are; costs are rounded to 1/2000 of the budget."""
    rng = np.random.default_rng(seed)
    items = [Item([Part(np.arange(3) * rng.integers(1, 9) * 10.0, np.sort(rng.random(3))[::-1]) for _ in range(2)],
                  float(rng.integers(0, 3) * 10), float(rng.choice([rng.random() * 2, np.inf]))) for _ in range(3)]

    def error(chosen: tuple[tuple[int, int] | None, ...]) -> float:
        return sum(item.dropped if sizes is None else item.parts[0].errors[sizes[0]] + item.parts[1].errors[sizes[1]]
                   for item, sizes in zip(items, chosen, strict=True))

    everyone = list(itertools.product(*[[None, *itertools.product(range(3), range(3))]] * 3))
    budget = share * total(items, [(2, 2)] * 3)
    best = min((error(one) for one in everyone if total(items, one) <= budget), default=np.inf)
    found = solve(items, budget)
    if found is None:
        assert best == np.inf
        return
    assert total(items, found) <= budget
    rounded = min((error(one) for one in everyone if total(items, one) <= budget * 0.98), default=np.inf)
    assert best - 1e-9 <= error(tuple(found)) <= rounded + 1e-9  # type: ignore[arg-type]


def test_multiplications_are_those_of_the_dense_layers() -> None:
    """At one token, where attention itself adds two for each channel, they are the sizes of all kernels."""
    shapes = (BlockShape(1, (3,)), BlockShape(0, (5, 2)), BlockShape(2, ()))
    weights = random_weights(replace(SMALL, shapes=shapes), {"qa": 2})
    kernels = sum(tensor.size for name, tensor in weights.tensors.items() if name.endswith("kernel"))
    assert multiplications(weights, find_task("qa"), 1) == kernels + 2 * 4 * 3


@pytest.mark.parametrize(("change", "told"), [
    ({"version": 2}, "uneven.version is 2; this release reads 1"),
    ({"blocks": []}, "must be a list with one row for each block"),
    ({"blocks": [{"attention_heads": 1, "feed_forward": [3]}]}, "has 1 rows, but num_hidden_layers is 3"),
    ({"blocks": [{"attention_heads": 3, "feed_forward": []}] * 3}, "from 0 to num_attention_heads, 2"),
    ({"blocks": [{"attention_heads": 1, "feed_forward": [7]}] * 3}, "from 1 to intermediate_size, 6"),
    ({"blocks": [{"attention_heads": 1, "feed_forward": [1] * 3}] * 3}, "the most is num_feedforward_networks, 2"),
    ({"blocks": [{"attention_heads": True, "feed_forward": [1]}] * 3}, "attention_heads True"),
    ({"blocks": [{"attention_heads": 1}] * 3}, r"blocks\[0\] must have attention_heads"),
    ({"more": 1}, "unknown keys more")])
def test_shapes_that_cannot_be_are_refused(change: dict[str, object], told: str) -> None:
    raw = to_huggingface(replace(SMALL, shapes=(BlockShape(1, (3,)),) * 3))
    raw["uneven"] = {**raw["uneven"], **change}
    with pytest.raises(ConfigError, match=told):
        from_huggingface(raw)


@pytest.fixture(scope="module")
def compressed(tmp_path_factory: pytest.TempPathFactory, tiny_qa: Path) -> tuple[Path, Path]:
    """A checkpoint made smaller by the command, and the questions that it was made with."""
    folder = tmp_path_factory.mktemp("compressed")
    data = folder / "questions.json"
    words = ["the", "salt", "low", "second", "red", "wall", "high", "small", "year", "place", "phone", "water"]
    paragraphs = [{"context": " ".join(words[i % 11:] + words[:i % 3]), "qas": [{
        "id": str(i), "question": f"is {words[i % 7]} {words[i % 5]}",
        "answers": [{"text": words[i % 11], "answer_start": 0}]}]} for i in range(60)]
    data.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
    done = mbl("compress", "--weights", tiny_qa, "--data", data, "--speedup", "1.4", "--seq-len", "32", "-o",
               folder / "small")
    assert done.returncode == 0, done.stderr
    return folder / "small", data


def answers(small: Path, data: Path, file: Path) -> None:
    """``small`` becomes an int8 file, and that answers."""
    done = mbl("convert", "--weights", small, "--task", "qa", "--seq-len", "32", "--calibration", data, "-o", file)
    assert done.returncode == 0, done.stderr
    done = mbl("run", file, "--question", "is red low", "--context", "the red wall", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


def test_compressed_converted_run(compressed: tuple[Path, Path], tmp_path: Path) -> None:
    small, data = compressed
    report = json.loads((small / "compression.json").read_text())
    assert report["multiplications"]["speedup"] >= 1.4
    weights = huggingface.load(small)
    assert multiplications(weights, find_task("qa"), 32) == report["multiplications"]["small"]
    assert [one.to_json() for one in weights.config.shapes] == report["shapes"]
    answers(small, data, tmp_path / "small.tflite")


@pytest.mark.slow
def test_compressed_trained_quantized_run(compressed: tuple[Path, Path], tmp_path: Path) -> None:
    """The smaller network learns with its weights in int8, and its file answers."""
    small, data = compressed
    trained = tmp_path / "trained"
    done = mbl("train", "--weights", small, "--task", "qa", "--data", data, "--eval", data, "--seq-len", "32",
               "--batch-size", "32", "--epochs", "1", "--quantize", "int8", "--no-jit", "--threads", "1", "-o", trained)
    assert done.returncode == 0, done.stderr
    assert huggingface.load(trained).config.shapes == huggingface.load(small).config.shapes != ()
    answers(trained, data, tmp_path / "small.tflite")


@pytest.mark.slow
def test_the_fastest_that_keeps_its_score(shared: Callable[..., Path], tmp_path: Path) -> None:
    """Of the bundled classifier, on texts that it did not learn from; no speedup is tried twice."""
    texts, labels = (shared("data", "snips", name).read_text(encoding="utf-8").splitlines()[:400]
                     for name in ("test.seq.in", "test.label"))
    data = tmp_path / "data.tsv"
    rows = [f"{text}\t{label}\n" for text, label in zip(texts, labels, strict=True)]
    data.write_text("".join(["text\tlabel\n", *rows]), encoding="utf-8")
    done = mbl("compress", "--weights", BUNDLED, "--data", data, "--eval", data, "--max-drop", "1", "-o",
               tmp_path / "small")
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    told = json.loads((tmp_path / "small" / "compression.json").read_text(encoding="utf-8"))
    tried = [float(line.partition("×")[0].strip(" ·")) for line in done.stderr.splitlines() if "×: accuracy" in line]
    assert len(tried) == len(set(tried)) > 2
    assert told["multiplications"]["speedup"] > 1.3
    assert told["score"]["small"] >= told["score"]["full"] - 1


def test_no_other_format_holds_it(compressed: tuple[Path, Path], tmp_path: Path) -> None:
    done = mbl("export", compressed[0], "--to", "huggingface", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert "one shape for all blocks" in done.stderr
    assert "layers." in done.stderr
    assert not (tmp_path / "out").exists()


def test_wrong_requests(tiny_qa: Path, compressed: tuple[Path, Path], tmp_path: Path) -> None:
    asked = ("compress", "--weights", tiny_qa, "--data", compressed[1], "-o", tmp_path / "out")
    assert mbl(*asked).returncode == 2
    done = mbl(*asked, "--speedup", "50", "--seq-len", "32")
    assert done.returncode == 1
    assert "--speedup 50 cannot be reached" in done.stderr
    assert not (tmp_path / "out").exists()
