"""The page of `mbl bench --html`: a report as tables and plots.

Samples of runners that tell only statistics of batches are drawn as their means. Where a device was emulated its times
mean nothing, and every part says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mobilebert_lite.benchmarks.phone.profiles import profiles
from mobilebert_lite.benchmarks.reports.compare import FASTER, LEVEL, SLOWER, UNJUDGED, Comparison, within
from mobilebert_lite.benchmarks.reports.export import COLUMNS, table
from mobilebert_lite.benchmarks.reports.result import BenchReport, Run
from mobilebert_lite.benchmarks.reports.statistics import summarize
from mobilebert_lite.benchmarks.reports.wording import marks, setting
from mobilebert_lite.pages import plots
from mobilebert_lite.pages.page import render

# Colors of the style; files beyond them begin anew.
COLorS = 6
_MOST_CARDS = 6
# Of a verdict, the name of its style.
_STYLES = {UNJUDGED: "level", LEVEL: "level", SLOWER: "slower", FASTER: "faster"}


def bench_page(report: BenchReport, compared: Sequence[Comparison] = ()) -> str:
    """HTML of ``report``; ``compared``: with another report, such as a baseline."""
    files = _files(report)
    drawn = [run for run in report.runs if summarize(run) is not None]
    devices = {(run.device.profile, run.device.serial): run.device for run in report.runs}
    return render(
        "bench.html.jinja", title=f"Benchmark · {report.created[:10]} · mobilebert-lite", report=report,
        devices=list(devices.values()), headlines=_headlines(report), files=_legend(report, files),
        columns=_columns(report), warnings=_warnings(report), distributions=_by_place(drawn, _distribution, files),
        times=_by_place(drawn, _over_time, files), threads=_series(drawn, files, "threads", "length"),
        lengths=_series(drawn, files, "length", "threads"), published=_published(drawn),
        ratios=_ratios([*within(report), *compared], len(devices) > 1), operators=_operators(report),
        environment=[_environment(run) for run in report.runs])


def _files(report: BenchReport) -> dict[str, int]:
    """SHA-256 → color."""
    return {sha: i % COLorS for i, sha in enumerate(dict.fromkeys(run.file.sha256 for run in report.runs))}


def _legend(report: BenchReport, files: dict[str, int]) -> list[dict[str, Any]]:
    by_hash = {run.file.sha256: run.file for run in report.runs}
    return [{"color": color, "file": by_hash[sha]} for sha, color in files.items()]


def _headlines(report: BenchReport) -> list[dict[str, Any]]:
    """What one wants to know first: on each device every file's latency, all in one setting and runtime.

    It is the setting that most files were measured in, and of several such the fastest.
    """
    settings: dict[tuple[str, str], list[tuple[float, Run]]] = {}
    for run in report.runs:
        if (found := summarize(run)) is not None:
            where = f"{setting(run)}, {run.runtime.name} {run.runtime.version}"
            settings.setdefault((_place(run)[0], where), []).append(
                (found.percentiles_us.get("50", found.mean_us), run))
    best: dict[str, tuple[str, list[tuple[float, Run]]]] = {}
    for (device, where), measured in sorted(settings.items(), key=lambda item: (
            -len({run.file.sha256 for _, run in item[1]}), min(latency for latency, _ in item[1]))):
        best.setdefault(device, (where, measured))
    many = len(best) > 1
    return [{"setting": f"{device}, {where}" if many else where,
             "cards": [(run.file.name, f"{latency / 1000:.2f} ms" + (" (emulated)" if run.emulated else ""))
                       for latency, run in measured[:_MOST_CARDS]]} for device, (where, measured) in best.items()]


def _columns(report: BenchReport) -> dict[str, Any]:
    """The table of the terminal, without columns that say nothing or what the heading says."""
    rows = table(report)
    one = len({row[1] for row in rows}) == 1 and not report.emulated
    shown = [i for i in range(len(COLUMNS)) if any(row[i] for row in rows) and not (one and COLUMNS[i] == "device")]
    return {"names": [COLUMNS[i] for i in shown], "rows": [[row[i] for i in shown] for row in rows],
            "texts": sum(i < 3 for i in shown)}


def _warnings(report: BenchReport) -> list[tuple[str, list[str]]]:
    """Each warning with the runs that it is about."""
    about: dict[str, list[str]] = {}
    for run in report.runs:
        for said in [*run.warnings, *([] if run.complete else [f"incomplete: {run.reason}"])]:
            about.setdefault(said, []).append(f"{run.file.name}, {setting(run)}")
    return list(about.items())


def _place(run: Run) -> tuple[str, str]:
    """What distinguishes plots: runs on one device in one setting are drawn together."""
    device = run.device.title + (f" {run.device.serial}" if run.device.serial else "")
    return " ".join(filter(None, (device, marks(run)))), setting(run)


def _by_place(runs: Sequence[Run], draw: Callable[[Sequence[Run], dict[str, int]], dict[str, Any]],
              files: dict[str, int]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault(_place(run), []).append(run)
    return [{"device": device, "marks": marks(group[0]), "setting": where, **draw(group, files)}
            for (device, where), group in groups.items()]


def _durations(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Seconds since the report began and milliseconds, of samples or of the means of batches. *Shape:* (n,) twice"""
    if len(run.samples):
        return np.array(run.samples.offset_us) / 1e6, np.array(run.samples.duration_us) / 1e3
    return (np.array([one.offset_us for one in run.aggregates]) / 1e6,
            np.array([one.mean_us for one in run.aggregates]) / 1e3)


