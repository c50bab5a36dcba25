"""The page of an evaluation: what it shows of a report, and what a report cannot make it do."""

from __future__ import annotations

import re
from typing import Any

import pytest
from documents import assert_harmless
from eval_reports import KINDS, make_report
from hostile import IMAGE, SCRIPT

from mobilebert_lite.pages import plots
from mobilebert_lite.pages.eval_page import eval_page

# Kind of report → its sections besides those that all have.
SECTIONS = {
    "classes": {"languages", "classes", "confusions", "calibration", "errors"},
    "many classes": {"languages", "classes", "confusions", "calibration", "errors"},
    "one": {"classes", "confusions", "calibration", "errors"}, "several": {"classes", "calibration", "errors"},
    "numbers": {"residuals", "errors"}, "entities": {"classes", "confusions", "calibration", "errors"},
    "questions": {"classes", "confusions", "calibration", "errors"},
    "questions with answers": {"calibration", "errors"}, "choices": {"classes", "calibration", "errors"},
    "words": {"calibration", "errors"}}


@pytest.mark.parametrize("kind", KINDS)
def test_page(kind: str) -> None:
    report = make_report(kind)
    document = assert_harmless(eval_page(report))
    found = {attributes["id"] for _, attributes in document.elements if "id" in attributes}
    assert found == {"content", "scores", "provenance"} | SECTIONS[kind]
    links = {attributes["href"][1:] for tag, attributes in document.elements if tag == "a"}
    assert links <= found
    for value in report["metrics"].values():
        assert (f"{value:.2f}" if isinstance(value, float) else f"{value:,}") in document.text
    for row in report["details"].get("classes", []):
        assert row["name"] in document.text
        assert f"{row['f1']:.2f}" in document.text
    for one in report["details"]["errors"]:
        assert one.get("text", one.get("question", one.get("prompt"))) in document.text


def test_matrix() -> None:
    report = make_report("classes")
    page = eval_page(report)
    [matrix] = re.findall(r'<table class="matrix">(.*?)</table>', page, re.DOTALL)
    cells = [re.findall(r">([\d·]+)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", matrix)][1:]
    counts = report["details"]["confusion"]["counts"]
    assert cells == [[str(count) if count else "·" for count in row] for row in counts]
    assert '<table class="matrix">' not in eval_page(make_report("many classes"))


def test_two_models() -> None:
    report = make_report("classes") | {"against": make_report("classes", "other.tflite"), "comparison": {
        "agreement": 91.25, "difference": {"value": -1.5, "low": -3.0, "high": 0.25},
        "mcnemar": {"only_first": 3, "only_second": 6, "p": 0.51}}}
    shown = assert_harmless(eval_page(report)).text
    assert "F1 of other.tflite" in shown
    assert "difference -1.50 (from -3.00 to +0.25)" in shown


def test_nothing_of_a_report_becomes_code() -> None:
    def poison(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: poison(one) for name, one in value.items()}
        if isinstance(value, list):
            return [poison(one) for one in value]
        return value + SCRIPT + IMAGE if isinstance(value, str) else value

    assert SCRIPT in assert_harmless(eval_page(poison(make_report("classes")))).text


def test_reliability_is_drawn_where_it_is() -> None:
    """Confidence runs to the right, accuracy up."""
    bins = [{"count": 4, "confidence": 25.0, "accuracy": 50.0}, {"count": 0, "confidence": None, "accuracy": None},
            {"count": 2, "confidence": 95.0, "accuracy": 100.0}]
    [points] = re.findall(r'class="stroke s0"[^>]*points="([^"]*)"', str(plots.reliability(bins, "x").drawing))
    first, last = (tuple(map(float, point.split(","))) for point in points.split())
    assert (first[0] / last[0], last[1] < first[1]) == (pytest.approx(25 / 95, abs=1e-3), True)
    [diagonal] = re.findall(r'class="one"[^>]*points="([^"]*)"', str(plots.reliability(bins, "x").drawing))
    (left, low), (right, high) = (tuple(map(float, point.split(","))) for point in diagonal.split())
    assert last[1] == high  # 100 % right
    assert first[1] == pytest.approx((low + high) / 2, abs=0.1)
    assert first[0] == pytest.approx(left + (right - left) / 4, abs=0.1)


def test_histogram_of_one_value() -> None:
    plot = plots.histogram([0.0, 1.0, 2.0], [0, 7], "x")
    [points] = re.findall(r'<polygon[^>]*points="([^"]*)"', str(plot.drawing))
    right = plots.WIDTH * (1 + 0.08) / (1 + 2 * 0.08)
    assert points.split()[-2:] == [f"{right:.1f},8.0", f"{right:.1f},{plots.HEIGHT:.1f}"]
