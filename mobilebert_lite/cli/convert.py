"""``mbl convert``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobilebert_lite.cli import options
from mobilebert_lite.cli.command import option, section
from mobilebert_lite.cli.parameters import MASK, MODE, PATH, POOLING, TASK, Location, several

if TYPE_CHECKING:
    from mobilebert_lite.conversion.gate import Gate
    from mobilebert_lite.conversion.request import ConvertRequest


class Lengths(click.ParamType):
    """Sequence lengths: 384, 384,256,128, or auto:8."""

    name = "lengths"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """The forms that are accepted."""
        return "LENGTH[,LENGTH…]|auto:K"

    def convert(self, value: Any, param: click.Parameter | None,
                ctx: click.Context | None) -> tuple[tuple[int, ...], int]:
        """The lengths, and the number of lengths to choose, or 0."""
        try:
            if (text := str(value).lower()).startswith("auto:"):
                count = int(text.removeprefix("auto:"))
                if 1 <= count <= 32:
                    return (), count
                self.fail(f"{value}: between 1 and 32 lengths can be chosen", param, ctx)
            return tuple(int(part) for part in str(value).split(",")), 0
        except ValueError:
            self.fail(f"{value!r} is neither whole numbers such as 384 or 384,256,128, nor auto:8", param, ctx)


def _join_lengths(context: click.Context, parameter: click.Parameter,
                  values: Iterable[tuple[tuple[int, ...], int]]) -> tuple[tuple[int, ...], int]:
    """Join repeated --seq-len options. Raises BadParameter for auto:K with other lengths."""
    given = list(values)
    if len(given) > 1 and any(count for _, count in given):
        raise click.BadParameter("auto:K chooses all lengths; give no other --seq-len with it", context, parameter)
    return tuple(one for lengths, _ in given for one in lengths), max((count for _, count in given), default=0)


@options.command("convert")
@section(
    "Input",
    option("--weights", type=Location(), metavar="PATH|HUB_ID",
           help="Checkpoint: a folder, a file or a hub id. [default: the bundled demonstration]"),
    options.revision(), options.format(), options.config(), options.vocabulary(), options.labels())
@section(
    "What to make",
    option("--task", type=TASK, help="Task of the file. [default: the one that the checkpoint was trained for]"),
    option("--seq-len", "lengths", type=Lengths(), multiple=True, callback=_join_lengths,
           help="Sequence lengths, one signature for each; auto:K chooses K lengths for the calibration texts. "
                "[default: 384 for qa, 128 otherwise]"),
    several("--quantize", "modes", each=MODE, default=("int8",), show_default=True,
            help="Post-training quantization; several modes give a file each, named after its mode."),
    option("--recipe", type=PATH, metavar="FILE",
           help="Quantization recipe of your own (JSON), in place of --quantize."),
    options.calibration(),
    *options.data_options,
    options.no_fuse(),
    options.min_runtime(help="Oldest TFLite version that must load the file, such as 2.14. [default: any]"),
    option("--mask", type=MASK, metavar="additive|multiplicative|minimum[:CONSTANT]",
           help="How attention scores of padding are masked. [default: as in the checkpoint's own code]"),
    options.problem(help="Classification: one label per text, several labels, or a number. "
                         "[default: as the checkpoint says]"),
    option("--logits", is_flag=True, help="Classification: output raw logits in place of probabilities."),
    option("--positions", default=0, type=click.IntRange(0), metavar="N",
           help="fill-mask: compute logits at N positions only; the positions become an input. "
                "[default: at every token]"),
    option("--num-choices", "choices", type=click.IntRange(2),
           help="multiple-choice: number of choices. [default: as in the calibration texts]"),
    option("--pooling", type=POOLING,
           help="embedding: how the vectors of the tokens become one. [default: as the checkpoint says, or mean]"),
    option("--normalize/--no-normalize", default=None,
           help="embedding: give vectors of length 1. [default: as the checkpoint says, or not]"),
    option("--text-input", is_flag=True,
           help="Add signatures that take texts. Apps need tensorflow-text's operators to run them."),
    options.compile_for(help="Compile the file for these processors' NPUs besides, or those of phones: sm8750, "
                             "galaxys25. Without --quantize, the mode is the one that suits them."),
    options.allow_partial(needs="--npu", help="write compiled files that leave operators to the CPU too."))
@section(
    "Checks",
    option("--eval", "data", type=PATH, metavar="FILE", help="Labeled examples on which the score must hold."),
    option("--max-drop", needs="--eval", default=1.0, show_default=True, type=click.FloatRange(0), metavar="POINTS",
           help="points of the score that may be lost against the float model."),
    option("--search", needs="--eval", is_flag=True,
           help="try every quantization mode, or those of --quantize, and keep the fastest file whose score holds, or "
                "the smallest of those that are level with it."),
    options.metric(needs="--eval", help="score to judge by, as in `mbl eval`. [default: by task]"),
    options.limit(needs="--eval", help="use only N examples, evenly spaced over the file."),
    options.workers(needs="--eval", help="processes that score in parallel."),
    options.cluster(needs="--eval", help="Dask scheduler that distributes the scoring."),
    options.threads(help="Threads for calibration and checks."))
@section(
    "Output",
    options.output(help="File to write; model.tflite stands for model-int8.tflite and so on with several modes, and a "
                        "folder for files in it. [default: named after the checkpoint, task and mode, in this folder]"),
    options.report(), options.as_json(help="Print the report to standard output as JSON."),
    option("--dry-run", is_flag=True, help="Print everything that would be decided, and convert nothing."))
def command(output: Path | None, as_json: bool, dry_run: bool, task: str | None, modes: tuple[str, ...],
            recipe: Path | None, min_runtime: str | None, lengths: tuple[tuple[int, ...], int], data: Path | None,
            max_drop: float, search: bool, metric: str | None, limit: int | None, workers: int, cluster: str | None,
            **asked: Any) -> None:
    """Convert a checkpoint to a verified .tflite file.

    The file is written only if its outputs agree with the checkpoint's on held-out texts. Of several modes, either all
    files are written or none.
    """
    from mobilebert_lite.cli import convert_output
    from mobilebert_lite.cli.output import counted, stage
    from mobilebert_lite.quantization.recipe import load_recipe

    if recipe is not None and len(modes) > 1 and not search:
        raise click.UsageError("--recipe is one mode; leave out --quantize, or give it one mode")
    if asked["npu"]:
        modes = _modes_for_npu(asked["npu"], modes, search)
    # Wrong recipes are found before TensorFlow's seconds of import.
    for mode in modes:
        load_recipe(mode, recipe, min_runtime)
    if output is None and len(modes) == 1:
        output = default_output(asked["weights"], task, modes[0])
    _check(asked["weights"], asked["config"], (data, asked["calibration"]),
           () if dry_run else (output, asked["report"]))
    from mobilebert_lite.conversion import pipeline

    asked["reading"] = options.reading(asked)
    request = pipeline.ConvertRequest(output or default_output(asked["weights"], task, modes[0]), task=task,
                                      quantize=modes[0], recipe=recipe, runtime=min_runtime, lengths=lengths[0],
                                      auto_lengths=lengths[1], **asked)
    if dry_run:
        plan = pipeline.resolve(request, stage)
        convert_output.print_plans([plan, *(plan.with_mode(mode) for mode in modes[1:])], as_json)
        return
    from mobilebert_lite.conversion import gate

    limits = None if data is None else gate.Gate(data, max_drop, metric, limit, workers, cluster,
                                                        reading=request.reading)
    if search and limits:
        _search(request, limits, modes if len(modes) > 1 else (), as_json)
    elif len(modes) > 1:
        from mobilebert_lite.conversion import modes as several_modes

        outputs = _outputs(output, asked["weights"], task, modes)
        convert_output.print_variants(several_modes.convert(request, outputs, limits, stage, counted), as_json)
    else:
        convert_output.print_report(gate.convert(request, limits, stage, counted) if limits else
                                    pipeline.convert(request, stage), as_json)


def _modes_for_npu(npus: tuple[str, ...], modes: tuple[str, ...], search: bool) -> tuple[str, ...]:
    """The mode: the one that was asked for, or the one that suits the processors. Raises UsageError for several."""
    from mobilebert_lite.npu.socs import common_mode, find_soc
    from mobilebert_lite.npu.toolchain import find

    find()
    if search or len(modes) > 1:
        raise click.UsageError("--npu compiles the file of one mode; leave out --search, and give --quantize one mode")
    source = click.get_current_context().get_parameter_source("modes")
    if source is not click.core.ParameterSource.DEFAULT:
        return modes
    return (common_mode(find_soc(name) for name in npus),)


def _check(weights: str | None, config: Path | None, files: tuple[Path | None, ...],
           outputs: tuple[Path | None, ...]) -> None:
    """Raise MblError for what is not there or cannot be written, before TensorFlow is imported."""
    from mobilebert_lite.common.requirements import need_files, need_outputs, need_tensorflow
    from mobilebert_lite.converters import formats

    need_tensorflow()
    need_files(files)
    need_outputs(outputs)
    if weights is not None:
        formats.check_location(weights, config)


def default_output(weights: object, task: str | None, quantize: str) -> Path:
    """``snips-int8.tflite`` for the checkpoint ``models/snips``, ``mobilebert-qa-int8.tflite`` for the bundled one."""
    from mobilebert_lite.converters.huggingface import hub

    page = hub.address(str(weights)) if weights else None
    name = Path(page.id if page else str(weights)).resolve().name if weights else "mobilebert"
    task = task or (None if weights else "qa")
    return Path("-".join(part for part in (name, task, quantize) if part) + ".tflite")


def _outputs(output: Path | None, weights: object, task: str | None, modes: tuple[str, ...]) -> dict[str, Path]:
    """Mode → file. In a folder, and without ``output``, they have the names that one mode alone would have."""
    from mobilebert_lite.conversion.modes import names

    if output is not None and not output.is_dir():
        return names(output, modes)
    return {mode: (output or Path()) / default_output(weights, task, mode) for mode in modes}


def _search(request: ConvertRequest, gate: Gate, modes: tuple[str, ...], as_json: bool) -> None:
    """Print the candidates. Raises VerificationError when none passed."""
    from mobilebert_lite.cli.convert_output import print_search
    from mobilebert_lite.cli.output import counted, stage
    from mobilebert_lite.conversion.search import search
    from mobilebert_lite.errors import VerificationError

    found = search(request, gate, stage, counted, modes)
    print_search(found, as_json)
    if found.kept is None:
        raise VerificationError(f"no recipe keeps {found.metric} within {gate.max_drop:g} points of the float model; "
                                "no file was written. Calibrate with texts of your own, or allow a larger --max-drop")