def _distribution(group: Sequence[Run], files: dict[str, int]) -> dict[str, Any]:
    values = [_durations(run)[1] for run in group]
    domain = plots.latency_domain(values)
    rows = []
    for run, durations in zip(group, values, strict=True):
        found = summarize(run)
        assert found is not None
        told = {name: found.percentiles_us[name] / 1e3 for name in ("50", "90", "99") if name in found.percentiles_us}
        rows.append({"file": run.file.name, "color": files[run.file.sha256], "percentiles": told,
                     "mean": found.mean_us / 1e3, "beyond": int((durations > domain[1]).sum()),
                     "plot": plots.density(durations, domain, [
                         (f"p{name}", value) for name, value in told.items() if name != "99"],
                         files[run.file.sha256], f"Latencies of {run.file.name}, {setting(run)}")})
    return {"rows": rows, "x": plots.axis(domain)}


def _over_time(group: Sequence[Run], files: dict[str, int]) -> dict[str, Any]:
    """Latency, and below it what the device said meanwhile."""
    columns = [_durations(run) for run in group]
    start = min(float(offsets.min()) for offsets, _ in columns)
    seconds = (0.0, max(float(offsets.max()) for offsets, _ in columns) - start)
    series = [plots.Series(files[run.file.sha256], offsets - start, durations)
              for run, (offsets, durations) in zip(group, columns, strict=True)]
    where = setting(group[0])
    found = [{"label": "latency, ms", "plot": plots.over_time(
        series, f"Latency over time, {where}", seconds, plots.latency_domain([one.y for one in series]))}]
    for label, read in _READINGS.items():
        if (seen := _readings(group, start, read)) is not None:
            found.append({"label": label, "plot": plots.readings(seen, f"{label} over time, {where}", seconds)})
    return {"plots": found}


def _frequency(snapshot: Any) -> float | None:
    return max(snapshot.frequency_khz.values()) / 1e6 if snapshot.frequency_khz else None


# Label -> what a snapshot says of it.
_READINGS: dict[str, Callable[[Any], float | None]] = {
    "temperature, °C": lambda snapshot: snapshot.temperature_c,
    "fastest core, GHz": _frequency,
    "thermal status": lambda snapshot: snapshot.thermal_status,
    "battery, %": lambda snapshot: snapshot.battery_percent,
}


def _readings(group: Sequence[Run], start: float, read: Callable[[Any], float | None]) -> plots.Series | None:
    """Everything that the runs' snapshots say of one thing; None for less than two readings."""
    found = sorted({(snapshot.offset_us / 1e6 - start, float(value)) for run in group for snapshot in run.environment
                    if (value := read(snapshot)) is not None})
    if len(found) < 2:
        return None
    return plots.Series(COLorS, *np.array(found).T)


