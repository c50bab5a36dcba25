"""What stands behind a score, against sums by hand and loops that do nothing else."""

from __future__ import annotations

import json
import math
from collections import Counter

import numpy as np
import pytest
from conftest import examples as some
from eval_reports import KINDS, details, make_report
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from mobilebert_lite.cli.eval_output import lines
from mobilebert_lite.tasks import glue, judging


@some(40)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_classes(pairs: list[tuple[int, int]]) -> None:
    """Counted one by one, and in keeping with GLUE's scores."""
    gold, found = np.array(pairs).T
    names = ["a", "b", "c", "d", "e"]
    rows = judging.classes(gold, found, names)
    assert [row["name"] for row in rows] == sorted({names[one] for pair in pairs for one in pair})
    for row in rows:
        one = names.index(row["name"])
        right = sum(pair == (one, one) for pair in pairs)
        asked, given = (sum(pair[side] == one for pair in pairs) for side in (0, 1))
        assert (row["support"], row["predicted"], row["right"]) == (asked, given, right)
        assert row["recall"] == pytest.approx(100 * right / asked if asked else 0)
        assert row["precision"] == pytest.approx(100 * right / given if given else 0)
        assert row["f1"] == pytest.approx(glue.f1(gold, found, one))
    means = judging.averages(rows, micro=True)
    assert means["macro"]["f1"] == pytest.approx(glue.macro_f1(gold, found))
    assert means["weighted"]["recall"] == pytest.approx(glue.accuracy(gold, found))
    assert list(means["micro"].values()) == pytest.approx([glue.accuracy(gold, found)] * 3)
    matrix, seen = judging.confusion(gold, found, names), Counter(pairs)
    assert matrix["counts"] == [[seen[names.index(a), names.index(b)] for b in matrix["labels"]]
                                for a in matrix["labels"]]


@some(40)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_calibration(pairs: list[tuple[float, bool]]) -> None:
    found = judging.calibration(*zip(*pairs, strict=True), "answers")
    assert found is not None
    expected = 0.0
    for i, one in enumerate(found["bins"]):
        inside = [(sure, right) for sure, right in pairs if i < sure * 10 <= i + 1 or (i == 0 and sure == 0)]
        assert one["count"] == len(inside)
        expected += abs(sum(right for _, right in inside) - math.fsum(sure for sure, _ in inside))
    assert found["ece"] == pytest.approx(100 * expected / len(pairs), abs=1e-9)


def test_calibration_by_hand() -> None:
    found = judging.calibration([0.95, 0.85, 0.85, 0.05], [1, 1, 0, 0], "answers")
    assert found is not None
    # |0.95 − 1| + 2·|0.85 − 0.5| + |0.05 − 0|, over four.
    assert found["ece"] == pytest.approx(100 * (0.05 + 0.7 + 0.05) / 4)
    assert judging.calibration([], [], "answers") is None


def test_several_classes() -> None:
    found = details("several")
    rows = {row["name"]: row for row in found["classes"]}
    assert (rows["x"]["precision"], rows["x"]["recall"], rows["y"]["precision"], rows["y"]["recall"]) == (
        100, 100, 50, 50)
    assert found["averages"]["micro"]["f1"] == pytest.approx(100 * 2 * 3 / (4 + 4))
    # A decision for each class: eight, four of them "yes".
    assert (found["calibration"]["count"], found["calibration"]["accuracy"]) == (8, 50)
    # y was 0.8 away from its label in the first text, 0.7 in the third.
    assert [(one["id"], one["expected"], one["predicted"]) for one in found["errors"]] == [
        ("0", "x, y", "x"), ("2", "none", "y")]


def test_a_class_that_holds_or_not() -> None:
    found = details("one")
    assert [row["name"] for row in found["classes"]] == ["not rude", "rude"]
    assert found["confusion"]["counts"] == [[1, 1], [1, 1]]
    assert found["calibration"]["confidence"] == pytest.approx(100 * (0.9 + 0.8 + 0.6 + 0.9) / 4)
    assert [(one["id"], one["predicted"]) for one in found["errors"]] == [("1", "not rude"), ("2", "rude")]


