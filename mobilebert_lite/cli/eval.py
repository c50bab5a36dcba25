"""``mbl eval``."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobilebert_lite.cli import options
from mobilebert_lite.cli.command import option, section
from mobilebert_lite.cli.parameters import PATH, TASK, Location

if TYPE_CHECKING:
    from mobilebert_lite.evaluation.evaluate import EvalRequest, EvalResult


@options.command("eval")
@click.argument("model", type=PATH)
@section(
    "Input",
    option("--data", type=PATH, required=True, metavar="FILE",
           help="Labeled examples: SQuAD JSON, JSON lines, a table or BIO."),
    options.limit(),
    option("--task", type=TASK, help="Task that the model must have; another one is an error."),
    options.tokenizer())
@section(
    "Scores",
    options.metric(),
    option("--against", type=Location(), metavar="FILE|PATH|HUB_ID",
           help="Compare with another .tflite file, or with the float model of a checkpoint."),
    options.stride(), options.max_answer_tokens(), options.null_threshold())
@section(
    "Resources",
    options.threads(default=None, show_default=False,
                    help=f"Threads of each inference. [default: {options.THREADS}, or 1 with several workers]"),
    options.workers(), options.cluster(), options.interpreter())
@section(
    "Output",
    option("--predictions", type=PATH, metavar="FILE",
           help="Write the answers to FILE in the format of the benchmark (SQuAD, GLUE, CoNLL)."),
    options.report(help="Write the report to FILE as JSON. An interrupted evaluation can then be resumed."),
    options.as_json(help="Print the report to standard output as JSON."))
def command(model: Path, data: Path, task: str | None, against: str | None, predictions: Path | None,
            report: Path | None, as_json: bool, threads: int | None, workers: int, **asked: Any) -> None:
    """Score MODEL, a .tflite file made by `mbl convert`, on labeled examples.

    After an interruption, the same command with --report resumes where it stopped.
    """
    from mobilebert_lite.cli.output import progress
    from mobilebert_lite.common.files import write_atomically, write_json
    from mobilebert_lite.evaluation.evaluate import EvalRequest
    from mobilebert_lite.evaluation.scorers import ScorerOptions

    judged = ScorerOptions(**{name: asked.pop(name) for name in ("metric", "stride", "max_answer_tokens",
                                                          "null_threshold")})
    request = EvalRequest(model, data, task, options=judged, report=report, workers=workers,
                          threads=threads or (1 if workers > 1 else options.THREADS), **asked)
    _check(request, against, predictions)
    try:
        results = _results(request, against)
    except KeyboardInterrupt:
        if report is not None:
            progress("finished examples are kept; the same command resumes from there")
        raise
    result = results[0]
    full = dict(result.report)
    if len(results) > 1:
        from mobilebert_lite.evaluation.compare import compare

        full |= {"against": results[1].report, "comparison": compare(*results)}
    if predictions is not None:
        write_atomically(predictions, result.scorer.official(result.examples, result.predictions).encode())
    if report is not None:
        write_json(report, full)
        for each in results:
            each.journal.remove()
    click.echo(json.dumps(full, indent=2, ensure_ascii=False) if as_json else _text(full))


def _check(request: EvalRequest, against: str | None, predictions: Path | None) -> None:
    """Raise MblError for what would fail after MODEL has been scored."""
    from mobilebert_lite.common.requirements import need_files, need_outputs, need_tensorflow
    from mobilebert_lite.running.model import read_tflite
    from mobilebert_lite.tflite.container import read_provenance

    need_files((request.data,))
    need_outputs((request.report, predictions))
    if against is None:
        return
    if not Path(against).is_file():
        from mobilebert_lite.converters.formats import check_location

        need_tensorflow()
        check_location(against)
        return
    ours, theirs = (read_provenance(read_tflite(path)).get("task") for path in (request.model, Path(against)))
    if ours != theirs:
        raise click.UsageError(f"--against {against}: that file is for {theirs or 'no task that it names'}, "
                               f"{request.model} for {ours or 'none'}")


def _results(request: EvalRequest, against: str | None) -> list[EvalResult]:
    from mobilebert_lite.cli.output import counted
    from mobilebert_lite.evaluation.evaluate import evaluate

    with counted(f"scoring {request.model.name}") as progress:
        results = [evaluate(request, progress)]
    if against is None:
        return results
    with tempfile.TemporaryDirectory(prefix="mbl-") as folder:
        path = Path(against)
        if not path.is_file():
            path = _reference(request, against, Path(folder))
        with counted(f"scoring {against}") as progress:
            return [*results, evaluate(replace(request, model=path), progress)]


def _reference(request: EvalRequest, location: str, folder: Path) -> Path:
    """The checkpoint at ``location`` as a float file of the model's task and lengths."""
    from mobilebert_lite.cli.output import progress
    from mobilebert_lite.running.model import Model

    model = Model(request.model, runtime=request.runtime, isolated=True)
    progress(f"building the float model of {location}")
    from mobilebert_lite.conversion.reference import float_file
    from mobilebert_lite.converters.checkpoints import load_checkpoint

    checkpoint = load_checkpoint(location, model.task.name)
    content = float_file(checkpoint, model.task, sorted(model.lengths, reverse=True))
    path = folder / f"{Path(location).name}-float.tflite"
    path.write_bytes(content)
    return path


def _text(report: Mapping[str, Any]) -> str:
    columns = [report, *([report["against"]] if "against" in report else [])]
    width = max(len(name) for name in report["metrics"]) + 2
    lines = ["".ljust(width) + "  ".join(f"{column['model']['name']:>20}" for column in columns)] if columns[1:] else []
    for name in report["metrics"]:
        lines.append(name.ljust(width) + "  ".join(
            f"{_number(column['metrics'].get(name)):>{20 if columns[1:] else 8}}" for column in columns))
    for column in columns:
        score, timing = column["score"], column["timing"]
        times = timing["inference_ms"]
        lines.append(f"{column['model']['name']}: {score['metric']} {score['value']:.2f} "
                     f"({score['confidence']:.0%} interval {score['low']:.2f} to {score['high']:.2f}, "
                     f"{column['data']['examples']} examples)"
                     + (f"; inference {times['p50']:.1f} ms median, {times['p90']:.1f} p90, {times['p99']:.1f} p99, "
                        f"{timing['threads']} thread(s), {timing['workers']} worker(s)" if times else ""))
    if "comparison" in report:
        comparison = report["comparison"]
        difference, test = comparison["difference"], comparison["mcnemar"]
        lines += [f"same answer on {comparison['agreement']:.2f} % of the examples",
                  f"difference {difference['value']:+.2f} ({difference['low']:+.2f} to {difference['high']:+.2f})"]
        if test:
            lines.append(f"McNemar: {test['only_first']} right only here, {test['only_second']} only there, "
                  f"p = {test['p']:.3g}")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)
