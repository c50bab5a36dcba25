"""``mbl eval`` from the file to the report: scores, resumption, processes, comparison."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from commands import mbl

from mobilebert_lite.datasets.reading import builtin_examples
from mobilebert_lite.errors import DataError, MblError, ModelFileError
from mobilebert_lite.evaluation import workers
from mobilebert_lite.evaluation.compare import compare
from mobilebert_lite.evaluation.evaluate import EvalRequest, evaluate
from mobilebert_lite.evaluation.journal import Journal, Outcome
from mobilebert_lite.evaluation.scorers import ScorerOptions
from mobilebert_lite.running.model import Model

Converted = Callable[[str, str], Path]
MBL = [str(Path(sys.executable).with_name("mbl"))]


@pytest.fixture(scope="module")
def texts(converted: Converted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built-in texts with the float model's own classes, but for every fifth, which has the next class."""
    model = Model(converted("classification", "none"))
    rows = ["sentence\tlabel"]
    for i, example in enumerate(builtin_examples("classification")[:30]):
        label = model.labels.index(model.classify(example.text)[0].name)
        rows.append(f"{example.text}\t{(label + (i % 5 == 0)) % 4}")
    path = tmp_path_factory.mktemp("data") / "texts.tsv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def questions(converted: Converted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SQuAD v2.0: built-in questions with the float model's own answers; every third is said to have none."""
    model = Model(converted("qa", "none"))
    paragraphs = []
    for i, example in enumerate(builtin_examples("qa")[:12]):
        context = example.context[:90]
        best = next(answer for answer in model.answer(example.question, context) if not answer.is_null)
        answers = [] if i % 3 == 0 else [{"text": best.text, "answer_start": best.start}]
        paragraphs.append({"context": context, "qas": [{
            "id": f"q{i}", "question": example.question, "answers": answers, "is_impossible": not answers}]})
    path = tmp_path_factory.mktemp("data") / "questions.json"
    path.write_text(json.dumps({"version": "v2.0", "data": [{"title": "", "paragraphs": paragraphs}]}))
    return path


def without_timing(report: object) -> object:
    """What must be the same again."""
    assert isinstance(report, dict)
    return {name: without_timing(value) if name == "against" else value
            for name, value in report.items() if name != "timing"}


def test_accuracy(converted: Converted, texts: Path) -> None:
    result = evaluate(EvalRequest(converted("classification", "none"), texts))
    assert result.report["metrics"]["accuracy"] == pytest.approx(80)
    assert result.report["metrics"]["total"] == 30
    assert "f1" not in result.report["metrics"]  # of one class among four it would say little
    assert result.score.value == pytest.approx(80)
    assert 60 < result.score.low < 80 < result.score.high < 95
    timing = result.report["timing"]
    # The first inference at each of two lengths prepares it and is not counted, if it was the first in this process.
    assert timing["inferences"] in (28, 29, 30)
    assert 0 < timing["inference_ms"]["min"] <= timing["inference_ms"]["p50"] <= timing["inference_ms"]["p99"]
    assert timing["example_ms"]["mean"] > timing["inference_ms"]["mean"]


def test_squad(converted: Converted, questions: Path) -> None:
    """With a threshold that always, or never, lets the model answer the scores are known."""
    path = converted("qa", "none")
    always = evaluate(EvalRequest(path, questions, options=ScorerOptions(null_threshold=1e6)))
    assert always.report["metrics"]["HasAns_exact"] == 100
    assert always.report["metrics"]["NoAns_exact"] == 0
    assert always.score.value == pytest.approx(100 * 8 / 12)
    never = evaluate(EvalRequest(path, questions, options=ScorerOptions(metric="exact", null_threshold=-1e6)))
    assert never.report["metrics"]["HasAns_f1"] == 0
    assert never.score.value == never.report["metrics"]["exact"] == pytest.approx(100 * 4 / 12)
    for key in ("best_f1", "best_f1_thresh", "best_exact"):
        assert never.report["metrics"][key] == always.report["metrics"][key]
    assert always.report["metrics"]["best_exact"] >= 100 * 8 / 12
    best = evaluate(EvalRequest(path, questions, options=ScorerOptions(
        null_threshold=always.report["metrics"]["best_exact_thresh"])))
    assert best.report["metrics"]["exact"] == pytest.approx(always.report["metrics"]["best_exact"])


