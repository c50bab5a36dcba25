"""``mbl bench``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobilebert_lite.benchmarks.compare import Comparison
    from mobilebert_lite.benchmarks.result import Report

PATH = click.Path(path_type=Path)


class Numbers(click.ParamType):
    """1,2,4: whole numbers; with words, those may stand in their place."""

    def __init__(self, least: int = 1, **words: int) -> None:
        self.least, self.words = least, words
        self.name = "N[,N…]" + "".join(f"|{word}" for word in words)

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            found = tuple(self.words[one] if one in self.words else int(one) for one in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r}: whole numbers such as 1,2,4 are needed", param, context)
        if any(one < self.least and one not in self.words.values() for one in found):
            self.fail(f"{value!r}: each must be {self.least} or more", param, context)
        return tuple(dict.fromkeys(found))


class Cpus(click.ParamType):
    """big, all, or numbers such as 4-7 or 0,2."""

    name = "big|all|N-M"

    def convert(self, value: Any, param: click.Parameter | None,
                context: click.Context | None) -> tuple[int, ...] | str:
        if isinstance(value, tuple) or value in ("big", "all"):
            return value
        found: list[int] = []
        try:
            for part in str(value).split(","):
                first, _, last = part.partition("-")
                found += range(int(first), int(last or first) + 1)
        except ValueError:
            found = []
        if not found or min(found) < 0 or max(found) > 1023:
            self.fail(f"{value!r} is neither big, all, nor numbers of processors such as 4-7", param, context)
        return tuple(sorted(set(found)))


class Percent(click.ParamType):
    """5% or 5: a share."""

    name = "PERCENT"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            number = float(str(value).removesuffix("%"))
        except ValueError:
            number = -1.0
        if not 0 <= number < 1000:
            self.fail(f"{value!r} is no percentage such as 5%", param, context)
        return number / 100


@click.command("bench")
@click.argument("models", type=PATH, nargs=-1, metavar="[MODEL]…")
@click.option("--device", default="host", show_default=True, metavar="NAME|host|any",
              help="host: this machine; any: every attached phone; or a phone's name, such as pixel4.")
@click.option("--serial", "serials", multiple=True, help="The attached phone with this serial number.")
@click.option("--length", "lengths", type=Numbers(mixed=0), default=(),
              help="Sequence lengths; mixed: each text in the shortest signature that holds it. "
                   "[default: the longest that all files have]")
@click.option("--threads", type=Numbers(), default=(1,), help="[default: 1]")
@click.option("--accelerator", "accelerators", type=click.Choice(["cpu", "gpu", "npu"]), multiple=True,
              default=("cpu",), help="[default: cpu]")
@click.option("--xnnpack/--no-xnnpack", default=True, help="The delegate for CPUs. [default: with it]")
@click.option("--cpus", type=Cpus(), default="big", show_default=True, help="Cores to pin the process to.")
@click.option("--runs", type=click.IntRange(1), help="At least so many samples. [default: 100]")
@click.option("--seconds", type=click.FloatRange(0), help="At least so long. [default: 5, or 0 with --runs]")
@click.option("--warmup", "warm_up", type=click.IntRange(0), default=200, show_default=True,
              help="Inferences before the samples, at most: it ends when the latency is stable.")
@click.option("--mlperf", is_flag=True, help="MLPerf's single stream: 1,024 samples and 60 s at least, judged by p90.")
@click.option("--cool-down", "cool_down_s", type=click.FloatRange(0), default=0.0, metavar="SECONDS",
              help="Rest between configurations; ends early when the device is as cool as at the start.")
@click.option("--data", type=PATH, help="Texts of your own, as mbl eval reads them. [default: built-in ones]")
@click.option("--vocab", "vocabulary", type=PATH, help="For files that carry no vocabulary.")
@click.option("--runtime", help="On the host: ai-edge-litert or tflite-runtime.")
@click.option("--profile", is_flag=True, help="Also the time of each kind of operator, where the runtime tells.")
@click.option("--strict", is_flag=True, help="Refuse a device that is hot, low on charge, or busy.")
@click.option("--timeout", "silence_s", type=click.FloatRange(0.1), default=60.0, show_default=True, metavar="SECONDS",
              help="End a runtime that has been silent for so long.")
@click.option("--json", "json_file", type=PATH, help="Write all samples and their provenance; - prints them.")
@click.option("--html", "page", type=PATH, metavar="FILE",
              help="Write a page with plots of all this, to be opened in a browser; it needs no network. With "
                   "--compare: of the second report.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV in place of the table.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown in place of the table.")
@click.option("--compare", type=PATH, nargs=2, metavar="A.json B.json", help="Compare two reports; measures nothing.")
@click.option("--baseline", type=PATH, help="Compare with this report after measuring.")
@click.option("--max-regression", type=Percent(), help="With --baseline or --compare: exit 1 when any run is slower by "
                                                       "more than this, and not by chance.")
def command(models: tuple[Path, ...], json_file: Path | None, page: Path | None, as_csv: bool, as_markdown: bool,
            compare: tuple[Path, Path] | None, baseline: Path | None, max_regression: float | None,
            runs: int | None, seconds: float | None, **options: Any) -> int:
    """Measure latency, memory and load time of MODELs (.tflite), on this machine or on phones.

    Several files are run in turn, so that their ratio can be trusted. Times are of single inferences on real texts,
    without tokenisation.
    """
    if as_csv and as_markdown:
        raise click.UsageError("give --csv or --markdown, not both")
    if max_regression is not None and not (compare or baseline):
        raise click.UsageError("--max-regression needs --baseline FILE, or --compare A.json B.json")
    if compare:
        if models:
            raise click.UsageError("--compare reads two reports and measures nothing; leave out "
                                   + ", ".join(map(str, models)))
        return _compare(compare, max_regression, page)
    if not models:
        raise click.UsageError("give one .tflite or more; `mbl convert -o qa.tflite` makes one of the bundled "
                               "checkpoint")
    return _measure(models, json_file, page, as_csv, as_markdown, baseline, max_regression, {
        "runs": runs or (1 if seconds else 100), "seconds": (0.0 if runs else 5.0) if seconds is None else seconds,
        **options})


def _measure(models: tuple[Path, ...], json_file: Path | None, page: Path | None, as_csv: bool, as_markdown: bool,
             baseline: Path | None, max_regression: float | None, options: dict[str, Any]) -> int:
    from mobilebert_lite.benchmarks import result
    from mobilebert_lite.benchmarks.bench import Failed, Request, bench

    before = None if baseline is None else result.read(baseline)
    failed: Failed | None = None
    try:
        report = bench(Request(models, **options), _Progress())
    except Failed as error:
        report, failed = error.report, error
    if report.runs:
        if json_file is not None and str(json_file) != "-":
            result.write(report, json_file)
        if page is not None:
            _write_page(page, report, before)
        _show(report, as_csv, as_markdown, json_file)
    if failed is not None:
        return _fail(failed, json_file if report.runs else None)
    return 0 if before is None else _judge(before, report, max_regression)


def _write_page(page: Path, report: Report, before: Report | None) -> None:
    from mobilebert_lite.benchmarks.compare import between
    from mobilebert_lite.cli.output import progress
    from mobilebert_lite.files import write_atomically
    from mobilebert_lite.pages.bench_page import bench_page

    compared = [] if before is None else between(before, report)
    write_atomically(page, bench_page(report, compared).encode("utf-8", "replace"))
    progress(f"wrote {page}")


def _show(report: Report, as_csv: bool, as_markdown: bool, json_file: Path | None) -> None:
    import json

    from mobilebert_lite.benchmarks import export
    from mobilebert_lite.cli.output import progress

    for said in dict.fromkeys(f"{run.file.name}, {export.setting(run)}: {one}" for run in report.runs
                              for one in run.warnings):
        progress(f"warning: {said}")
    if json_file is not None and str(json_file) == "-":
        click.echo(json.dumps(report.to_json(), ensure_ascii=False))
    elif as_csv or as_markdown:
        click.echo(export.to_csv(report) if as_csv else export.to_markdown(report), nl=False)
    else:
        _table(export.COLUMNS, export.table(report))
        for run in report.runs:
            if run.operators:
                click.echo(f"\n{run.file.name}, {export.setting(run)}: operators of one inference")
                _table(export.OPERATOR_COLUMNS, export.operators(run))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns that say nothing, and facts that are the same in all rows, stand above the table or nowhere."""
    import sys

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    table = Table()
    shown = [i for i in range(len(columns)) if any(row[i] for row in rows)]
    alike = [i for i in shown if i in (1, 2) and len({row[i] for row in rows}) == 1]
    if alike:
        console.print(Text("; ".join(rows[0][i] for i in alike)))
    shown = [i for i in shown if i not in alike]
    for i in shown:
        table.add_column(columns[i], justify="left" if i < 3 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[i]) for i in shown))
    console.print(table)


