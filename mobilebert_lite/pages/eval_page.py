"""The page of `mbl eval --html`: a picture of what `--report` holds, and of nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobilebert_lite.pages import plots
from mobilebert_lite.pages.page import render
from mobilebert_lite.tasks.judging import WEIGHTS, weight

# A larger matrix is shown as its commonest confusions.
_LARGEST_MATRIX, _MOST_PAIRS = 40, 60
# Parts of an error that are no text of the example.
_OWN = {"id", "expected", "predicted", *WEIGHTS}


def eval_page(report: Mapping[str, Any]) -> str:
    """HTML of ``report``, the JSON form of an evaluation, with the other model's scores where there is one."""
    found = report.get("details", {})
    reports = [report, *([report["against"]] if "against" in report else [])]
    return render(
        "eval.html.jinja", title=f"{report['model']['name']} · {report['data']['name']} · mobilebert-lite",
        report=report, reports=reports, facts=_facts(report), metrics=_metrics(reports),
        languages=report.get("languages"), groups=found.get("groups", []), classes=_classes(reports),
        averages=found.get("averages", {}), matrix=_matrix(found.get("confusion")),
        pairs=_pairs(found.get("confusion")), calibration=_calibration(found.get("calibration")),
        residuals=_residuals(found.get("residuals")), errors=[_error(one) for one in found.get("errors", [])],
        wrong=found.get("wrong"), comparison=report.get("comparison"))


def _facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What one wants to know first."""
    score, found = report["score"], report.get("details", {})
    told = {score["metric"]: f"{score['value']:.2f}",
            f"{score['confidence']:.0%} interval": f"{score['low']:.2f} – {score['high']:.2f}",
            "examples": f"{report['data']['examples']:,}"}
    if found.get("wrong") is not None:
        told["wrong"] = f"{found['wrong']:,}"
    if found.get("calibration"):
        told["calibration error"] = f"{found['calibration']['ece']:.2f} %"
    if report["timing"]["inference_ms"]:
        told["median inference"] = f"{report['timing']['inference_ms']['p50']:.1f} ms"
    return list(told.items())


def _metrics(reports: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Any]]]:
    return [(name, [one["metrics"].get(name) for one in reports]) for name in reports[0]["metrics"]]


def _classes(reports: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the table; with another model, its F1 too."""
    first, *others = [one.get("details", {}).get("classes", []) for one in reports]
    beside = {row["name"]: row["f1"] for rows in others for row in rows}
    return [{**row, "other": beside.get(row["name"])} for row in first]


def _matrix(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Counts with the share of their row as one of ten shades."""
    if found is None or not 2 <= len(found["labels"]) <= _LARGEST_MATRIX:
        return None
    rows = []
    for i, (label, row) in enumerate(zip(found["labels"], found["counts"], strict=True)):
        total = sum(row)
        rows.append((label, [(count, round(9 * count / total) if total else 0, "right" if i == j else "wrong")
                             for j, count in enumerate(row)]))
    return {"labels": found["labels"], "rows": rows, "of": found.get("of", "examples")}


def _pairs(found: Mapping[str, Any] | None) -> list[tuple[str, str, int]]:
    """The commonest confusions, where the matrix is too large to be shown."""
    if found is None or len(found["labels"]) <= _LARGEST_MATRIX:
        return []
    counts = np.array(found["counts"])
    np.fill_diagonal(counts, 0)
    order = [divmod(int(one), len(counts)) for one in np.argsort(-counts, axis=None, kind="stable")[:_MOST_PAIRS]]
    return [(found["labels"][i], found["labels"][j], int(counts[i, j])) for i, j in order if counts[i, j]]


def _calibration(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if found is None else {**found, "plot": plots.reliability(
        found["bins"], "Share of right answers by the model's confidence; on the diagonal both are equal")}


def _residuals(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    bars = found["histogram"]
    return {**found, "plot": plots.histogram(bars["edges"], bars["counts"], "How often each residual occurs")}


def _error(error: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: value if isinstance(value, str) else " / ".join(map(str, value))
             for name, value in error.items() if name not in _OWN}
    return {**error, "texts": texts, "weight": weight(error)}
