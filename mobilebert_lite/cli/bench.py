"""``mbl bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mobilebert_lite.cli.bench_output import BenchOutput, BenchProgress, fail, judge
from mobilebert_lite.cli.parameters import (
    DEVICES,
    PATH,
    RUNTIME,
    Cpus,
    Numbers,
    Percent,
    adb_servers,
    one_of,
    phone_options,
)


@click.command("bench")
@click.argument("models", type=PATH, nargs=-1, metavar="[MODEL]…")
@click.option("--device", type=DEVICES, default="host", show_default=True, metavar="NAME|host|any",
              help="host: this machine; any: every attached phone; or a phone's name, such as pixel4.")
@click.option("--serial", "serials", multiple=True, help="The attached phone with this serial number.")
@phone_options
@click.option("--runner", type=one_of("benchmark-model", "app"), default="benchmark-model", show_default=True,
              help="On phones: LiteRT's tool, or the demo app, which measures what an app sees and checks its answers "
                   "against this machine's.")
@click.option("--runner-binary", type=PATH, help="benchmark_model for phones. [default: $MBL_BENCHMARK_MODEL, "
                                                 "or LiteRT's official one]")
@click.option("--length", "lengths", type=Numbers(mixed=0), default=(), metavar="N[,N…]|mixed",
              help="Sequence lengths; mixed: each text in the shortest signature that holds it. "
                   "[default: the longest that all files have]")
@click.option("--threads", type=Numbers(), default=(1,), help="[default: 1]")
@click.option("--accelerator", "accelerators", type=one_of("cpu", "gpu", "npu"), multiple=True,
              default=("cpu",), help="[default: cpu]")
@click.option("--xnnpack/--no-xnnpack", default=True, help="The delegate for CPUs. [default: with it]")
@click.option("--cpus", type=Cpus(), default="big", metavar="big|all|N-M", show_default=True,
              help="Cores to pin the process to.")
@click.option("--runs", type=click.IntRange(1), metavar="N", help="At least so many samples. [default: 100]")
@click.option("--seconds", type=click.FloatRange(0), metavar="SECONDS",
              help="At least so long. [default: 5, or 0 with --runs]")
@click.option("--warmup", "warm_up", type=click.IntRange(0), metavar="N", default=200, show_default=True,
              help="Inferences before the samples, at most: it ends when the latency is stable.")
@click.option("--mlperf", is_flag=True, help="MLPerf's single stream: 1,024 samples and 60 s at least, judged by p90.")
@click.option("--cool-down", "cool_down_s", type=click.FloatRange(0), default=0.0, metavar="SECONDS",
              help="Rest between configurations; ends early when the device is as cool as at the start.")
@click.option("--data", type=PATH, help="Texts of your own, as mbl eval reads them. [default: built-in ones]")
@click.option("--vocab", "vocabulary", type=PATH, help="For files that carry no vocabulary.")
@click.option("--runtime", type=RUNTIME, help="On the host: ai-edge-litert or tflite-runtime.")
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
@click.option("--farm", type=one_of("firebase", "ai-edge-portal"),
              help="Write a job for these phones of a device farm (--device pixel6,pixel8), and print its commands.")
@click.option("--farm-folder", type=PATH, default=Path("farm"), show_default=True, help="Where the job is written.")
@click.option("--app", type=PATH, help="The demo app's APK: installed before with --runner app, run by firebase.")
@click.option("--test-apk", type=PATH, help="firebase: the package of tests beside the demo app's.")
@click.option("--import", "imported", type=PATH, multiple=True,
              help="Show reports, and instrumentation.results from a farm (files, or folders of them), as one; "
                   "measures nothing.")
def command(models: tuple[Path, ...], json_file: Path | None, page: Path | None, as_csv: bool, as_markdown: bool,
            compare: tuple[Path, Path] | None, baseline: Path | None, max_regression: float | None,
            runs: int | None, seconds: float | None, servers: tuple[str, ...], port: int | None, farm: str | None,
            farm_folder: Path, app: Path | None, test_apk: Path | None, imported: tuple[Path, ...],
            **options: Any) -> int:
    """Measure latency, memory and load time of MODELs (.tflite), on this machine or on phones.

    Several files are run in turn, so that their ratio can be trusted. Times are of single inferences on real texts,
    without tokenization.
    """
    if as_csv and as_markdown:
        raise click.UsageError("give --csv or --markdown, not both")
    if max_regression is not None and not (compare or baseline):
        raise click.UsageError("--max-regression needs --baseline FILE, or --compare A.json B.json")
    output = BenchOutput(json_file, page, as_csv, as_markdown)
    if compare or imported:
        if models:
            raise click.UsageError(f"{'--compare' if compare else '--import'} reads reports and measures nothing; "
                                   f"leave out {', '.join(map(str, models))}")
        return _compare(compare, max_regression, output) if compare else _import(imported, output)
    if not models:
        raise click.UsageError("give one .tflite or more; `mbl convert -o qa.tflite` makes one of the bundled "
                               "checkpoint")
    options |= {"runs": runs or (1 if seconds else 100), "servers": adb_servers(servers, port),
                "seconds": (0.0 if runs else 5.0) if seconds is None else seconds}
    _check_runner(app, farm, options)
    if farm:
        return _farm(farm, models, farm_folder, app, test_apk, options)
    return _measure(models, output, baseline, max_regression, options | {"app": app})


def _check_runner(app: Path | None, farm: str | None, options: dict[str, Any]) -> None:
    """Raises UsageError for options that would be passed over."""
    if options["runner"] == "app":
        if options["device"] == "host" and not (options["serials"] or options["connect"]):
            raise click.UsageError("--runner app runs on phones; give --device any, or the name of one")
        if options["runner_binary"]:
            raise click.UsageError("--runner-binary is benchmark_model; leave it out with --runner app")
    elif app is not None and not farm:
        raise click.UsageError("--app is for --runner app, and for --farm firebase")


def _measure(models: tuple[Path, ...], output: BenchOutput, baseline: Path | None, max_regression: float | None,
             options: dict[str, Any]) -> int:
    from mobilebert_lite.benchmarks.bench import BenchRequest, Failed, bench
    from mobilebert_lite.benchmarks.reports import result

    before = None if baseline is None else result.read(baseline)
    failed: Failed | None = None
    try:
        report = bench(BenchRequest(models, **options), BenchProgress())
    except Failed as error:
        report, failed = error.report, error
    if report.runs:
        output.write(report, before)
    if failed is not None:
        return fail(failed, output.json_file if report.runs else None)
    return 0 if before is None else judge(before, report, max_regression)


def _compare(paths: tuple[Path, Path], max_regression: float | None, output: BenchOutput) -> int:
    from mobilebert_lite.benchmarks.reports import result

    before, after = map(result.read, paths)
    if output.page is not None:
        output.write_page(after, before)
    return judge(before, after, max_regression)


def _farm(farm: str, models: tuple[Path, ...], folder: Path, app: Path | None, test: Path | None,
          options: dict[str, Any]) -> int:
    from mobilebert_lite.benchmarks.farm import Measurement, firebase, portal

    devices = options["device"].split(",")
    if farm != "firebase":
        commands = portal(models, devices, options["accelerators"], folder)
    elif app is None or test is None:
        raise click.UsageError("--farm firebase needs --app and --test-apk, the APKs of the demo app")
    else:
        wanted = Measurement(options["runs"], options["seconds"], options["threads"], options["accelerators"],
                             options["lengths"], options["data"])
        commands = firebase(models, devices, app, test, wanted, folder)
    click.echo("\n".join(commands))
    return 0


def _import(paths: tuple[Path, ...], output: BenchOutput) -> int:
    from dataclasses import replace

    from mobilebert_lite.benchmarks.farm import read_results
    from mobilebert_lite.benchmarks.method import merge

    output.write(replace(merge(read_results(paths)), source=", ".join(map(str, paths))))
    return 0