def _fail(failed: Any, kept: Path | None) -> int:
    from mobilebert_lite.cli import _Ended
    from mobilebert_lite.cli.output import progress

    if kept is not None:
        progress(f"what was measured until then is kept, and marked incomplete, in {kept}")
    if not isinstance(failed.cause, KeyboardInterrupt):
        raise failed.cause
    ended = isinstance(failed.cause, _Ended)
    click.echo("Error: ended by SIGTERM" if ended else "Error: interrupted", err=True)
    return 143 if ended else 130


def _compare(paths: tuple[Path, Path], max_regression: float | None, page: Path | None) -> int:
    from mobilebert_lite.benchmarks import result

    before, after = map(result.read, paths)
    if page is not None:
        _write_page(page, after, before)
    return _judge(before, after, max_regression)


def _judge(before: Report, after: Report, max_regression: float | None) -> int:
    from mobilebert_lite.benchmarks.compare import between

    found = between(before, after)
    _table(("model", "device", "setting", "by", "before ms", "after ms", "ratio", ""),
           [_comparison(one, max_regression) for one in found])
    worse = [one for one in found if max_regression is not None and one.regressed(max_regression)]
    if worse:
        most = max(worse, key=lambda one: one.ratio.value)
        click.echo(f"Error: {len(worse)} of {len(found)} runs regressed by more than {100 * (max_regression or 0):g} "
                   f"%; the worst is {most.second.file.name}: {100 * (most.ratio.value - 1):.1f} % slower "
                   f"({most.first_us / 1000:.2f} -> {most.second_us / 1000:.2f} ms)", err=True)
    return 1 if worse else 0


def _comparison(one: Comparison, max_regression: float | None) -> tuple[str, ...]:
    from mobilebert_lite.benchmarks.export import marks, setting

    verdict = "no difference beyond chance" if not one.significant else (
        "slower" if one.ratio.value > 1 else "faster")
    if max_regression is not None and one.regressed(max_regression):
        verdict = "REGRESSED"
    return (one.second.file.name, " ".join(filter(None, (one.second.device.title, marks(one.second)))),
            setting(one.second), one.statistic, f"{one.first_us / 1000:.2f}", f"{one.second_us / 1000:.2f}",
            f"{one.ratio.value:.3f} ({one.ratio.low:.3f}-{one.ratio.high:.3f})", verdict)


class _Progress:
    """A line when a file begins, and every ten seconds."""

    SECONDS = 10.0

    def __init__(self) -> None:
        self._shown: dict[str, tuple[int, float]] = {}

    def __call__(self, name: str, done: int, total: int) -> None:
        from mobilebert_lite.cli.output import progress

        last, when = self._shown.get(name, (done, 0.0))
        if done < last or time.monotonic() - when >= self.SECONDS:
            self._shown[name] = done, time.monotonic()
            progress(f"{name}: {done} of {total} samples or more")
