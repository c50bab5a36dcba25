"""Zero-shot classification: which class is which, the scores, files of probabilities, `mbl run` and `mbl eval`.

The scores of transformers' pipeline are in tests/with_transformers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commands import mbl

from mobilebert_lite.datasets.reading import builtin_examples
from mobilebert_lite.errors import MblError, ModelFileError, RequestError
from mobilebert_lite.evaluation.evaluate import EvalRequest, evaluate
from mobilebert_lite.evaluation.scorers import ScorerOptions
from mobilebert_lite.running.model import Model
from mobilebert_lite.tasks.classification import zero_shot
from mobilebert_lite.tasks.hypotheses import ZeroShot
from mobilebert_lite.text.examples import TextExample
from mobilebert_lite.text.features import pack
from mobilebert_lite.text.tokenization import Tokenizer

Converted = Callable[[str, str], Path]
NLI = ("contradiction", "neutral", "entailment")
# The tiny classifier knows no entailment: two of its classes are said to be it.
NAMED = {"entailment": "weather", "contradiction": "music"}
TEXT = "the battery charge depends on the heat of the room"


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values)
    return powers / powers.sum()


@pytest.mark.parametrize(("names", "entailment", "contradiction"), [
    (NLI, 2, 0), (("ENTAILMENT", "NEUTRAL", "CONTRADICTION"), 0, 2), (("contradiction", "entailment", "neutral"), 1, 0),
    (("entailment", "not_entailment"), 0, 1), (("not_entailment", " Entails"), 1, 0),
    (("neutral", "entailment", "contradiction"), 1, 2)])
def test_classes_are_found_by_name(names: tuple[str, ...], entailment: int, contradiction: int) -> None:
    found = zero_shot.entailment_of(names)
    assert (found, zero_shot.contradiction_of(names, found)) == (entailment, contradiction)


@pytest.mark.parametrize(("names", "asked", "message"), [
    (("LABEL_0", "LABEL_1", "LABEL_2"), {}, r"none of the model's classes \(LABEL_0, LABEL_1, LABEL_2\) is called "
     r"entailment.*name it \(--entailment\)"),
    (("LABEL_0", "LABEL_1", "LABEL_2"), {"entailment": "2"}, r"contradicts the first is unknown.*--contradiction"),
    (("LABEL_0", "LABEL_1"), {"entailment": "yes"}, "--entailment yes: the model has no such class; it has LABEL_0"),
    (NLI, {"contradiction": "entailment"}, "contradicts the first is unknown"),
    (("not_entailment", "other"), {}, "is called entailment")])
def test_classes_that_must_be_named(names: tuple[str, ...], asked: dict[str, str], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        zero_shot.check_names(names, ZeroShot(("a", "b"), multi_label=True, **asked))


@pytest.mark.parametrize(("fields", "message"), [
    ({"template": "it is"}, r"no place for the class; put \{\} where it goes"), ({"labels": ("a", " ")}, "is empty"),
    ({"labels": ("a", "b", "a")}, "'a' is given twice")])
def test_what_cannot_be_asked(fields: dict, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        ZeroShot(**fields)


@pytest.mark.parametrize("several", [False, True])
def test_scores(several: bool) -> None:
    """From logits, and from the probabilities that a softmax makes of centered ones."""
    logits = np.random.default_rng(0).normal(size=(4, 3))
    logits -= logits.mean(axis=1, keepdims=True)
    asked = ZeroShot(("a", "b", "c", "d"), multi_label=several)
    expected = [softmax(row[[0, 2]])[1] for row in logits] if several else softmax(logits[:, 2])
    for outputs in ([{"logits": row[None]} for row in logits], [{"probability": softmax(row)[None]} for row in logits]):
        found = zero_shot.decode(outputs, NLI, asked)
        assert [one.name for one in found] == [asked.labels[i] for i in np.argsort(-np.array(expected))]
        assert [one.probability for one in found] == pytest.approx(sorted(expected, reverse=True), abs=1e-7)
    assert sum(one.probability for one in found) == pytest.approx(1) or several


def test_one_class_alone_is_judged_by_itself() -> None:
    [one] = zero_shot.decode([{"logits": np.array([[1.0, 5.0, 2.0]])}], NLI, ZeroShot(("a",)))
    assert one.probability == pytest.approx(1 / (1 + np.exp(-1)))


def test_the_text_is_cut_and_not_the_hypothesis(small: Tokenizer) -> None:
    long, hypothesis = "the cat " * 20, "who sat on the mat?"
    ids = small.encode(hypothesis).ids
    for length in (10, 12, 32):
        features = pack(small, long, hypothesis, length, keep_second=True)
        assert features.length_used == length
        assert features.ids[features.segment_ids == 1].tolist() == [*ids, small.sep_id]
    # Where it leaves no room for the text, both are cut.
    for text, length in ((long, 9), ("the", 32)):
        kept, cut = (pack(small, text, hypothesis, length, keep_second=keep) for keep in (True, False))
        assert kept.ids.tolist() == cut.ids.tolist()


@pytest.mark.parametrize("mode", ["none", "int8", "int8-full"])
def test_a_file_of_probabilities_gives_its_logits(converted: Converted, mode: str) -> None:
    """What the softmax reads becomes the output: the same classes, and scores over logits as they are."""
    model = Model(converted("classification", mode))
    other = model.with_logits
    assert (other.task.form.logits, other.labels, other.lengths) == (True, model.labels, model.lengths)
    assert other.with_logits is other
    assert set(other.session.signatures) == set(model.session.signatures)
    probabilities = {one.name: one.probability for one in model.classify(TEXT)}
    assert {one.name: one.probability for one in other.classify(TEXT)} == pytest.approx(
        probabilities, abs=1e-6 if mode != "int8-full" else 0.01)  # int8 probabilities are 1/256 apart
    labels = ["battery", "delivery", "rain"]
    rows = np.array([other.run(pack(model.tokenizer, TEXT, f"about {label}", 48))[1]["logits"][0] for label in labels])
    found = model.zero_shot(TEXT, labels, template="about {}", **NAMED)
    entailed = dict(zip(labels, softmax(rows[:, 1].astype(float)), strict=True))
    assert {one.name: one.probability for one in found} == pytest.approx(entailed, abs=1e-6)
    several = model.zero_shot(TEXT, labels, template="about {}", multi_label=True, **NAMED)
    assert {one.name: one.probability for one in several} == pytest.approx(
        {label: softmax(row[[0, 1]].astype(float))[1] for label, row in zip(labels, rows, strict=True)}, abs=1e-6)


def test_models_that_cannot_be_asked(converted: Converted) -> None:
    with pytest.raises(ModelFileError, match="this model is for qa; zero-shot classification needs"):
        Model(converted("qa", "none")).zero_shot(TEXT, ["a"])
    model = Model(converted("classification", "none"))
    with pytest.raises(RequestError, match=r"none of the model's classes .music, weather, alarm, none of these. is"):
        model.zero_shot(TEXT, ["a", "b"])
    with pytest.raises(RequestError, match="needs classes to choose from"):
        model.zero_shot(TEXT, [], **NAMED)


def test_run(converted: Converted) -> None:
    path = converted("classification", "int8")
    asked = ("run", path, "--text", TEXT, "--label", "battery", "--label", "a rainy day")
    named = [word for name, value in NAMED.items() for word in (f"--{name}", value)]
    printed = mbl(*asked, *named, "--hypothesis", "it is about {}", "--json")
    found = json.loads(printed.stdout)
    expected = Model(path).zero_shot(TEXT, ["battery", "a rainy day"], template="it is about {}", **NAMED)
    assert [(one["name"], one["probability"]) for one in found] == [
        (one.name, pytest.approx(one.probability, abs=1e-6)) for one in expected]
    best = mbl(*asked, *named, "--hypothesis", "it is about {}", "--top", 1).stdout
    assert best == f"{expected[0].name}\t{expected[0].probability:.4f}\n"
    for arguments, code, message in (
            ((), 1, "is called entailment"), (("--pair", "b"), 2, "--label asks about one text; leave out --pair"),
            ((*named, "--hypothesis", "it is"), 1, "has no place for the class")):
        done = mbl(*asked, *arguments)
        assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    done = mbl("run", path, "--text", TEXT, "--multi-label")
    assert (done.returncode, "--multi-label needs --label" in done.stderr) == (2, True)


@pytest.fixture(scope="module")
def tickets(converted: Converted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts of two languages; of every four the model has three right."""
    model, labels = Model(converted("classification", "none")), ["battery", "delivery", "rain"]
    rows = ["text,label,language"]
    for i, example in enumerate(builtin_examples("classification")[:12]):
        found = [one.name for one in model.zero_shot(example.text, labels, **NAMED)]
        rows.append(f'"{example.text}",{found[0 if i % 4 else 1]},{"en" if i < 8 else "sw"}')
    path = tmp_path_factory.mktemp("tickets") / "tickets.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("labels", [("battery", "delivery", "rain"), ()], ids=["given", "of the data"])
