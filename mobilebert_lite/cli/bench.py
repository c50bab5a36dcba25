"""``mbl bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mobilebert_lite.cli import options
from mobilebert_lite.cli.bench_output import BenchOutput, BenchProgress, compare_reports, fail
from mobilebert_lite.cli.command import option, section
from mobilebert_lite.cli.output import print_json, print_lines, progress
from mobilebert_lite.cli.parameters import DEVICES, PATH, Cpus, Percent, WholeNumber, one_of, several

_COMPARING = ("--baseline", "--compare")


@options.command("bench")
@click.argument("models", type=PATH, nargs=-1, metavar="[MODEL]…")
@section(
    "Input",
    several("--seq-len", "lengths", each=WholeNumber(mixed=0),
            help="Sequence lengths; mixed runs each text in the shortest signature that holds it. "
                 "[default: the longest length that all files have]"),
    option("--data", type=PATH, metavar="FILE",
           help="Texts to run, in any format of `mbl eval --data`. [default: built-in texts]"),
    *options.data_options,
    options.vocabulary(help="Vocabulary for files that hold none."))
@section(
    "Device",
    option("--device", type=DEVICES, default="host", show_default=True, metavar="host|any|NAME",
           help="host: this machine; any: every attached phone; otherwise the phone of this name, such as pixel4."),
    options.serial("serials", multiple=True,
                   help="Use the attached phone with this serial number; repeat it for several."),
    *options.phones,
    option("--runner", type=one_of("runner", "benchmark-model", "app"), default="benchmark-model", show_default=True,
           help="What runs models on phones: LiteRT's benchmark tool, or the demo app, which measures what an app "
                "sees and checks its answers against this machine's."),
    option("--runner-binary", type=PATH, metavar="FILE",
           help="benchmark_model binary for phones. [default: $MBL_BENCHMARK_MODEL, or LiteRT's official one]"),
    option("--runner-sha256", type=options.Sha256(), metavar="SHA256",
           help="SHA-256 that the benchmark_model binary must have. [default: an official one must be as it was when "
                "it was fetched first]"),
    options.app(help="APK of the demo app: installed first with --runner app, uploaded with --farm firebase."))
@section(
    "Settings",
    several("--threads", each=WholeNumber(), default=(options.THREADS,), show_default=True,
            help="Threads of each inference; several numbers are measured in turn."),
    several("--accelerator", "accelerators", each=one_of("accelerator", "cpu", "gpu", "npu"), default=("cpu",),
            show_default=True, help="Processors to run on; several are measured in turn."),
    option("--xnnpack/--no-xnnpack", default=True, show_default=True, help="Use XNNPACK, the delegate for CPUs."),
    option("--cpus", type=Cpus(), default="big", metavar="big|all|N-M", show_default=True,
           help="Cores to pin the process to."),
    options.interpreter())
@section(
    "Measurement",
    option("--runs", type=click.IntRange(1), help="Minimum number of samples. [default: 100]"),
    option("--seconds", type=click.FloatRange(0), metavar="SECONDS",
           help="Minimum duration. [default: 5, or 0 with --runs]"),
    option("--warmup", "warm_up", type=click.IntRange(0), default=200, show_default=True,
           help="Maximum number of inferences before the samples; the warm-up ends when the latency is stable."),
    option("--mlperf", is_flag=True,
           help="Follow MLPerf's single-stream scenario: at least 1,024 samples and 60 s, judged by p90."),
    option("--cool-down", "cool_down_s", type=click.FloatRange(0), default=0.0, show_default=True, metavar="SECONDS",
           help="Maximum pause between configurations; it ends when the device is as cool as at the start."),
    option("--timeout", "silence_s", type=click.FloatRange(0.1), default=60.0, show_default=True, metavar="SECONDS",
           help="Stop a runtime that prints nothing for this long."),
    option("--profile", is_flag=True, help="Also measure the time of each kind of operator, where the runtime can."),
    option("--strict", is_flag=True,
           help="Fail instead of warning: when a device is hot, low on charge or busy."))
@section(
    "Comparison",
    option("--compare", type=PATH, nargs=2, metavar="A.json B.json",
           help="Compare two reports in place of measuring."),
    option("--baseline", type=PATH, metavar="FILE", help="Compare the measurement with this report."),
    option("--max-regression", needs=_COMPARING, type=Percent(), metavar="PERCENT",
           help="exit with 1 if any run is slower by more than this, and not by chance."))
@section(
    "Device farms",
    option("--farm", type=one_of("farm", "firebase", "ai-edge-portal"),
           help="Write a job for phones of a device farm (--device pixel6,pixel8) and print the commands to run it."),
    option("--farm-folder", needs="--farm", type=PATH, default=Path("farm"), show_default=True, metavar="DIR",
           help="folder for the job."),
    option("--test-apk", needs="--farm", type=PATH, metavar="APK", help="APK with the demo app's tests, for firebase."),
    option("--import", "imported", type=PATH, multiple=True, metavar="PATH",
           help="Show reports, and instrumentation results from a farm (files or folders), as one report in place of "
                "measuring; repeat it for several."))
@section(
    "Output",
    options.report(help="Write the report to FILE as JSON, with every sample and its provenance."),
    options.page(),
    options.as_json(help="Print the report to standard output as JSON, in place of the table."),
    option("--csv", "as_csv", is_flag=True, help="Print CSV in place of the table."),
    option("--markdown", "as_markdown", is_flag=True, help="Print Markdown in place of the table."))
def command(models: tuple[Path, ...], report: Path | None, page: Path | None, as_json: bool, as_csv: bool,
            as_markdown: bool, compare: tuple[Path, Path] | None, baseline: Path | None, max_regression: float | None,
            runs: int | None, seconds: float | None, servers: tuple[str, ...], port: int | None, farm: str | None,
            farm_folder: Path, app: Path | None, test_apk: Path | None, imported: tuple[Path, ...],
            **asked: Any) -> int:
    """Measure latency, memory and load time of each MODEL, a .tflite file, on this machine or on phones.

    Several files are measured in turn, so that their ratio is reliable. Each sample is one inference on a real text,
    without tokenization.
    """
    if as_json + as_csv + as_markdown > 1:
        raise click.UsageError("give one of --json, --csv and --markdown")
    output = BenchOutput(report, page, as_json, as_csv, as_markdown)
    if compare or imported:
        if models:
            raise click.UsageError(f"{'--compare' if compare else '--import'} reads reports and measures nothing; "
                                   f"leave out {', '.join(map(str, models))}")
        return _compare(compare, max_regression, output) if compare else _import(imported, output)
    _check_models(models)
    asked["reading"] = options.reading(asked)
    asked |= {"runs": runs or (1 if seconds else 100), "servers": options.adb_servers(servers, port),
              "seconds": (0.0 if runs else 5.0) if seconds is None else seconds}
    _check_runner(app, farm, asked)
    from mobilebert_lite.common.requirements import need_files, need_outputs

    need_files(models, "model")
    need_files((asked["data"], baseline))
    need_outputs((report, page))
    if farm:
        return _farm(farm, models, farm_folder, app, test_apk, options=asked)
    return _measure(models, output, baseline, max_regression, asked | {"app": app})


def _check_models(models: tuple[Path, ...]) -> None:
    if not models:
        raise click.UsageError("give at least one .tflite file; `mbl convert -o qa.tflite` makes one from the "
                               "bundled checkpoint")
    if reports := [str(one) for one in models if one.suffix == ".json" or str(one) == "-"]:
        raise click.UsageError(f"{', '.join(reports)}: not a .tflite file; --report FILE writes the report, --json "
                               "prints it, and --baseline or --compare reads one")


def _check_runner(app: Path | None, farm: str | None, options: dict[str, Any]) -> None:
    """Raise UsageError for options that would be ignored."""
    if options["runner"] == "app":
        if options["device"] == "host" and not (options["serials"] or options["connect"]):
            raise click.UsageError("--runner app runs on phones; give --device any, or the name of one")
        if options["runner_binary"] or options["runner_sha256"]:
            raise click.UsageError("--runner-binary and --runner-sha256 are of benchmark_model; leave them out with "
                                   "--runner app")
    elif app is not None and not farm:
        raise click.UsageError("--app is for --runner app, and for --farm firebase")


def _measure(models: tuple[Path, ...], output: BenchOutput, baseline: Path | None, max_regression: float | None,
             options: dict[str, Any]) -> int:
    from mobilebert_lite.benchmarks.bench import BenchRequest, Failed, bench
    from mobilebert_lite.benchmarks.reports import result

    before = None if baseline is None else result.read(baseline)
    failed: Failed | None = None
    try:
        report = bench(BenchRequest(models, **options), BenchProgress(), progress)
    except Failed as error:
        report, failed = error.report, error
    if report.runs:
        output.write(report, before)
    if failed is not None:
        return fail(failed, output.file if report.runs else None)
    return 0 if before is None else compare_reports(before, report, max_regression, output.as_json)


def _compare(paths: tuple[Path, Path], max_regression: float | None, output: BenchOutput) -> int:
    from mobilebert_lite.benchmarks.reports import result
    from mobilebert_lite.benchmarks.reports.compare import between

    before, after = map(result.read, paths)
    if output.page is not None:
        output.write_page(after, before)
    if output.as_json:
        print_json([one.to_json() for one in between(before, after)], None)
    return compare_reports(before, after, max_regression, output.as_json)


def _farm(farm: str, models: tuple[Path, ...], folder: Path, app: Path | None, test: Path | None,
          *, options: dict[str, Any]) -> int:
    from mobilebert_lite.benchmarks.farm import Measurement, firebase, portal

    devices = options["device"].split(",")
    if farm != "firebase":
        commands = portal(models, devices, options["accelerators"], folder)
    elif app is None or test is None:
        raise click.UsageError("--farm firebase needs --app and --test-apk, the APKs of the demo app")
    else:
        wanted = Measurement(options["runs"], options["seconds"], options["threads"], options["accelerators"],
                             options["lengths"], options["data"], options["reading"])
        commands = firebase(models, devices, app, test, wanted, folder=folder)
    print_lines(*commands)
    return 0


def _import(paths: tuple[Path, ...], output: BenchOutput) -> int:
    from dataclasses import replace

    from mobilebert_lite.benchmarks.farm import read_results
    from mobilebert_lite.benchmarks.method import merge

    output.write(replace(merge(read_results(paths)), source=", ".join(map(str, paths))))
    return 0
