"""A report as rows, CSV and Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from mobilebert_lite.benchmarks.reports import energy
from mobilebert_lite.benchmarks.reports.compare import Comparison, within
from mobilebert_lite.benchmarks.reports.result import BenchReport, Run
from mobilebert_lite.benchmarks.reports.statistics import PERCENTILES, Summary, summarize
from mobilebert_lite.benchmarks.reports.wording import marks, setting
from mobilebert_lite.errors import one_line

# Of a table for people.
COLUMNS = ("model", "device", "setting", "samples", "mean ± σ ms", *(f"p{q}" for q in PERCENTILES), "min", "load ms",
           "first ms", "peak MB", "answers", "mJ", "× first")

# Its columns of numbers, those first that a narrow terminal must show.
WORTH = ("p50", "× first", "p90", "samples", "answers", "mJ", "mean ± σ ms", "min", "peak MB", "load ms", "first ms",
         "p99", "p95")

OPERATOR_COLUMNS, OPERATOR_WORTH = ("operator", "nodes", "ms", "%"), ("ms", "%", "nodes")


def operators(run: Run) -> list[tuple[str, ...]]:
    """Rows in the order of OPERATOR_COLUMNS."""
    return [(one.kind, str(one.count), f"{one.mean_us / 1000:.3f}", f"{one.percent:.1f}") for one in run.operators]


def records(report: BenchReport) -> list[dict[str, Any]]:
    """One flat row of facts per run, times in milliseconds; None for what is not known."""
    compared = {id(one.second): one for one in within(report)}
    return [_record(run, compared.get(id(run))) for run in report.runs]


def _record(run: Run, compared: Comparison | None) -> dict[str, Any]:
    found, one = summarize(run), run.configuration
    return {
        "model": run.file.name, "sha256": run.file.sha256, "bytes": run.file.bytes, "recipe": run.file.recipe,
        "device": run.device.title, "profile": run.device.profile, "serial": run.device.serial,
        "fingerprint": run.device.fingerprint, "emulated": run.emulated, "complete": run.complete,
        "runtime": f"{run.runtime.name} {run.runtime.version}", "length": one.length or "mixed",
        "threads": one.threads, "accelerator": one.accelerator, "xnnpack": one.xnnpack,
        "cpus": " ".join(map(str, one.cpus)), "samples": found.count if found else 0,
        **_statistics(found),
        "load_ms": _ms(run.loading.load_us), "first_ms": _ms(run.loading.first_us),
        "power_w": _rounded(energy.power_w(run)), "energy_mj": _rounded(energy.energy_mj(run)),
        "peak_mb": round(run.memory.peak_bytes / 1e6, 1) if run.memory else None,
        "nodes": run.loading.nodes, "delegated": run.loading.delegated, "partitions": run.loading.partitions,
        "answers_compared": run.answers and run.answers.compared, "answers_same": run.answers and run.answers.same,
        "answers_difference": run.answers and _rounded(run.answers.largest_difference),
        "ratio": compared and round(compared.ratio.value, 4), "ratio_low": compared and round(compared.ratio.low, 4),
        "ratio_high": compared and round(compared.ratio.high, 4), "warnings": " | ".join(run.warnings)}


def _statistics(found: Summary | None) -> dict[str, float | None]:
    if found is None:
        return dict.fromkeys(("mean_ms", "std_ms", *(f"p{q}_ms" for q in PERCENTILES), "min_ms", "max_ms"))
    return {"mean_ms": _ms(found.mean_us), "std_ms": _ms(found.std_us),
            **{f"p{q}_ms": _ms(found.percentiles_us.get(str(q))) for q in PERCENTILES},
            "min_ms": _ms(found.min_us), "max_ms": _ms(found.max_us)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _ms(microseconds: float | None) -> float | None:
    return None if microseconds is None else round(microseconds / 1000, 4)


def table(report: BenchReport) -> list[tuple[str, ...]]:
    """Rows for people, in the order of COLUMNS."""
    return [(row["model"], " ".join(filter(None, (row["device"], marks(run)))), setting(run), str(row["samples"]),
             f"{_shown(row['mean_ms'])} ± {_shown(row['std_ms'])}", *(_shown(row[f"p{q}_ms"]) for q in PERCENTILES),
             *(_shown(row[name]) for name in ("min_ms", "load_ms", "first_ms", "peak_mb")), _same(row),
             _shown(row["energy_mj"]), over_first(row))
            for run, row in zip(report.runs, records(report), strict=True)]


def _same(row: dict[str, Any]) -> str:
    """``64/64``: answers that were those of this machine."""
    return "" if row["answers_compared"] is None else f"{row['answers_same']}/{row['answers_compared']}"


def over_first(row: dict[str, Any]) -> str:
    """``0.87 (0.86-0.88)``: latency over that of the group's first file."""
    return "" if row["ratio"] is None else f"{row['ratio']:.3f} ({row['ratio_low']:.3f}-{row['ratio_high']:.3f})"


def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:.2f}" if number < 100 else f"{number:.1f}"


def to_csv(report: BenchReport) -> str:
    """Every fact of every run; texts that a spreadsheet would take for a formula are quoted with an apostrophe."""
    rows = records(report)
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]) if rows else ["model"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    return stream.getvalue()


def _harmless(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = one_line(value)
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def to_markdown(report: BenchReport) -> str:
    """The table, and below it the warnings and where the figures come from."""
    lines = [_line(COLUMNS), _line(["---"] * len(COLUMNS)), *(_line(row) for row in table(report)), ""]
    if report.emulated:
        lines += ["**Emulated: these times say nothing about a real device.**", ""]
    lines += [f"- {_plain(run.file.name)}, {setting(run)}: {_plain(said)}" for run in report.runs
              for said in run.warnings]
    runtimes = sorted({f"{run.runtime.name} {run.runtime.version}" for run in report.runs})
    systems = sorted({f"{run.device.title} ({run.device.system or run.device.fingerprint})" for run in report.runs})
    lines += ["", f"{report.toolkit}, {report.created}; {', '.join(map(_plain, runtimes))}; "
                  f"{', '.join(map(_plain, systems))}; texts {_plain(report.options.data)}"]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_plain, cells)) + " |"


def _plain(text: str) -> str:
    """Without what Markdown and HTML would act on."""
    for character, safe in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("\n", " "), ("`", "'")):
        text = text.replace(character, safe)
    return text