def test_eval(converted: Converted, tickets: Path, labels: tuple[str, ...]) -> None:
    plain = tickets.with_name("plain.csv")  # what it leaves loaded is another form of the same model
    plain.write_text('text,label\nthe battery is empty,weather\n', encoding="utf-8")
    evaluate(EvalRequest(converted("classification", "none"), plain))
    options = ScorerOptions(zero_shot=ZeroShot(labels, **NAMED))
    result = evaluate(EvalRequest(converted("classification", "none"), tickets, options=options))
    report = json.loads(json.dumps(result.report))
    assert report["metrics"]["accuracy"] == pytest.approx(75)
    assert report["options"]["zero_shot"]["entailment"] == "weather"
    classes = labels or {line.split(",")[-2] for line in tickets.read_text().splitlines()[1:]}
    # But for the first inference of either length, which also prepares it.
    assert report["timing"]["inferences"] >= len(classes) * 12 - 2
    assert report["details"]["wrong"] == 3
    assert {name: one["value"] for name, one in report["languages"]["scores"].items()} == {"en": 75, "sw": 75}
    assert report["languages"]["macro_average"] == 75


def test_eval_as_a_command(converted: Converted, tickets: Path, tmp_path: Path) -> None:
    named = [word for name, value in NAMED.items() for word in (f"--{name}", value)]
    done = mbl("eval", converted("classification", "none"), "--data", tickets, "--zero-shot", *named, "--errors", 2,
               "--html", tmp_path / "page.html", "--report", tmp_path / "report.json")
    assert done.returncode == 0, done.stderr
    assert "accuracy     75.00" in done.stdout
    assert "worst errors, 2 of 3" in done.stdout
    assert "mean of the languages" in done.stdout
    assert len(json.loads((tmp_path / "report.json").read_text())["details"]["errors"]) == 2
    assert "tickets.csv" in (tmp_path / "page.html").read_text()


