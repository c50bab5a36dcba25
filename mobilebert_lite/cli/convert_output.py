"""Output of ``mbl convert``: plans, reports, tables of several files, the next command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mobilebert_lite.cli.output import head_room, print_json, print_lines
from mobilebert_lite.errors import one_line

if TYPE_CHECKING:
    from mobilebert_lite.conversion.for_npu import NpuFile
    from mobilebert_lite.conversion.modes import Variant
    from mobilebert_lite.conversion.plan import Plan
    from mobilebert_lite.conversion.request import ConvertReport
    from mobilebert_lite.conversion.search import Search


def print_plans(plans: Sequence[Plan], as_json: bool) -> None:
    """What would be decided, for each mode."""
    told = [plan.to_json() for plan in plans]
    if as_json:
        print_json(told[0] if len(told) == 1 else told)
        return
    for i, one in enumerate(told):
        print_lines(*[""] * (i > 0), *(f"{name.replace('_', ' ')}: {words}" for name, value in one.items()
                                       if (words := _in_words(value))))


def _in_words(value: Any) -> str:
    """A JSON value on one line; what is empty is left out."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {words}" for name, one in value.items() if (words := _in_words(one)))
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def print_report(report: ConvertReport, as_json: bool) -> None:
    """One file."""
    if as_json:
        print_json(report.to_json())
        return
    print_lines(f"{report.output}: {report.bytes / 1e6:.2f} MB, {report.task}, in {report.seconds:.0f} s")
    for result in report.verification:
        print_lines(f"  {result.signature}: same answer as {report.provenance['verified_against']} on "
                    f"{result.agreement:.1%} of {result.texts} texts, mean relative error {result.error:.2g}")
    for one in report.compiled:
        print_lines(*(f"  {line}" for line in compiled_lines(one)))
    if scored := report.evaluation:
        print_lines(f"  {scored['metric']} {scored['candidate']['value']:.2f}, of the float model "
                    f"{scored['float']['value']:.2f}, on {scored['data']['examples']} examples")
    if room := head_room(report.provenance):
        print_lines(f"  {room}")
    print_lines(f"  needs TFLite {report.provenance['min_runtime_version']} or later")
    print_lines(f"next: {next_command(report.output, report.task)}")


def compiled_lines(one: NpuFile) -> list[str]:
    """A file for an NPU."""
    compiled = one.compiled
    lines = [f"{one.output}: {len(one.content) / 1e6:.2f} MB, for {compiled.soc}, {compiled.compiler}",
             f"  {compiled.taken} of {compiled.operators} operators on the NPU, in {compiled.partitions} partition(s), "
             f"{sum(compiled.nodes.values())} nodes"]
    lines += [f"  on the CPU: {left.operator} ({left.place}), {left.signature}" for left in compiled.left]
    return lines + [f"  {result.signature}, simulated: same answer on {result.agreement:.1%} of {result.texts} texts, "
                    f"mean relative error {result.error:.2g}" for result in one.verification]


def next_command(path: str, task: str) -> str:
    """``mbl run`` for a file of ``task``, to be filled in."""
    from mobilebert_lite.tasks import TASKS

    asked = TASKS[task].asks
    return " ".join(["mbl", "run", shlex.quote(one_line(path)), *(f'--{name} "…"' for name in asked)])


def print_variants(variants: Sequence[Variant], as_json: bool) -> None:
    """Several files in one table."""
    from mobilebert_lite.cli.tables import Column, FittingTable, show

    if as_json:
        print_json({"files": [one.to_json() for one in variants]})
        return
    metric = next((one.report.evaluation["metric"] for one in variants if one.report.evaluation), "")
    columns = [Column("file"), Column(metric or "score", 0), Column("MB", 1), Column("ms", 2), Column("TFLite", 4),
               Column("same answers", 3), Column("loads in")]
    show(FittingTable(columns, [_row(one) for one in variants], " (--json prints all)"))
    print_lines(*_notes(variants, metric))
    print_lines(f"next: {next_command(variants[0].report.output, variants[0].report.task)}")


def _row(one: Variant) -> tuple[str, ...]:
    report = one.report
    score = f"{report.evaluation['candidate']['value']:.2f}" if report.evaluation else ""
    return (report.output, score, f"{report.bytes / 1e6:.2f}", f"{one.milliseconds:.2f}",
            str(report.provenance["min_runtime_version"]),
            f"{min(result.agreement for result in report.verification):.1%}", ", ".join(one.clients))


def _notes(variants: Sequence[Variant], metric: str) -> list[str]:
    scored = variants[0].report.evaluation
    notes = [f"{metric} of the float model {scored['float']['value']:.2f}, on {scored['data']['examples']} examples"
             ] if scored else []
    notes.append("ms: one inference on this machine, 1 thread; loads in: names for `mbl inspect --client`")
    return notes + [f"{one.mode}: {room}" for one in variants if (room := head_room(one.report.provenance))]


def print_search(found: Search, as_json: bool) -> None:
    """The candidates of a search."""
    from mobilebert_lite.cli.tables import Column, FittingTable, show

    if as_json:
        print_json(found.to_json())
        return
    rows = []
    for one in found.candidates:
        notes = [*(["kept"] if one.recipe == found.kept else []), *(["Pareto"] if one.pareto else []),
                 *([one.reason] if one.reason else [])]
        figures = ("", "", "") if one.score is None or one.bytes is None or one.milliseconds is None else (
            f"{one.score:.2f}", f"{one.bytes / 1e6:.2f}", f"{one.milliseconds:.2f}")
        rows.append((one.recipe, *figures, ", ".join(notes)))
    columns = [Column("recipe"), Column(found.metric, 0), Column("MB", 2), Column("ms", 1), Column("result")]
    show(FittingTable(columns, rows))
    if found.report is not None:
        print_lines(f"next: {next_command(found.report.output, found.report.task)}")

