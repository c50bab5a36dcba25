"""Every task scored: a model that is asked for its own answers has all of them right, and known mistakes count."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from heads import HEADS, LENGTH, TAGS, save

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.form import Form
from mobilebert_lite.conversion.reference import float_file
from mobilebert_lite.converters.checkpoints import load_checkpoint
from mobilebert_lite.datasets.reading import builtin_examples
from mobilebert_lite.errors import DataError
from mobilebert_lite.evaluation.compare import compare
from mobilebert_lite.evaluation.evaluate import EvalRequest, EvalResult, evaluate
from mobilebert_lite.evaluation.scorers import ScorerOptions, find_scorer
from mobilebert_lite.running.model import Model
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tasks.classification.numbers import MultiLabelScorer, RegressionScorer
from mobilebert_lite.tasks.classification.one_class import ClassificationScorer
from mobilebert_lite.tasks.masked_lm.scorer import MaskedScorer
from mobilebert_lite.tasks.multiple_choice.scorer import ChoiceScorer
from mobilebert_lite.tasks.token_classification import conll
from mobilebert_lite.tasks.token_classification.scorer import EntityScorer
from mobilebert_lite.text.examples import ChoiceExample, TextExample, TokenExample

Made = Callable[[str], Path]


@pytest.fixture(scope="module")
def made(tiny_config: MobileBertConfig, tiny_vocabulary: Sequence[str], file_of: Callable[[str, str], Path],
         tmp_path_factory: pytest.TempPathFactory) -> Made:
    """``made("regression")``: that checkpoint of HEADS as a float file; two forms as ``--against`` would make them."""
    folder = tmp_path_factory.mktemp("scorers")
    forms = {"multi-label": Form("multi_label_classification"), "multiple-choice": Form(choices=3)}

    @cache
    def make(name: str) -> Path:
        if name not in forms:
            return file_of(name, "none")
        task = find_task(HEADS[name].task, forms[name])
        checkpoint = load_checkpoint(str(save(name, tiny_config, tiny_vocabulary, folder)), task.name)
        path = folder / f"{name}.tflite"
        path.write_bytes(float_file(checkpoint, task, (LENGTH,)))
        return path

    return make


def scored(made: Made, name: str, rows: Sequence[dict[str, Any]], folder: Path, **options: Any) -> EvalResult:
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return evaluate(EvalRequest(made(name), data, options=ScorerOptions(**options)))


TEXTS = [example.text for example in builtin_examples("classification")[:10]]


def test_entities(made: Made, tmp_path: Path) -> None:
    model = Model(made("token-classification"))
    rows = [{"words": text.split(), "labels": conll.predict(model, TokenExample(tuple(text.split())))}
            for text in TEXTS]
    result = scored(made, "token-classification", rows, tmp_path)
    assert (result.score.value, result.score.low, result.report["metrics"]["total"]) == (100, 100, 10)
    rows[0]["labels"] = ["O"] * len(rows[0]["labels"])
    other = scored(made, "token-classification", rows, tmp_path)
    predicted = [prediction["labels"] for prediction in other.predictions]
    assert other.report["metrics"] == pytest.approx(conll.score([row["labels"] for row in rows], predicted))
    assert other.score.value < 100
    lines = other.scorer.official(other.examples, other.predictions).splitlines()
    assert lines[0].split(" ")[:2] == [rows[0]["words"][0], "O"]
    assert lines.count("") == 10


def test_numbers(made: Made, tmp_path: Path) -> None:
    model = Model(made("regression"))
    rows = [{"text": text, "label": 2 * model.predict(text)[0].value + 1} for text in TEXTS]
    result = scored(made, "regression", rows, tmp_path, metric="stsb")
    metrics = result.report["metrics"]
    assert (metrics["pearson"], metrics["spearman"], result.score.value) == pytest.approx((100, 100, 100))
    assert metrics["mean_squared_error"] > 0.1
    assert compare(result, result)["mcnemar"] is None
    assert compare(result, result)["agreement"] == 100
    assert result.scorer.official(result.examples, result.predictions).splitlines()[1] == (
        f"0\t{model.predict(TEXTS[0])[0].value:.3f}")
    with pytest.raises(DataError, match="example 1: label is 'much'; it must be a number"):
        scored(made, "regression", [{"text": "a", "label": "much"}], tmp_path)


def test_several_classes_at_once(made: Made, tmp_path: Path) -> None:
    model = Model(made("multi-label"))
    rows = [{"text": text, "label": ", ".join(label.name for label in model.classify(text) if label.probability >= 0.5)}
            for text in TEXTS]
    result = scored(made, "multi-label", rows, tmp_path)
    metrics = result.report["metrics"]
    assert (metrics["micro_f1"], metrics["accuracy"], metrics["total"]) == (100, 100, 10)
    with pytest.raises(DataError, match="example 1: sad is no class of the model; it has rude, funny, long"):
        scored(made, "multi-label", [{"text": "a", "label": "rude,sad"}], tmp_path)


def test_several_classes_by_hand() -> None:
    scorer = MultiLabelScorer(("x", "y"))
    pairs = [("x, y", ["x"]), ("x", ["x"]), ("", ["y"]), ("y", ["y"])]
    rows = np.array([scorer.row(TextExample("", label=gold), {"labels": found}) for gold, found in pairs])
    # Right: x, x, y; missing: y; too much: y.
    assert scorer.metrics(rows) == pytest.approx({"micro_f1": 100 * 6 / 8, "macro_f1": (100 + 50) / 2, "accuracy": 50,
                                                  "total": 4})


@pytest.mark.parametrize("name", ["multiple-choice", "next-sentence"])
def test_choices(made: Made, tmp_path: Path, name: str) -> None:
    model = Model(made(name))
    rows: list[dict[str, Any]] = []
    for a, b, c, d in zip(TEXTS, TEXTS[1:], TEXTS[2:], TEXTS[3:], strict=False):
        if name == "multiple-choice":
            rows.append({"prompt": a, "choices": [b, c, d], "label": model.choose(a, [b, c, d])[0].index})
        else:
            rows.append({"text": a, "pair": b, "label": model.follows(a, b)[0].name})
    result = scored(made, name, rows, tmp_path)
    assert result.report["metrics"]["accuracy"] == 100
    if name == "multiple-choice":
        rows[0]["label"] = (rows[0]["label"] + 1) % 3
    else:  # labels may be numbers too
        rows[0]["label"] = str(["is next", "not next"].index(rows[0]["label"]) ^ 1)
    assert scored(made, name, rows, tmp_path).score.value == pytest.approx(100 * 6 / 7)


@pytest.mark.parametrize("name", ["fill-mask", "pretraining"])
def test_masked_words(made: Made, tmp_path: Path, name: str) -> None:
    """Against a sum over the vocabulary, one word at a time."""
    result = scored(made, name, [{"text": text} for text in TEXTS], tmp_path)
    model = Model(made(name))
    likelihood, first, among, words = 0.0, 0, 0, 0
    for text in TEXTS:
        encoding = model.tokenizer.encode(text).ids
        [features] = model.task.features(model.tokenizer, TextExample(text), LENGTH)
        logits = model.run(features)[1][model.task.outputs[0]][0].astype(float)
        for place in np.flatnonzero(features.ids == model.tokenizer.mask_id):
            row, right = logits[place], encoding[place - 1]
            likelihood += np.log(np.exp(row[right]) / np.exp(row).sum())
            order = np.argsort(-row).tolist()
            first, among, words = first + (order[0] == right), among + (right in order[:5]), words + 1
    assert result.report["metrics"] == pytest.approx({
        "top1": 100 * first / words, "top5": 100 * among / words, "perplexity": np.exp(-likelihood / words),
        "words": words, "total": 10})
    with pytest.raises(DataError, match=r"example 1 has a \[MASK\] whose word is unknown"):
        scored(made, name, [{"text": "a [MASK]"}], tmp_path)


def test_a_task_without_a_score(made: Made, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="models for features cannot be scored; those for qa, classification"):
        scored(made, "features", [{"text": "a", "label": "x"}], tmp_path)


@pytest.mark.parametrize(("scorer", "example"), [
    (EntityScorer(), TokenExample(("a",))), (ChoiceScorer(), ChoiceExample("a", ("b", "c"))),
    (MultiLabelScorer(("x",)), TextExample("a")), (RegressionScorer(), TextExample("a")),
    (ClassificationScorer(("x", "y")), TextExample("a"))])
def test_what_has_no_label(scorer: Any, example: Any) -> None:
    with pytest.raises(DataError, match="label"):
        scorer.check(example)


def test_two_classes_have_an_f1() -> None:
    scorer = ClassificationScorer(("no", "yes"), "mrpc")
    gold, found = ["1", "yes", "0", "no", "1"], ["yes", "no", "no", "yes", "yes"]
    rows = np.array([scorer.row(TextExample("", label=a), {"label": b}) for a, b in zip(gold, found, strict=True)])
    metrics = scorer.metrics(rows)
    assert (metrics["accuracy"], metrics["f1"]) == pytest.approx((60, 100 * 4 / 6))
    assert scorer.score(rows) == pytest.approx((60 + 100 * 4 / 6) / 2)
    assert scorer.correct(rows).tolist() == [True, False, True, False, True]
    # A number where all of the data has numbers.
    numbered = [TextExample("", label=a) for a in ("1", "0")]
    predictions = [{"label": "yes"}, {"label": "no"}]
    assert scorer.official(numbered, predictions) == "index\tprediction\n0\t1\n1\t0\n"
    assert scorer.official([TextExample("", label="yes")], predictions[:1]) == "index\tprediction\n0\t1\n"


def test_glue_takes_names_or_numbers() -> None:
    """By task, with or without labels, whatever the model calls its classes; Hugging Face has -1 for no label."""
    unlabeled = [TextExample("", label="-1"), TextExample("")]
    for labels, metric, written in (
            (("negative", "positive"), "sst2", ("1", "0")),
            (("LABEL_0", "LABEL_1"), "cola", ("1", "0")),
            (("LABEL_0", "LABEL_1"), "rte", ("not_entailment", "entailment")),
            (("not_entailment", "entailment"), "qnli", ("entailment", "not_entailment")),
            (("Contradiction", "ENTAILMENT", "neutral"), "mnli", ("entailment", "contradiction")),
            (("LABEL_0", "LABEL_1", "LABEL_2"), "mnli", ("neutral", "entailment")),
            (("no", "yes"), None, ("yes", "no"))):
        scorer = ClassificationScorer(labels, metric)
        found = scorer.official(unlabeled, [{"label": labels[1]}, {"label": labels[0]}])
        assert found == f"index\tprediction\n0\t{written[0]}\n1\t{written[1]}\n"
        assert not any(map(scorer.has_label, unlabeled))
        assert scorer.has_label(TextExample("", label=labels[0]))


def test_predictions_of_words_and_choices_without_labels() -> None:
    words = [TokenExample(("Ann", "sings")), TokenExample(("Hi",))]
    predictions = [{"labels": ["B-person", "O"]}, {"labels": ["O"]}]
    assert EntityScorer().official(words, predictions) == "Ann B-person\nsings O\n\nHi O\n\n"
    labeled = [dataclasses.replace(one, labels=("O",) * len(one.words)) for one in words]
    assert EntityScorer().official(labeled, predictions) == "Ann O B-person\nsings O O\n\nHi O O\n\n"
    assert [EntityScorer().has_label(one) for one in (words[0], labeled[0])] == [False, True]
    choices = [ChoiceExample("x", ("a", "b", "c"), None, name) for name in ("1", "2")]
    chosen = [{"choice": 2}, {"choice": 0}]
    assert ChoiceScorer().official(choices, chosen) == "2\n0\n"
    named = [dataclasses.replace(one, id=f"Mercury_{one.id}") for one in choices]
    assert ChoiceScorer().official(named, chosen) == "Mercury_1,C\nMercury_2,A\n"


def test_a_file_without_class_names() -> None:
    scorer = ClassificationScorer(())
    rows = np.array([scorer.row(TextExample("", label=label), {"label": "LABEL_0"}) for label in ("0", "1")])
    assert scorer.metrics(rows)["accuracy"] == 50
    assert "f1" in scorer.metrics(rows)
    with pytest.raises(DataError, match="label 'x' is no class"):
        scorer.check(TextExample("", label="x"))


def test_tags_are_those_of_the_checkpoint() -> None:
    """The rows above rest on entities: there must be some."""
    scorer = EntityScorer()
    rows = np.array([scorer.row(TokenExample(("a", "b", "c"), (TAGS[1], TAGS[2], "O")), {"labels": found})
                     for found in ([TAGS[1], TAGS[2], "O"], [TAGS[1], "O", "O"], ["O"] * 3)])
    assert rows.tolist() == [[1, 1, 1], [0, 1, 1], [0, 1, 0]]
    assert scorer.metrics(rows) == pytest.approx({"precision": 50, "recall": 100 / 3, "f1": 40, "entities": 3,
                                                  "total": 3})
    assert scorer.correct(rows).tolist() == [True, False, False]


def test_every_task_has_a_row() -> None:
    from mobilebert_lite.tasks import TASKS

    for task in set(TASKS) - {"features"}:
        assert find_scorer(find_task(task), [], ("a", "b"), ScorerOptions()).metric
    assert isinstance(find_scorer(find_task("pretraining"), [], (), ScorerOptions()), MaskedScorer)