def test_eval_of_several_classes(converted: Converted, tmp_path: Path) -> None:
    path, data = converted("classification", "none"), tmp_path / "data.jsonl"
    texts = [example.text for example in builtin_examples("classification")[:4]]
    found = [Model(path).zero_shot(text, ["x", "y"], multi_label=True, **NAMED) for text in texts]
    gold = [", ".join(one.name for one in labels if one.probability >= 0.5) for labels in found]
    data.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in
                            zip(texts, gold, strict=True)))
    asked = ZeroShot(("x", "y"), multi_label=True, **NAMED)
    result = evaluate(EvalRequest(path, data, options=ScorerOptions(zero_shot=asked)))
    assert result.report["metrics"]["accuracy"] == 100


@pytest.mark.parametrize(("task", "row", "asked", "message"), [
    ("qa", {"question": "a", "context": "b", "answers": ["b"]}, ZeroShot(("x",), **NAMED), "asked of a classifier"),
    ("classification", {"text": "a", "label": "1"}, ZeroShot(**NAMED), r"the labels of the data \(1\) name no classes"),
    ("classification", {"text": "a", "label": "z"}, ZeroShot(("x", "y"), **NAMED), "label 'z' is no class"),
    ("classification", {"text": "a", "label": "x"}, ZeroShot(("x", "y")), "is called entailment"),
    ("classification", {"text": "a", "pair": "b", "label": "x"}, ZeroShot(("x", "y"), **NAMED), "has a second text")])
def test_eval_that_cannot_be(converted: Converted, tmp_path: Path, task: str, row: dict, asked: ZeroShot,
                             message: str) -> None:
    """Known before the first inference."""
    data = tmp_path / "data.jsonl"
    data.write_text(json.dumps(row) + "\n")
    with pytest.raises(MblError, match=message):
        evaluate(EvalRequest(converted(task, "none"), data, options=ScorerOptions(zero_shot=asked)),
                 lambda done, total: pytest.fail("it began"))


def test_languages_are_read(tmp_path: Path) -> None:
    from mobilebert_lite.datasets.reading import read_examples

    data = tmp_path / "xnli.tsv"
    data.write_text("language\tgold_label\tsentence1\tsentence2\nde\tneutral\tein Text\tnoch einer\n", encoding="utf-8")
    assert read_examples(data, "classification") == [TextExample("ein Text", "noch einer", "neutral", "2", "de")]
