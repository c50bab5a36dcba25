"""The page of a benchmark: what it shows of a report, and what a report cannot make it do."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench_reports import make_report
from click.testing import CliRunner
from conftest import examples
from documents import assert_harmless
from hostile import IMAGE, SCRIPT
from hypothesis import given
from hypothesis import strategies as st

from mobilebert_lite.benchmarks.reports import result
from mobilebert_lite.benchmarks.reports.compare import between
from mobilebert_lite.benchmarks.reports.result import Aggregate, BenchReport, Configuration, Latencies
from mobilebert_lite.cli.bench import command
from mobilebert_lite.pages import plots
from mobilebert_lite.pages.bench_page import bench_page


def sections(text: str) -> set[str]:
    return {attributes["id"] for _, attributes in assert_harmless(text).elements if "id" in attributes}


def test_page_of_a_host() -> None:
    report = make_report()
    text = bench_page(report)
    document = assert_harmless(text)
    assert sections(text) == {"content", "results", "ratios", "distribution", "time", "settings", "operators",
                              "environment"}
    for run in report.runs:
        for q in (50, 90, 99):
            assert f"{np.percentile(run.samples.duration_us, q) / 1e3:.2f}" in document.text
        assert run.file.sha256 in document.text
    assert "Emulated" not in document.text
    assert "Incomplete" not in document.text


def test_page_of_an_emulated_phone() -> None:
    """Beside what is published of phones; that it is emulated stands at the top and beside every figure."""
    report = make_report("pixel4", "Pixel 4", emulated=True)
    document = assert_harmless(bench_page(report))
    assert "Emulated. What ran here is not the hardware" in document.text
    # Four settings: rows of the table, ratios, distributions, plots over time; by threads and by length; operators;
    # beside published figures; where and how.
    assert document.text.count("EMULATED") == 8 + 4 + 4 + 4 + (2 + 2) + 8 + 4 + 8
    assert "(emulated)" in document.text
    for figure in ("Pixel 4: MobileBERT", "62.0", "40.0", "192.0", "arXiv:2004.02984"):
        assert figure in document.text
    # Those of 384 tokens are of another length.
    assert "123.0" not in document.text
    assert "published" not in sections(bench_page(make_report()))


def test_headline_cards_are_of_one_setting() -> None:
    """dynamic was measured in one setting more, the fastest of all: no card is of it."""
    report = make_report()
    runs = tuple(run for run in report.runs if (run.file.recipe, run.configuration) != (
        "int8", Configuration(64, 2)))
    text = assert_harmless(bench_page(replace(report, runs=runs))).text
    head = " ".join(text[:text.index("Results")].split())
    assert "Median latency, 64 tokens, 1 thread, ai-edge-litert 2.3.0" in head
    medians = [np.median(run.samples.duration_us) / 1e3 for run in runs if run.configuration == Configuration(64, 1)]
    assert [float(one) for one in re.findall(r"([\d.]+) ms", head)] == pytest.approx(medians, abs=0.01)


def test_page_of_a_disturbed_run_judges_nothing() -> None:
    report = make_report()
    runs = tuple(replace(run, warnings=("noisy: half of the samples spread",)) for run in report.runs)
    text = bench_page(replace(report, runs=runs))
    assert 'class="value slower"' not in text
    assert text.count("not judged: noisy") == 4


def test_page_of_what_was_cut_short() -> None:
    report = make_report()
    runs = (replace(report.runs[0], complete=False, reason="interrupted", warnings=("hot: wait",)), *report.runs[1:])
    shown = assert_harmless(bench_page(replace(report, runs=runs))).text
    assert "Incomplete: at least one run was cut short" in shown
    assert "incomplete: interrupted" in shown
    assert "hot: wait" in shown


def test_page_without_samples() -> None:
    report = make_report()
    empty = tuple(replace(run, samples=Latencies(), environment=(), operators=()) for run in report.runs)
    assert sections(bench_page(replace(report, runs=empty))) == {"content", "results", "environment"}
    assert "Nothing was measured" in bench_page(replace(report, runs=()))


def test_page_of_batches() -> None:
    """Runners that tell only statistics: their means are drawn, and percentiles are not made up."""
    report = make_report()
    batches = (Aggregate(0.0, 50, 9000.0, 10.0, 8000.0, 11000.0, 128),
               Aggregate(5e5, 50, 9100.0, 9.0, 8100.0, 9900.0, 128))
    runs = tuple(replace(run, samples=Latencies(), aggregates=batches) for run in report.runs)
    document = assert_harmless(bench_page(replace(report, runs=runs)))
    assert "9.05" in document.text
    assert "p99 9" not in " ".join(document.text.split())


def test_comparison_with_a_baseline() -> None:
    before, after = make_report(), make_report(factor=1.5)
    text = bench_page(after, between(before, after))
    assert text.count("not in turn") == len(after.runs)
    [*_, ratio] = re.findall(r'class="value slower">([\d.]+)', text)
    assert float(ratio) == pytest.approx(1.5, rel=0.1)
    assert 'class="value faster"' in bench_page(before, between(after, before))


def test_command_of_two_reports(tmp_path: Path) -> None:
    for name, factor in (("a", 1.0), ("b", 1.5)):
        result.write(make_report(factor=factor), tmp_path / f"{name}.json")
    done = CliRunner().invoke(command, ["--compare", str(tmp_path / "a.json"), str(tmp_path / "b.json"),
                                        "--html", str(tmp_path / "page.html")], standalone_mode=False)
    assert (done.exception, done.return_value) == (None, 0)
    after = result.read(tmp_path / "b.json")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == bench_page(
        after, between(result.read(tmp_path / "a.json"), after))


def test_page_of_a_hostile_report() -> None:
    report = make_report("pixel4", SCRIPT)
    hostile = tuple(replace(
        run, file=replace(run.file, name=IMAGE + SCRIPT, toolkit=SCRIPT, recipe=IMAGE),
        device=replace(run.device, serial=IMAGE, features=(SCRIPT,), fingerprint=SCRIPT),
        runtime=replace(run.runtime, name=SCRIPT), warnings=(IMAGE,),
        operators=tuple(replace(one, kind=SCRIPT, name=IMAGE) for one in run.operators)) for run in report.runs)
    text = bench_page(replace(report, runs=hostile, created=SCRIPT, toolkit=IMAGE, source=SCRIPT))
    document = assert_harmless(text)
    assert document.text.count(SCRIPT) > 20
    assert "img" not in {tag for tag, _ in document.elements}


TIMES = st.floats(0.01, 1e12)


@examples(40)
@given(st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=8), st.integers(0, 512), st.integers(1, 64))
def test_page_of_any_samples(rows: list[tuple[float, float]], length: int, threads: int) -> None:
    offsets, durations = zip(*rows, strict=True)
    samples = Latencies(offsets, durations, (length,) * len(rows), (0,) * len(rows))
    report = make_report()
    runs = (replace(report.runs[0], samples=samples, configuration=Configuration(length, threads)),)
    document = assert_harmless(bench_page(BenchReport(report.created, report.toolkit, report.options, runs)))
    for tag, attributes in document.elements:
        if tag in ("path", "polyline", "polygon"):
            assert not re.search("nan|inf", attributes.get("points", "") + attributes.get("d", ""))


# Plots

def test_density_is_where_the_samples_are() -> None:
    """Ninety at 10 ms and ten at 20: two towers, nine to one."""
    values = np.array([10.0] * 90 + [20.0] * 10)
    one = plots.density(values, (5, 25), [("p50", 10.0), ("p90", 12.0), ("p99", 99.0)], 3, "x")
    [points] = re.findall(r'<polygon class="fill s3" points="([^"]*)"', str(one.drawing))
    places = [tuple(map(float, point.split(","))) for point in points.split()]
    heights = {round(x / plots.WIDTH * 20 + 5): plots.HEIGHT - y for x, y in places if y < plots.HEIGHT}
    assert set(heights) == {10, 20}
    assert heights[10] / heights[20] == pytest.approx(9, rel=0.01)
    assert re.findall(r'class="(p\d\d) s3"', str(one.drawing)) == ["p50", "p90"]
    assert one.x[0] == (0, "5")


def test_samples_over_time() -> None:
    """Dots where they are; of very many only the extremes and medians."""
    few = plots.Series(0, np.arange(10.0), np.linspace(1, 2, 10))
    drawing = str(plots.over_time([few], "x", (0, 9), (1, 2)).drawing)
    [path] = re.findall(r' d="([^"]*)"', drawing)
    assert path.count("M") == 10
    assert path.startswith(f"M0.0 {plots.HEIGHT:.1f}h0")
    assert "band" not in drawing
    many = plots.Series(0, np.arange(5000.0), np.tile([1.0, 2.0], 2500))
    drawing = str(plots.over_time([many], "x", (0, 4999), (1, 2)).drawing)
    assert "dots" not in drawing
    [band] = re.findall(r'class="band s0" points="([^"]*)"', drawing)
    assert {point.split(",")[1] for point in band.split()} == {"0.0", f"{plots.HEIGHT:.1f}"}


def test_categories_begin_at_zero() -> None:
    series = plots.Series(1, np.array([0.0, 1.0]), np.array([4.0, 2.0]), np.array([5.0, 3.0]))
    one = plots.by_category(["1", "2"], [series], "x")
    assert [text for _, text in one.x] == ["1", "2"]
    heights = [plots.HEIGHT - float(points.split()[0].split(",")[1])
               for points in re.findall(r'class="dot s1" [^>]*points="([^"]*)"', str(one.drawing))]
    assert heights[0] / heights[1] == pytest.approx(2, rel=1e-3)
