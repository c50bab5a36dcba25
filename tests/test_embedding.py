"""Sentence embeddings: pooling in the graph, against NumPy; what is printed, scored and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import mbl

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.form import Form
from mobilebert_lite.architecture.pooling import POOLINGS, Pooling
from mobilebert_lite.architecture.weights import Weights, random_weights
from mobilebert_lite.conversion.plan import pooling_assumed
from mobilebert_lite.datasets.reading import read_examples
from mobilebert_lite.errors import DataError, RequestError
from mobilebert_lite.evaluation.evaluate import EvalRequest, evaluate
from mobilebert_lite.fusion.pipeline import fuse, fuse_last
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.running.model import Model
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tasks.choose import choose_form
from mobilebert_lite.tasks.embedding import cosines
from mobilebert_lite.tasks.embedding.retrieval import measures, ranks_of
from mobilebert_lite.tasks.scoring import ScorerOptions
from mobilebert_lite.text.examples import TextExample

FileOf = Callable[[str, str], Path]
TEXTS = ("the red light", "a red light at night", "how many minutes does a full charge take?")


def rows(weights: Weights, length: int = 12) -> list[dict[str, np.ndarray]]:
    """A full sequence, one with padding, and one of [CLS] and [SEP] alone."""
    rng = np.random.default_rng(3)
    found = []
    for used in (length, 7, 2):
        mask = (np.arange(length) < used).astype(np.int32)[None]
        ids = rng.integers(5, weights.config.vocab_size, (1, length)).astype(np.int32) * mask
        found.append({"ids": ids, "mask": mask, "segment_ids": np.zeros_like(ids)})
    return found


def pooled(hidden: np.ndarray, mask: np.ndarray, form: Form, weights: Weights) -> np.ndarray:
    """What sentence-transformers' modules make of the last hidden states, in NumPy. *Shape:* (S, H), (S,) → (D,)"""
    words = hidden[mask == 1].astype(np.float64)
    vector = {"mean": words.mean(axis=0), "cls": words[0], "max": words.max(axis=0)}[form.pooling]
    if form.dense:
        vector = vector @ weights.tensors["embedding.kernel"] + weights.tensors["embedding.bias"]
        vector = np.tanh(vector) if form.dense == "tanh" else vector
    return vector / np.linalg.norm(vector) if form.normalize else vector


@pytest.fixture(scope="module")
def weights(tiny_config: MobileBertConfig) -> Weights:
    """With a dense layer, and hidden states that are all below zero, where padding's zeros would be the greatest."""
    made = random_weights(replace(tiny_config, num_hidden_layers=1), {"embedding": 5}, pooler=True, seed=2)
    name = "layers.0.output.norm.beta"
    return made.with_tensors({**made.tensors, name: made.tensors[name] - 30.0})