def test_questions_without_impossible_ones_get_an_answer(converted: Converted, questions: Path, tmp_path: Path) -> None:
    """As in SQuAD 1.1: the null answer takes no part."""
    raw = json.loads(questions.read_text())
    for paragraph in raw["data"][0]["paragraphs"]:
        paragraph["qas"] = [qa for qa in paragraph["qas"] if qa["answers"]]
    path = tmp_path / "v1.json"
    path.write_text(json.dumps(raw))
    result = evaluate(EvalRequest(converted("qa", "none"), path, options=ScorerOptions(null_threshold=-1e6)))
    assert result.report["metrics"] == {"exact": 100, "f1": 100, "total": 8}


def test_long_questions_are_cut(converted: Converted, tmp_path: Path) -> None:
    """To half of the sequence, as in calibration; one of them must not end the evaluation of thousands."""
    data = tmp_path / "long.jsonl"
    data.write_text(json.dumps({"question": "when " * 80, "context": "at nine", "answers": ["nine"], "id": "1"}) + "\n")
    assert evaluate(EvalRequest(converted("qa", "none"), data)).report["metrics"]["total"] == 1


def test_processes_give_the_same_report(converted: Converted, texts: Path) -> None:
    request = EvalRequest(converted("classification", "dynamic"), texts)
    one, two = evaluate(request), evaluate(replace(request, workers=2))
    assert without_timing(dict(one.report)) == without_timing(dict(two.report))
    assert one.predictions == two.predictions
    assert two.report["timing"]["workers"] == 2