def _series(runs: Sequence[Run], files: dict[str, int], over: str, apart: str) -> list[dict[str, Any]]:
    """Latency against one field of the configuration, a plot for each value of the other; none where it has one value.
    """
    panels: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        one = run.configuration
        rest = f"{one.threads} thread{'s' if one.threads > 1 else ''}" if apart == "threads" else (
            f"{one.length} tokens" if one.length else "mixed lengths")
        kind = ", ".join([rest, *([one.accelerator] if one.accelerator != "cpu" else []),
                          *([] if one.xnnpack else ["no XNNPACK"])])
        panels.setdefault((_place(run)[0], kind), []).append(run)
    drawn = []
    for (device, kind), group in panels.items():
        # Mixed lengths are 0 and stand last.
        values = sorted({getattr(run.configuration, over) for run in group}, key=lambda value: (value == 0, value))
        if len(values) > 1:
            names = [str(value) if value else "mixed" for value in values]
            series = [_points(group, sha, values, over, color) for sha, color in files.items()
                      if any(run.file.sha256 == sha for run in group)]
            drawn.append({"device": device, "marks": marks(group[0]), "setting": kind,
                          "plot": plots.by_category(names, series, f"Latency by {over}, {kind}")})
    return drawn


def _points(group: Sequence[Run], sha: str, values: Sequence[int], over: str, color: int) -> plots.Series:
    """The median (the mean where no more is known) at each value, and the 90th percentile above it."""
    points = []
    for run in group:
        if run.file.sha256 == sha and (found := summarize(run)) is not None:
            middle = found.percentiles_us.get("50", found.mean_us)
            points.append((values.index(getattr(run.configuration, over)), middle / 1e3,
                           found.percentiles_us.get("90", middle) / 1e3))
    x, y, upper = np.array(sorted(points), np.float64).T
    return plots.Series(color, x, y, upper)


def _published(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """On phones, at each length: our figures beside those that are published, slowest last."""
    phones = [run for run in runs if run.device.profile != "host" and run.configuration.length]
    found = []
    for length in sorted({run.configuration.length for run in phones}):
        rows: list[dict[str, Any]] = [
                {"label": f"{profile.title}: {one.model}", "setting": f"{one.threads} threads", "ms": one.ms,
                 "source": one.source, "ours": False}
                for profile in profiles().values() for one in profile.references if one.length == length]
        if not rows:
            continue
        for run in phones:
            if run.configuration.length == length and (statistics := summarize(run)) is not None:
                rows.append({"label": f"{run.device.title}: {run.file.name}", "setting": " ".join(filter(None, (
                    f"{run.configuration.threads} threads, {run.configuration.accelerator}", marks(run)))),
                    "ms": statistics.percentiles_us.get("50", statistics.mean_us) / 1e3, "source": "", "ours": True})
        most = max(row["ms"] for row in rows)
        found.append({"length": length, "rows": [{**row, "width": 100 * row["ms"] / most}
                                                 for row in sorted(rows, key=lambda row: row["ms"])]})
    return found


def _ratios(compared: Sequence[Comparison], devices: bool) -> dict[str, Any] | None:
    """Latency of the second over that of the first, with its interval."""
    if not compared:
        return None
    ends = [1.0, *(end for one in compared for end in (one.ratio.low, one.ratio.high))]
    domain = plots.padded(np.clip(np.array(ends), 1e-3, 1e3))
    rows = []
    for one in compared:
        style = _STYLES[one.verdict]
        rows.append({"first": one.first.file.name, "second": one.second.file.name,
                     "setting": ", ".join([setting(one.second), *([_place(one.second)[0]] if devices else []),
                                           *([marks(one.second)] if marks(one.second) and not devices else [])]),
                     "statistic": one.statistic, "ratio": one.ratio, "interleaved": one.interleaved,
                     "style": style, "verdict": ": ".join(filter(None, (one.verdict, ", ".join(one.doubts)))),
                     "plot": plots.interval(
                         one.ratio.low, one.ratio.value, one.ratio.high, domain, style,
                         label=f"Ratio {one.ratio.value:.3f}, from {one.ratio.low:.3f} to {one.ratio.high:.3f}")})
    return {"rows": rows, "x": plots.axis(domain), "interleaved": all(one.interleaved for one in compared)}


def _operators(report: BenchReport) -> list[dict[str, Any]]:
    return [{"file": run.file.name, "setting": setting(run), "device": _place(run)[0], "marks": marks(run),
             "rows": run.operators[:15], "rest": run.operators[15:], "most": max(one.percent for one in run.operators)}
            for run in report.runs if run.operators]


def _environment(run: Run) -> dict[str, Any]:
    """One row of the last table: where and how a run ran."""
    found = summarize(run)
    last = run.environment[-1] if run.environment else None
    return {"run": run, "setting": setting(run), "device": _place(run)[0], "marks": marks(run),
            "samples": found.count if found else 0, "last": last}
