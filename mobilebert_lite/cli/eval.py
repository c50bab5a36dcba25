"""``mbl eval``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobilebert_lite.cli import options
from mobilebert_lite.cli.command import option, section
from mobilebert_lite.cli.parameters import PATH, TASK, Location

if TYPE_CHECKING:
    from mobilebert_lite.evaluation.evaluate import EvalRequest, EvalResult
    from mobilebert_lite.tasks.hypotheses import ZeroShot


@options.command("eval")
@click.argument("model", type=PATH)
@section(
    "Input",
    option("--data", type=PATH, required=True, metavar="FILE",
           help="Labeled examples: SQuAD JSON, JSON lines, a table, BIO, Parquet or a folder of `datasets`."),
    *options.data_options,
    options.limit(),
    option("--task", type=TASK, help="Task that the model must have; another one is an error."),
    options.tokenizer())
@section(
    "Scores",
    options.metric(),
    option("--against", type=Location(), metavar="FILE|PATH|HUB_ID",
           help="Compare with another .tflite file, or with the float model of a checkpoint."),
    options.stride(), options.max_answer_tokens(), options.null_threshold(), options.word_pieces(),
    option("--no-null", is_flag=True,
           help="Question answering without labels: always give an answer, as in SQuAD 1.1."))
@section(
    "Zero-shot classification",
    option("--zero-shot", is_flag=True,
           help="Score MODEL, which must be for NLI, as a classifier of the labels of the data, whatever classes it "
                "was trained on. --label gives other classes."),
    *options.zero_shot("--zero-shot"))
@section(
    "Resources",
    options.threads(default=None, show_default=False,
                    help=f"Threads of each inference. [default: {options.THREADS}, or 1 with several workers]"),
    options.workers(), options.cluster(), options.interpreter(), options.npu())
@section(
    "Output",
    option("--predictions", type=PATH, metavar="FILE",
           help="Write the answers to FILE in the format of the benchmark (SQuAD, GLUE, CoNLL, SWAG), for data without "
                "labels too; --metric names the task of GLUE."),
    option("--errors", type=click.IntRange(0), metavar="N",
           help="List the N worst errors. [default: 20 in the report, 5 of them in the terminal]"),
    options.report(help="Write the report to FILE as JSON. An interrupted evaluation can then be resumed."),
    options.page(),
    options.as_json(help="Print the report to standard output as JSON."))
def command(model: Path, data: Path, task: str | None, against: str | None, predictions: Path | None,
            report: Path | None, page: Path | None, as_json: bool, errors: int | None, threads: int | None,
            workers: int, **asked: Any) -> None:
    """Score MODEL, a .tflite file made by `mbl convert`, on labeled examples.

    After an interruption, the same command with --report resumes where it stopped.
    """
    from mobilebert_lite.cli import eval_output
    from mobilebert_lite.cli.output import print_json, print_lines, progress, write_page
    from mobilebert_lite.common.files import write_atomically, write_json
    from mobilebert_lite.evaluation.evaluate import EvalRequest
    from mobilebert_lite.evaluation.scorers import ScorerOptions

    classes = _zero_shot(asked)
    judged = ScorerOptions(zero_shot=classes, **{name: asked.pop(name) for name in (
        "metric", "stride", "max_answer_tokens", "null_threshold", "word_pieces", "no_null")})
    if errors is not None:
        asked["errors"] = errors
    asked["reading"] = options.reading(asked)
    request = EvalRequest(model, data, task, options=judged, report=report, workers=workers,
                          threads=threads or (1 if workers > 1 else options.THREADS),
                          unlabeled=predictions is not None and against is None and page is None,
                          **asked)
    _check(request, against, (report, predictions, page))
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
        progress(f"wrote {predictions}: {len(result.predictions)} predictions")
    if report is not None:
        write_json(report, full)
        for each in results:
            each.journal.remove()
    if page is not None:
        from mobilebert_lite.pages.eval_page import eval_page

        write_page(page, eval_page(full))
    shown = eval_output.ERRORS if errors is None else errors
    if as_json:
        print_json(full)
    else:
        print_lines(*eval_output.lines(full, shown))


def _zero_shot(asked: dict[str, Any]) -> ZeroShot | None:
    """The classes that were asked for, taken out of the options ``asked``; None for the model's own."""
    from mobilebert_lite.tasks.hypotheses import ZeroShot

    names = ("labels", "hypothesis", "multi_label", "entailment", "contradiction")
    given = {name: asked.pop(name) for name in names}
    return ZeroShot.read(given) if asked.pop("zero_shot") or given["labels"] else None


def _check(request: EvalRequest, against: str | None, outputs: tuple[Path | None, ...]) -> None:
    """Raise MblError for what would fail after MODEL has been scored."""
    from mobilebert_lite.common.requirements import need_files, need_outputs, need_tensorflow
    from mobilebert_lite.running.model import read_tflite
    from mobilebert_lite.tflite.container import read_provenance

    need_files((request.data,))
    need_outputs(outputs)
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
    from mobilebert_lite.cli.output import progress as tell
    from mobilebert_lite.common.temporary import scratch_folder
    from mobilebert_lite.evaluation.evaluate import evaluate

    with counted(f"scoring {request.model.name}") as progress:
        results = [evaluate(request, progress)]
    if skipped := results[0].report["data"].get("skipped_rows"):
        tell(skipped)
    if against is None:
        return results
    with scratch_folder() as folder:
        path = Path(against)
        if not path.is_file():
            path = _reference(request, against, folder)
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