def test_a_worker_that_is_killed(converted: Converted, texts: Path, tmp_path: Path) -> None:
    """An error that says how to go on; what was finished is not done again."""
    report = tmp_path / "report.json"
    command = [*MBL, "eval", str(converted("classification", "none")), "--data", str(texts), "--workers", "2",
               "--report", str(report)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 300
    workers: list[str] = []
    while not workers and process.poll() is None and time.monotonic() < deadline:
        workers = [pid for pid in children.read_text().split()
                   if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(int(workers[0]), signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "a worker process was ended from outside" in errors.splitlines()[-1]
    assert not report.exists()
    assert mbl(*command[1:]).returncode == 0
    assert json.loads(report.read_text())["metrics"]["total"] == 30


def interrupted_after(count: int, request: EvalRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """``evaluate`` that is ended when so many examples are finished."""
    def until(done: int, total: int) -> None:
        if done == count:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(request, until)


def test_an_interrupted_evaluation_goes_on(converted: Converted, questions: Path, tmp_path: Path,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    request = EvalRequest(converted("qa", "none"), questions, report=tmp_path / "report.json")
    whole = evaluate(replace(request, report=None))
    interrupted_after(5, request, monkeypatch)
    [journal] = tmp_path.iterdir()
    assert len(journal.read_text().splitlines()) == 5
    # The power went off in the middle of a line.
    with journal.open("ab") as file:
        file.write(b'{"index": 5, "predi')
    answered = []
    answer = workers.answer_shard
    monkeypatch.setattr(workers, "answer_shard", lambda plan, shard: answered.extend(shard) or answer(plan, shard))
    resumed = evaluate(request)
    assert [index for index, _ in answered] == list(range(5, 12))
    assert resumed.report["timing"]["resumed"] == 5
    assert without_timing(dict(resumed.report)) == without_timing(dict(whole.report))
    assert resumed.report["timing"]["example_ms"]["max"] >= max(
        json.loads(line)["total"] for line in journal.read_text().splitlines()[:5]) - 0.001
    resumed.journal.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", ["options", "data", "model"])
def test_another_evaluation_begins_anew(converted: Converted, questions: Path, tmp_path: Path, change: str,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "questions.json"
    data.write_bytes(questions.read_bytes())
    folder = tmp_path / "reports"
    folder.mkdir()
    request = EvalRequest(converted("qa", "none"), data, report=folder / "report.json")
    interrupted_after(5, request, monkeypatch)
    if change == "options":
        request = replace(request, options=ScorerOptions(stride=64))
    elif change == "model":
        request = replace(request, model=converted("qa", "dynamic"))
    else:
        data.write_bytes(questions.read_bytes() + b"\n")
    assert evaluate(request).report["timing"]["resumed"] == 0
    assert len(list(folder.iterdir())) == 2


def test_a_killed_command_gives_the_identical_report(converted: Converted, texts: Path, tmp_path: Path) -> None:
    """SIGKILL, which nobody can prepare for, in a process of its own; then the same command again."""
    whole, report = tmp_path / "whole.json", tmp_path / "report.json"
    arguments = ["eval", str(converted("classification", "none")), "--data", str(texts), "--report"]
    assert mbl(*arguments, whole).returncode == 0
    process = subprocess.Popen([*MBL, *arguments, str(report)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    finished = 0
    while finished < 3 and process.poll() is None:
        finished = sum(path.read_bytes().count(b"\n") for path in tmp_path.glob(".report.json.*"))
    process.kill()
    process.wait()
    if not report.exists():  # it may have been too fast on a quick machine
        assert mbl(*arguments, report).returncode == 0
        assert json.loads(report.read_text())["timing"]["resumed"] >= 3
    assert without_timing(json.loads(report.read_text())) == without_timing(json.loads(whole.read_text()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "whole.json"]


def test_an_ended_command_says_how_to_go_on(converted: Converted, texts: Path, tiny_classifier: Path,
                                            tmp_path: Path) -> None:
    """A polite end while it waits for its second model, a slow one to build."""
    command = [*MBL, "eval", str(converted("classification", "none")), "--data", str(texts), "--report",
               str(tmp_path / "report.json"), "--against", str(tiny_classifier)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert any("30 of 30" in line for line in process.stderr)
    process.send_signal(signal.SIGTERM)
    rest = process.stderr.read()
    assert process.wait(300) == 143
    assert "· finished examples are kept; the same command resumes from there" in rest
    [journal] = tmp_path.iterdir()
    assert len(journal.read_bytes().splitlines()) == 30


def test_two_evaluations_do_not_share_a_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "report.json", {"a": 1})
    with pytest.raises(DataError, match=r"another evaluation for .* is at work"):
        Journal(tmp_path / "report.json", {"a": 1})
    Journal(tmp_path / "report.json", {"a": 2}).close()
    journal.add(Outcome(3, {"text": "é"}, (1.5,), 2.0))
    journal.close()
    again = Journal(tmp_path / "report.json", {"a": 1})
    assert again.finished == {3: Outcome(3, {"text": "é"}, (1.5,), 2.0)}
    again.close()
    with pytest.raises(DataError, match="cannot write"):
        Journal(tmp_path / "absent" / "report.json", {})


def test_against_another_file(converted: Converted, texts: Path) -> None:
    first, second = (evaluate(EvalRequest(converted("classification", mode), texts)) for mode in ("none", "dynamic"))
    found = compare(first, second)
    same = [a["label"] == b["label"] for a, b in zip(first.predictions, second.predictions, strict=True)]
    assert found["agreement"] == pytest.approx(100 * sum(same) / 30)
    assert found["difference"]["value"] == pytest.approx(first.score.value - second.score.value)
    test = found["mcnemar"]
    assert test["only_first"] - test["only_second"] == round(0.3 * found["difference"]["value"])


def test_against_its_checkpoint(converted: Converted, texts: Path, tiny_classifier: Path, tmp_path: Path) -> None:
    report, predictions = tmp_path / "report.json", tmp_path / "predictions.tsv"
    done = mbl("eval", converted("classification", "none"), "--data", texts, "--against", tiny_classifier, "--json",
               "--report", report, "--predictions", predictions)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed == json.loads(report.read_text())
    assert printed["comparison"]["agreement"] == 100
    assert printed["comparison"]["mcnemar"] == {"only_first": 0, "only_second": 0, "p": 1}
    assert printed["comparison"]["difference"] == {"value": 0, "low": 0, "high": 0}
    assert printed["against"]["metrics"] == printed["metrics"]
    assert printed["against"]["model"]["name"] == "tiny_classifier-float.tflite"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["predictions.tsv", "report.json"]
    lines = predictions.read_text().splitlines()
    assert lines[0] == "index\tprediction"
    gold = [line.split("\t")[1] for line in texts.read_text().splitlines()[1:]]
    right = [line == f"{i}\t{label}" for i, (line, label) in enumerate(zip(lines[1:], gold, strict=True))]
    assert sum(right) == 24


def test_printed_side_by_side(converted: Converted, questions: Path, tmp_path: Path) -> None:
    predictions = tmp_path / "predictions.json"
    done = mbl("eval", converted("qa", "none"), "--data", questions, "--against", converted("qa", "dynamic"),
               "--predictions", predictions, "--limit", 6)
    assert done.returncode == 0, done.stderr
    assert "qa-dynamic.tflite" in done.stdout
    assert "McNemar: " in done.stdout
    assert done.stderr.splitlines()[0] == "· scoring qa-none.tflite: 0 of 6"
    # Evenly over the file.
    assert list(json.loads(predictions.read_text())) == ["q0", "q2", "q4", "q6", "q8", "q10"]


def test_the_phone_tokenizer_reads_accents(converted: Converted, tmp_path: Path) -> None:
    """What it does not know becomes [UNK], so the score can fall; here the answers differ."""
    data = tmp_path / "texts.jsonl"
    data.write_text("".join(json.dumps({"text": f"wäke mé up ät {i}", "label": "alarm"}) + "\n" for i in range(6)))
    reports = [evaluate(EvalRequest(converted("classification", "none"), data, tokenizer=name))
               for name in ("reference", "phone")]
    probabilities = [[one["probability"] for one in result.predictions] for result in reports]
    assert probabilities[0] != probabilities[1]
    assert [result.report["options"]["tokenizer"] for result in reports] == ["reference", "phone"]


@pytest.mark.parametrize(("changes", "error", "message"), [
    ({"task": "qa"}, DataError, "--task qa: .* is for classification"),
    ({"options": ScorerOptions(metric="f1")}, DataError, "--metric f1 is for two classes, but the model has 4"),
    ({"options": ScorerOptions(metric="mrpc")}, DataError, "--metric mrpc is for two classes"),
    ({"options": ScorerOptions(metric="exact")}, DataError, "--metric exact: not for this task; it has accuracy"),
    ({"model": Path("absent.tflite")}, ModelFileError, "cannot read absent.tflite"),
    ({"runtime": "onnx"}, MblError, "unknown interpreter 'onnx'"),
])
def test_what_cannot_be_evaluated(converted: Converted, texts: Path, changes: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        evaluate(replace(EvalRequest(converted("classification", "none"), texts), **changes))


@pytest.mark.parametrize(("line", "message"), [
    ('{"text": "a b"}', "line 2: no label, though other rows have one"),
    ('{"text": "a b", "label": "4"}', "example 2: label '4' is no class of the model; it has music, weather"),
    ('{"text": "a b", "label": "Music"}', "label 'Music' is no class"),
])
def test_labels_are_checked_first(converted: Converted, tmp_path: Path, line: str, message: str) -> None:
    """Before the first inference."""
    data = tmp_path / "data.jsonl"
    data.write_text('{"text": "play it", "label": "music"}\n' + line + "\n")
    with pytest.raises(DataError, match=message):
        evaluate(EvalRequest(converted("classification", "none"), data), lambda done, total: pytest.fail("it began"))


def test_an_example_that_fails_is_named(converted: Converted, tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text('{"text": "play it", "label": "music"}\n{"text": "\\u200b", "label": "music", "id": "empty"}\n')
    for count in (1, 2):
        with pytest.raises(DataError, match=r"example empty: the text .* holds no words"):
            evaluate(EvalRequest(converted("classification", "none"), data, workers=count))


def test_data_without_labels_are_answered_and_not_scored(converted: Converted, tmp_path: Path) -> None:
    """GLUE's table by --metric, SQuAD's JSON with and without the null answer; texts that are cut are counted."""
    path, data, predictions = converted("classification", "none"), tmp_path / "test.tsv", tmp_path / "predictions"
    texts = ["the battery", "one day", "last " * 300]
    data.write_text("index\tsentence\n" + "".join(f"{i}\t{text}\n" for i, text in enumerate(texts)))
    refused = mbl("eval", path, "--data", data)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"Error: {data} has no labels, so there is no score; --predictions FILE writes" in refused.stderr
    done = mbl("eval", path, "--data", data, "--predictions", predictions)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("test.tsv has no labels, so there is no score\n"
                               "  1 of 3 texts (33.3 %) are longer than the model reads, and were cut\n")
    model = Model(path)
    assert predictions.read_text().splitlines() == ["index\tprediction", *(
        f"{i}\t{model.classify(text)[0].name}" for i, text in enumerate(texts))]
    report = json.loads(mbl("eval", path, "--data", data, "--predictions", predictions, "--json").stdout)
    assert (report["score"], report["metrics"], report["cut"]) == (None, {}, 1)


def test_questions_without_labels(converted: Converted, tmp_path: Path) -> None:
    path, data = converted("qa", "none"), tmp_path / "test.jsonl"
    data.write_text("".join(json.dumps({"id": f"q{i}", "question": "what?", "context": f"{word} battery"}) + "\n"
                            for i, word in enumerate(("the", "one"))))
    for no_null in (False, True):
        result = evaluate(EvalRequest(path, data, unlabeled=True, options=ScorerOptions(
            no_null=no_null, null_threshold=-1e6)))
        answers = json.loads(result.scorer.official(result.examples, result.predictions))
        assert list(answers) == ["q0", "q1"]
        # The threshold lets the null answer win wherever it takes part.
        assert all(bool(answer) == no_null for answer in answers.values())