def test_entities() -> None:
    """As seqeval's classification_report has them: an entity of another kind or length is none."""
    found = details("entities")
    rows = {row["name"]: (row["precision"], row["recall"], row["support"]) for row in found["classes"]}
    assert rows == {"city": (50, 50, 2), "date": (0, 0, 1)}
    assert found["averages"]["micro"]["f1"] == pytest.approx(100 * 2 * 1 / (3 + 4))
    assert found["confusion"]["labels"] == ["O", "city", "date"]
    assert found["confusion"]["counts"] == [[10, 1, 0], [0, 2, 1], [1, 0, 1]]
    assert found["calibration"]["count"] == 12  # words without tokens have no probability
    first = found["errors"][0]
    assert (first["id"], first["expected"], first["predicted"], first["entities"]) == ("1", "a (city)", "a (date)", 2)


def test_questions() -> None:
    found = details("questions")
    assert [(one["name"], one["examples"], one["exact"]) for one in found["groups"]] == [
        ("answerable", 3, pytest.approx(100 / 3)), ("unanswerable", 2, 50)]
    assert found["confusion"] == {"labels": ["no answer", "an answer"], "counts": [[1, 1], [1, 2]]}
    assert found["wrong"] == 3
    assert [one["id"] for one in found["errors"]] == ["q2", "q4", "q1"]  # F1 0, surest first; then F1 above 0
    assert found["errors"][0]["expected"] == "(no answer)"
    assert {"classes", "groups"} & set(details("questions with answers")) == set()


def test_numbers() -> None:
    _, examples, predictions = KINDS["numbers"]
    left = np.array([one["value"] - float(example.label) for example, one in zip(examples, predictions, strict=True)])
    found = details("numbers", 3)
    assert found["residuals"]["root_mean_square"] == pytest.approx(np.sqrt(np.mean(left ** 2)))
    assert found["residuals"]["p90_absolute"] == pytest.approx(np.percentile(np.abs(left), 90))
    assert sum(found["residuals"]["histogram"]["counts"]) == len(left)
    order = np.argsort(-np.abs(left))[:3]
    assert [one["id"] for one in found["errors"]] == [str(i) for i in order]
    assert [one["residual"] for one in found["errors"]] == pytest.approx(left[order])


def test_worst_are_the_surest_of_the_wrong() -> None:
    _, examples, predictions = KINDS["classes"]
    wrong = [i for i, (a, b) in enumerate(zip(examples, predictions, strict=True)) if a.label != b["label"]]
    order = sorted(wrong, key=lambda i: -predictions[i]["probability"])
    found = details("classes", 7)
    assert (found["wrong"], [one["id"] for one in found["errors"]]) == (len(wrong), [str(i) for i in order[:7]])
    assert found["errors"][0]["text"] == examples[order[0]].text
    assert details("classes", 0)["errors"] == []


def test_languages() -> None:
    """Each counts alike in their mean, however many examples it has."""
    _, examples, predictions = KINDS["classes"]
    found = make_report("classes")["languages"]
    means = [100 * np.mean([a.label == b["label"] for a, b in zip(examples, predictions, strict=True)
                            if a.language == name]) for name in ("de", "en", "sw")]
    assert [one["value"] for one in found["scores"].values()] == pytest.approx(means)
    assert found["macro_average"] == pytest.approx(np.mean(means))
    assert all(one["low"] <= one["value"] <= one["high"] for one in found["scores"].values())
    assert "languages" not in make_report("several")


@pytest.mark.parametrize("kind", KINDS)
def test_text_and_json(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind is told in 80 columns, and survives JSON."""
    monkeypatch.setenv("COLUMNS", "80")
    report = make_report(kind)
    assert json.loads(json.dumps(report, allow_nan=False))["details"]["errors"] == report["details"]["errors"]
    shown = "\n".join(lines(report, 3))
    assert [line for line in shown.splitlines() if cell_len(line) > 80] == []
    for one in report["details"]["errors"][:3]:
        assert f"  {one['id']}: " in shown
    if found := report["details"].get("calibration"):
        assert f"ECE {found['ece']:.2f} %" in shown
    if "classes" in report["details"] and kind != "many classes":
        assert all(row["name"] in shown for row in report["details"]["classes"])


def test_text_of_many_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst classes and the commonest confusions stand for all."""
    monkeypatch.setenv("COLUMNS", "80")
    report = make_report("many classes")
    shown = "\n".join(lines(report))
    rows = report["details"]["classes"]
    assert f"the 20 classes of {len(rows)} with the lowest F1" in shown
    assert f"{min(row['f1'] for row in rows):9.2f}" in shown
    assert len(shown.splitlines()) < 80
