"""Tables in terminals of any width: numbers stay whole, and the worthiest columns stay."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from bench_reports import make_report
from rich.cells import cell_len

from mobilebert_lite.benchmarks.reports.export import over_first, records
from mobilebert_lite.benchmarks.reports.export import table as rows_of
from mobilebert_lite.cli.bench_output import BenchOutput
from mobilebert_lite.cli.tables import Column, FittingTable

NUMBERS = re.compile(r"\d+\.\d+ \(\d+\.\d+-\d+\.\d+\)|\d+\.\d+ ± \d+\.\d+|\d+\.\d+")
LESS = ("p95", "load ms", "peak MB", "mean ± σ ms")


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_a_benchmark(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int,
                     groups: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    report = make_report()
    report = replace(report, runs=tuple(
        replace(run, operators=(), file=replace(run.file, name=f"rather-{run.file.name}"))
        for run in report.runs[:2 * groups]))
    BenchOutput(None, None, False, False, False).write(report)
    shown = capsys.readouterr().out
    table = shown[:shown.index("rather-dynamic.tflite over rather-int8")]
    assert max(map(cell_len, table.splitlines())) <= width
    found = set(NUMBERS.findall(table))
    assert found <= {cell for row in rows_of(report) for cell in row}
    for row in records(report):
        assert f"{row['p50_ms']:.2f}" in found
        assert not row["ratio"] or over_first(row) in found
    # All columns are there, or named as left out.
    assert all(name in table for name in LESS)
    assert ("not shown in" in table) == (width in (80, 100) or (width == 60 and groups == 1))


def test_left_out_are_the_least() -> None:
    columns = [Column("name"), Column("c", 2), Column("a", 0), Column("b", 1), Column("none", 3)]
    rows = [("one", "33.33", "11.11", "22.22", ""), ("two", "3.33", "1.11", "2.22", "")]
    wide, narrow, thin = (FittingTable(columns, rows).lines(width) for width in (40, 24, 12))
    assert re.findall(r"[a-z]+", wide[1]) == ["name", "c", "a", "b"]
    assert re.findall(r"[a-z]+", narrow[1]) == ["name", "a", "b"]
    assert " ".join(narrow[-2:]) == "not shown in 24 columns: c"
    assert thin == ["one", "  a 11.11", "  b 22.22", "  c 33.33", "two", "  a 1.11", "  b 2.22", "  c 3.33"]


def test_texts_go_on_in_the_next_line() -> None:
    """A name of 60 characters, some of them twice as wide, takes no place from a number."""
    name = "模型" * 10 + "x" * 40
    lines = FittingTable([Column("model"), Column("ms", 0)], [(name, "123.456"), ("b", "1.0")]).lines(50)
    assert max(map(cell_len, lines)) <= 50
    assert any("123.456" in line for line in lines)
    assert "".join(re.findall(r"[模型x]", "".join(lines))) == name


def test_what_is_alike_stands_above() -> None:
    columns = [Column("model"), Column("device"), Column("ms", 0)]
    lines = FittingTable(columns, [("a", "Pixel 4", "1.0"), ("b", "Pixel 4", "2.0")]).lines(80)
    assert lines[0] == "Pixel 4"
    assert "device" not in "".join(lines)