@pytest.mark.parametrize("dense", ["", "linear", "tanh"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_graph_pools_as_numpy_does(weights: Weights, pooling: str, dense: str) -> None:
    """Before and after fusion, with the mask computed and looked up; padding has no part in it."""
    form = Form(pooling=pooling, normalize=dense != "linear", dense=dense)
    task, inputs = find_task("embedding", form), rows(weights)
    hidden = Network(weights.config, weights.tensors, find_task("features")).run(inputs)
    wanted = [pooled(one["sequence_output"][0], row["mask"][0], form, weights)
              for one, row in zip(hidden, inputs, strict=True)]
    fused = fuse_last(fuse(weights, task))
    assert fused.plan.cls_only is (pooling == "cls")
    for network in (Network(weights.config, weights.tensors, task),
                    *(Network(weights.config, one.tensors, task, plan=one.plan)
                      for one in (fused, fused.tabulated(True)))):
        for found, vector in zip(network.run(inputs), wanted, strict=True):
            # Sums of 64 products in float32, of numbers around 30: some steps of 1e-6.
            assert np.abs(found["embedding"][0] - vector).max() <= 3e-5 * np.abs(vector).max()


def test_length_one_holds_in_float16_range(weights: Weights) -> None:
    """Hidden states of 1e7, as published checkpoints have them at [CLS], are scaled where only the direction counts."""
    large = weights.with_tensors({**weights.tensors, **{
        name: weights.tensors[name] * np.float32(1e6) for name in ("layers.0.output.norm.gamma",
                                                                   "layers.0.output.norm.beta")}})
    found = {}
    for normalize in (True, False):
        task = find_task("embedding", Form(pooling="mean", normalize=normalize))
        fused = fuse_last(fuse(large, task))
        found[normalize] = np.abs(fused.tensors["final.beta"]).max()
        notes = {note.rule: note for note in fused.notes}
        assert notes["unit-scale"].applied is normalize
        network = Network(large.config, fused.tensors, task, plan=fused.plan)
        length = [np.linalg.norm(one["embedding"]) for one in network.run(rows(large))]
        assert (np.allclose(length, 1.0, atol=1e-5) if normalize else min(length) > 1e7)
    assert 0.5 <= found[True] <= 2 < 1e7 < found[False]


def test_what_is_asked_for_counts_before_what_the_checkpoint_says(weights: Weights) -> None:
    task = find_task("embedding")
    said = replace(weights, pooling=Pooling("max", True, "tanh", max_length=24))
    assert choose_form(weights, task, []) == Form(pooling="mean")
    assert choose_form(said, task, []) == Form(pooling="max", normalize=True, dense="tanh")
    asked = choose_form(said, task, [], pooling="cls", normalize=False)
    assert asked == Form(pooling="cls", dense="tanh")
    assert (task.usual_length(said), task.usual_length(weights)) == (24, 128)
    [line] = pooling_assumed(said.pooling, asked)
    assert "say max pooling, a dense layer (tanh), normalized; the file has cls pooling, a dense layer (tanh)" in line
    assert not list(pooling_assumed(said.pooling, choose_form(said, task, [])))
    [line] = pooling_assumed(None, Form(pooling="mean"))
    assert "no modules.json" in line
    assert "mean pooling, not normalized" in line
    for options, flag in (({"pooling": "mean"}, "--pooling"), ({"normalize": False}, "--no-normalize"),
                          ({"normalize": True}, "--normalize")):
        with pytest.raises(RequestError, match=f"{flag} is for embedding, not for features"):
            choose_form(weights, find_task("features"), [], **options)
    with pytest.raises(RequestError, match="pooling is 'sum'; known are mean, cls, max"):
        Form(pooling="sum")


def test_vectors_and_similarities(file_of: FileOf) -> None:
    """In Python and on the command line."""
    path = file_of("embedding", "int8")
    model = Model(path)
    vectors = model.embed(TEXTS)
    assert vectors.shape == (3, 24)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert np.array_equal(vectors[0], model.embed(TEXTS[0]))
    exact = Model(file_of("embedding", "none")).embed(TEXTS)
    assert cosines(vectors, exact).diagonal().min() > 0.99
    alike = model.similarity(TEXTS[0], TEXTS[1])
    assert alike == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-6)
    assert model.similarity(TEXTS[0], TEXTS[0]) == pytest.approx(1.0)
    with pytest.raises(DataError, match="an embedding is of one text"):
        model.embed("a", "b")
    with pytest.raises(DataError, match="the text is empty"):
        model.embed(["a", ""])

    said = json.loads(mbl("run", path, "--text", TEXTS[0], "--json").stdout)
    assert said["embedding"] == pytest.approx(vectors[0].tolist(), abs=1e-6)
    shown = json.loads(mbl("run", path, "--text", TEXTS[0]).stdout)
    assert shown == pytest.approx(vectors[0].tolist(), abs=1e-5)
    assert mbl("run", path, "--text", TEXTS[0], "--pair", TEXTS[1]).stdout == f"similarity\t{alike:.4f}\n"


def write(path: Path, examples: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(one)}\n" for one in examples), encoding="utf-8")
    return path


def test_similarities_are_scored(file_of: FileOf, tmp_path: Path) -> None:
    """Against scipy, on a table as GLUE's; the scale of the scores does not matter."""
    from scipy import stats

    model = Model(file_of("embedding", "none"))
    words = ["red", "light", "night", "water", "minutes", "charge", "phone", "salt"]
    pairs = [(f"the {a} of the {b}", f"some {b}") for a, b in zip(words, words[3:] + words[:3], strict=True)]
    scores = [0.0, 5.0, 2.5, 2.5, 1.0, 4.2, 3.3, 0.8]
    data = tmp_path / "sts.tsv"
    data.write_text("sentence1\tsentence2\tscore\n" + "".join(f"{a}\t{b}\t{score}\n" for (a, b), score
                                                             in zip(pairs, scores, strict=True)))
    found = evaluate(EvalRequest(file_of("embedding", "none"), data))
    cosine = [model.similarity(*pair) for pair in pairs]
    assert found.report["metrics"] == {
        "pearson": pytest.approx(100 * stats.pearsonr(scores, cosine).statistic),
        "spearman": pytest.approx(100 * stats.spearmanr(scores, cosine).statistic), "total": 8}
    assert found.scorer.metric == "spearman"
    assert found.scorer.official(found.examples, found.predictions).startswith("index\tprediction\n0\t")
    single = write(tmp_path / "single.jsonl", [{"text": "a", "label": 1}])
    with pytest.raises(DataError, match="has one text; scoring similarities takes pairs"):
        evaluate(EvalRequest(file_of("embedding", "none"), single))


def test_searches_are_scored(file_of: FileOf, tmp_path: Path) -> None:
    """Every query ranks all documents of the file; texts without a query are documents."""
    documents = ["the red light", "water and salt", "twenty minutes", "a phone charge", "iron and blood", "the night"]
    data = write(tmp_path / "queries.jsonl", [
        {"query": "the red light", "positives": ["the red light"], "negatives": ["water and salt"], "id": "same"},
        {"anchor": "how many minutes?", "positive": "twenty minutes", "negative": "a phone charge"},
        {"query": "a phone", "positives": ["a phone charge", "iron and blood"]}, {"text": "the night"}])
    path = file_of("embedding", "none")
    found = evaluate(EvalRequest(path, data, options=ScorerOptions(metric="mrr")))
    model = Model(path)
    scores = cosines(model.embed(["the red light", "how many minutes?", "a phone"]), model.embed(documents))
    relevant = [{0}, {2}, {3, 4}]
    ranked = [list(np.argsort(-row, kind="stable")) for row in scores]
    first = [min(order.index(one) for one in wanted) + 1 for order, wanted in zip(ranked, relevant, strict=True)]
    metrics = found.report["metrics"]
    assert (metrics["total"], metrics["documents"]) == (3, 6)
    assert metrics["mrr"] == pytest.approx(100 * np.mean([1 / one for one in first])) == found.score.value
    for k in (1, 5):
        assert metrics[f"recall@{k}"] == pytest.approx(100 * np.mean(
            [len(wanted & set(order[:k])) / len(wanted) for order, wanted in zip(ranked, relevant, strict=True)]))
    gains = np.array([[float(i in wanted) for i in range(6)] for wanted in relevant])
    assert metrics["ndcg@10"] == pytest.approx(100 * _ndcg(gains, ranked))
    assert found.predictions[0]["ranks"] == [1]
    run = found.scorer.official(found.examples, found.predictions).splitlines()
    assert len(run) == 18
    assert run[0].split() == ["same", "Q0", "0", "1", "1.000000", "mbl"]


def _ndcg(gains: np.ndarray, ranked: list[list[int]]) -> float:
    """By the definition: discounted gains over those of the best order."""
    discounts = 1 / np.log2(np.arange(2, gains.shape[1] + 2))
    return float(np.mean([(row[order] * discounts).sum() / (np.sort(row)[::-1] * discounts).sum()
                          for row, order in zip(gains, ranked, strict=True)]))


def test_ranks_and_measures() -> None:
    """Of equal documents the earlier one comes first; beyond rank 10 nothing is gained."""
    assert ranks_of([2, 0], np.array([0.5, 0.9, 0.5, 0.1])) == [2, 3]
    assert measures([1]) == {"recall@1": 1, "recall@5": 1, "recall@10": 1, "mrr": 1, "ndcg@10": 1}
    found = measures([3, 20])
    assert found == {"recall@1": 0, "recall@5": 0.5, "recall@10": 0.5, "mrr": 1 / 3,
                     "ndcg@10": pytest.approx(0.5 / (1 + 1 / np.log2(3)))}


@pytest.mark.parametrize(("row", "message"), [
    ({"query": " ", "positives": ["a"]}, "query is ' '; it must be a text"),
    ({"query": "a"}, "the query has no positives"),
    ({"query": "a", "positives": [1]}, r"positives is '\[1\]'; it must be a list of texts"),
    ({"query": "a", "positives": ["b"], "negatives": [" "]}, "negatives is"),
])
def test_queries_that_cannot_be_scored(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"line 1: {message}"):
        read_examples(write(tmp_path / "data.jsonl", [row]), "embedding")


def test_a_pair_makes_two_sequences(file_of: FileOf) -> None:
    """Each text is embedded by itself: no [SEP] in the middle, no second segment."""
    model = Model(file_of("embedding", "none"))
    found = model.task.features(model.tokenizer, TextExample("red light", "blood"), 16)
    assert [one.length_used for one in found] == [4, 3]
    assert not any(one.segment_ids.any() for one in found)
    assert np.array_equal(model.ask(TextExample("red light", "blood")), model.embed(["red light", "blood"]))


def test_training_is_refused(tmp_path: Path) -> None:
    """As what it is, and before anything is read."""
    done = mbl("train", "--task", "embedding", "--data", tmp_path / "absent.tsv", "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "models for embedding cannot be trained here; train them with sentence-transformers" in done.stderr
