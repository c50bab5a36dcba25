"""The report of ``mbl eval`` as text for a terminal of 80 columns."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size

from mobilebert_lite.tasks.judging import weight

Report = Mapping[str, Any]

# What the terminal shows; the report and the page have the rest.
CLASSES, MATRIX, PAIRS, ERRORS = 20, 8, 8, 5
_NAME = 28
_ALL = "--report or --html has all"


def lines(report: Report, errors: int = ERRORS) -> list[str]:
    """Scores, what stands behind them with ``errors`` of the worst errors, and the comparison with another model."""
    width = min(max(shutil.get_terminal_size((80, 24)).columns, 60), 120)
    found = report.get("details", {})
    parts = (_scores(report), _languages(report.get("languages")), _groups(found.get("groups", ())),
             _classes(found), _confusion(found.get("confusion"), width), _calibration(found.get("calibration")),
             _residuals(found.get("residuals")), _errors(found, errors, width), _comparison(report.get("comparison")))
    found_lines = [["", *lines] for part in parts if (lines := list(part))]
    return [line for part in found_lines for line in part][1:]


def _scores(report: Report) -> Iterator[str]:
    if report["score"] is None:
        yield f"{report['data']['name']} has no labels, so there is no score"
        yield from _cut_texts(report)
        return
    columns = [report, *([report["against"]] if "against" in report else [])]
    width = max(len(name) for name in report["metrics"]) + 2
    if columns[1:]:
        yield "".ljust(width) + "  ".join(f"{column['model']['name']:>20}" for column in columns)
    for name in report["metrics"]:
        yield name.ljust(width) + "  ".join(
            f"{_number(column['metrics'].get(name)):>{20 if columns[1:] else 8}}" for column in columns)
    for column in columns:
        score, timing = column["score"], column["timing"]
        times = timing["inference_ms"]
        yield (f"{column['model']['name']}: {score['metric']} {score['value']:.2f} "
               f"({score['confidence']:.0%} interval {score['low']:.2f} to {score['high']:.2f}, "
               f"{column['data']['examples']} examples)")
        if simulated := column.get("simulated"):
            yield f"  simulated: {simulated}"
        if times:
            yield (f"  inference {times['p50']:.1f} ms median, {times['p90']:.1f} p90, {times['p99']:.1f} p99, "
                   f"{timing['threads']} thread(s), {timing['workers']} worker(s)")
        yield from _cut_texts(column)


def _cut_texts(report: Report) -> Iterator[str]:
    """How many texts were not read to their ends."""
    count, total = report["cut"], report["data"]["examples"]
    if count:
        yield f"  {count} of {total} texts ({100 * count / total:.1f} %) are longer than the model reads, and were cut"


def _languages(found: Mapping[str, Any] | None) -> Iterator[str]:
    if found is None:
        return
    yield f"{'language':<{_NAME}}{'score':>9}{'95 % interval':>20}{'examples':>10}"
    for name, one in found["scores"].items():
        yield f"{_cut(name)}{one['value']:9.2f}{one['low']:11.2f} to{one['high']:6.2f}{one['examples']:10}"
    yield f"{'mean of the languages':<{_NAME}}{found['macro_average']:9.2f}"


def _groups(groups: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for i, group in enumerate(groups):
        numbers = {name: value for name, value in group.items() if name not in ("name", "examples")}
        if i == 0:
            yield f"{'questions':<{_NAME}}{'number':>9}" + "".join(f"{name:>9}" for name in numbers)
        yield f"{_cut(group['name'])}{group['examples']:9}" + "".join(f"{value:9.2f}" for value in numbers.values())


def _classes(found: Mapping[str, Any]) -> Iterator[str]:
    rows = found.get("classes", ())
    if not rows:
        return
    shown = rows
    if len(rows) > CLASSES:
        shown = sorted(rows, key=lambda row: row["f1"])[:CLASSES]
        yield f"the {CLASSES} classes of {len(rows)} with the lowest F1 ({_ALL})"
    yield f"{'class':<{_NAME}}{'precision':>10}{'recall':>9}{'F1':>9}{'support':>9}{'predicted':>11}"
    for row in shown:
        yield f"{_cut(row['name'])}{_three(row)}{row['support']:9}{row['predicted']:11}"
    for name, row in found["averages"].items():
        yield f"{_cut(f'{name} average')}{_three(row)}"


def _three(row: Mapping[str, float]) -> str:
    return f"{row['precision']:10.2f}{row['recall']:9.2f}{row['f1']:9.2f}"


def _confusion(found: Mapping[str, Any] | None, width: int) -> Iterator[str]:
    if found is None or len(found["labels"]) < 2:
        return
    labels, counts = found["labels"], found["counts"]
    cell = max(5, *(len(str(count)) + 1 for row in counts for count in row))
    if len(labels) > MATRIX or _NAME + cell * len(labels) > width:
        yield from _taken(labels, counts)
        return
    yield f"{'labeled; predicted:':<{_NAME}}" + "".join(f"{i:{cell}}" for i in range(1, len(labels) + 1))
    for i, (label, row) in enumerate(zip(labels, counts, strict=True), 1):
        yield f"{_cut(f'{i} {label}')}" + "".join(f"{count or '·':>{cell}}" for count in row)


def _taken(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Iterator[str]:
    """The commonest confusions."""
    pairs = sorted(((count, i, j) for i, row in enumerate(counts) for j, count in enumerate(row) if i != j and count),
                   key=lambda one: (-one[0], one[1:]))
    if pairs:
        yield f"{'labeled':<{_NAME}}  {'predicted':<{_NAME}}{'times':>7}"
    for count, i, j in pairs[:PAIRS]:
        yield f"{_cut(labels[i])}  {_cut(labels[j])}{count:7}"
    if len(pairs) > PAIRS:
        yield f"and {len(pairs) - PAIRS} pairs more ({_ALL})"


def _calibration(found: Mapping[str, Any] | None) -> Iterator[str]:
    if found is None:
        return
    gap = found["confidence"] - found["accuracy"]
    yield (f"calibration: ECE {found['ece']:.2f} %, {found['count']} {found['of']}; "
           + (f"too sure by {gap:.1f} points" if gap > 0 else f"too unsure by {-gap:.1f} points"))
    yield f"  {'confidence %':<14}{'count':>9}{'mean':>9}{'right %':>9}"
    for one in found["bins"]:
        if one["count"]:
            span = f"{one['low']:.0f}–{one['high']:.0f}"
            yield f"  {span:<14}{one['count']:9}{one['confidence']:9.2f}{one['accuracy']:9.2f}"


def _residuals(found: Mapping[str, Any] | None) -> Iterator[str]:
    if found is not None:
        yield "residuals (predicted less labeled)"
        for names in (("mean", "mean_absolute", "root_mean_square"), ("p50_absolute", "p90_absolute", "p99_absolute",
                                                                      "largest")):
            yield "  " + ", ".join(f"{name.replace('_', ' ')} {found[name]:.4g}" for name in names)


def _errors(found: Mapping[str, Any], most: int, width: int) -> Iterator[str]:
    errors = found.get("errors", ())[:most]
    if not errors:
        return
    wrong = found.get("wrong")
    yield f"worst errors, {len(errors)} of {wrong}" if wrong is not None else "largest residuals"
    for one in errors:
        yield _line(f"  {one['id'] or '–'}: {weight(one)}: {one['predicted']}, labeled {one['expected']}", width)
        yield _line(f"      {_asked(one)}", width)


def _asked(error: Mapping[str, Any]) -> str:
    """What the model was asked, in one line."""
    said = [error[name] for name in ("question", "context", "prompt", "text", "pair") if name in error]
    return " | ".join(str(one) for one in [*said, *error.get("choices", ())])


def _comparison(found: Mapping[str, Any] | None) -> Iterator[str]:
    if found is None:
        return
    difference, test = found["difference"], found["mcnemar"]
    yield f"same answer on {found['agreement']:.2f} % of the examples"
    yield f"difference {difference['value']:+.2f} ({difference['low']:+.2f} to {difference['high']:+.2f})"
    if test:
        yield (f"McNemar: {test['only_first']} right only here, {test['only_second']} only there, "
               f"p = {test['p']:.3g}")


def _cut(name: str) -> str:
    """``name`` in the first column, cut where it is too long."""
    name = " ".join(name.split())
    return set_cell_size(name if cell_len(name) < _NAME else set_cell_size(name, _NAME - 2) + "…", _NAME)


def _line(told: str, width: int) -> str:
    indent = told[:len(told) - len(told.lstrip())]
    told = indent + " ".join(told.split())
    return told if cell_len(told) <= width else set_cell_size(told, width - 1).rstrip() + "…"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)
