"""``mbl convert``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mobilebert_lite.cli.parameters import FORMAT, FUSION_RULE, MASK, MODE, PATH, TASK, VERSION, one_of

if TYPE_CHECKING:
    from mobilebert_lite.conversion.gate import Gate
    from mobilebert_lite.conversion.pipeline import ConvertReport, ConvertRequest


class Lengths(click.ParamType):
    """384, 384,256,128, or auto:8: the lengths, and how many to choose (0: these)."""

    name = "LENGTH[,LENGTH…]|auto:K"

    def convert(self, value: object, param: click.Parameter | None,
                context: click.Context | None) -> tuple[tuple[int, ...], int]:
        if isinstance(value, tuple):
            return value
        try:
            if (text := str(value).lower()).startswith("auto:"):
                count = int(text.removeprefix("auto:"))
                if 1 <= count <= 32:
                    return (), count
                self.fail(f"{value}: between 1 and 32 lengths can be chosen", param, context)
            return tuple(int(part) for part in str(value).split(",")), 0
        except ValueError:
            self.fail(f"{value!r} is neither whole numbers such as 384 or 384,256,128, nor auto:8", param, context)


@click.command("convert")
@click.option("--weights", metavar="PATH|HUB_ID", help="Checkpoint; the bundled demo without it.")
@click.option("--revision", help="Commit, tag or branch of the hub id.")
@click.option("--format", type=FORMAT, help="huggingface, tf1, model_garden, saved_model or tf1_hub. "
                                            "[default: by its files]")
@click.option("--config", type=PATH, metavar="PATH|PRESET", help="Its configuration, if not beside the weights.")
@click.option("--task", type=TASK, help="qa, classification, token-classification, multiple-choice, next-sentence, "
                                        "fill-mask, pretraining or features. [default: what the checkpoint was trained "
                                        "for]")
@click.option("--seq-len", "lengths", type=Lengths(), default=((), 0), metavar="LENGTH[,LENGTH…]|auto:K",
              help="Sequence lengths, one signature each; auto:K chooses K for the calibration texts. "
                   "[default: 384 for qa, 128 otherwise]")
@click.option("--quantize", type=MODE, default="int8", show_default=True, metavar="MODE",
              help="none, fp16, dynamic, int8, int8-full, int16x8 or int4.")
@click.option("--recipe", type=PATH, help="A recipe of your own (JSON) in place of a mode.")
@click.option("--calibration", type=PATH, help="Texts to calibrate with: JSON lines, SQuAD JSON, or a table.")
@click.option("--vocab", "vocabulary", type=PATH, help="Vocabulary, if not beside the weights.")
@click.option("--labels", type=PATH, help="Names of the classes, one a line.")
@click.option("--mask", type=MASK, metavar="FORM[:CONSTANT]",
              help="How padding is masked: additive, multiplicative or minimum. [default: as the source does]")
@click.option("--logits", is_flag=True, help="Classes as raw logits in place of probabilities.")
@click.option("--positions", default=0, type=click.IntRange(0), metavar="P",
              help="fill-mask: logits at P positions, which become an input, in place of every token.")
@click.option("--choices", type=click.IntRange(2), help="multiple-choice: how many. [default: as the texts have]")
@click.option("--problem", type=one_of("single", "multi", "regression"),
              help="classification: one class, several at once, or a number. [default: as the checkpoint says]")
@click.option("--no-fuse", "without", type=FUSION_RULE, multiple=True, metavar="RULE",
              help="Switch a fusion rule off, or all.")
@click.option("--runtime", type=VERSION, metavar="VERSION",
              help="Oldest TFLite it must run in, such as 2.14. [default: current]")
@click.option("--text-input", is_flag=True, help="Add signatures that take texts, for those who link tensorflow-text's "
                                                 "operators.")
@click.option("--eval", "data", type=PATH, metavar="FILE", help="Labeled examples on which the score must hold.")
@click.option("--max-drop", default=1.0, show_default=True, type=click.FloatRange(0), metavar="POINTS",
              help="With --eval: points it may lose against the float model.")
@click.option("--search", is_flag=True, help="With --eval: try every mode, and keep the fastest that holds the score.")
@click.option("--metric", help="With --eval: the score, as for `mbl eval`.")
@click.option("--limit", type=click.IntRange(1), help="With --eval: only so many examples, evenly over the file.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="With --eval: processes.")
@click.option("--cluster", metavar="ADDRESS", help="With --eval: a Dask scheduler to spread the work with.")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(1), help="For calibration and checks.")
@click.option("--output", "-o", type=PATH, help="[default: the checkpoint's name, task and mode, in this folder]")
@click.option("--report", type=PATH, help="Write a JSON report.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(output: Path | None, as_json: bool, task: str | None, quantize: str, recipe: Path | None,
            runtime: str | None, lengths: tuple[tuple[int, ...], int], data: Path | None, max_drop: float, search: bool,
            metric: str | None, limit: int | None, workers: int, cluster: str | None, **options: object) -> None:
    """Make a verified .tflite from a checkpoint.

    The file appears only when its outputs agree with the checkpoint's on texts held aside.
    """
    from mobilebert_lite.cli.output import counted, stage
    from mobilebert_lite.quantization.recipe import load_recipe

    if search and data is None:
        raise click.UsageError("--search needs --eval")
    # Wrong recipes are found before TensorFlow's seconds of import.
    load_recipe(quantize, recipe, runtime)
    from mobilebert_lite.conversion import pipeline

    if output is None:
        output = default_output(options["weights"], task, quantize)
    request = pipeline.ConvertRequest(output, task=task, quantize=quantize, recipe=recipe, runtime=runtime,
                               lengths=lengths[0], auto_lengths=lengths[1], **options)  # type: ignore[arg-type]
    if data is None:
        report = pipeline.convert(request, stage)
    else:
        from mobilebert_lite.conversion import gate

        limits = gate.Gate(data, max_drop, metric, limit, workers, cluster)
        if search:
            _search(request, limits, as_json)
            return
        report = gate.convert(request, limits, stage, counted)
    _print(report, as_json)


def default_output(weights: object, task: str | None, quantize: str) -> Path:
    """``snips-int8.tflite`` for the checkpoint ``models/snips``, ``mobilebert-qa-int8.tflite`` for the bundled one."""
    from mobilebert_lite.converters.huggingface import hub

    page = hub.address(str(weights)) if weights else None
    name = Path(page.id if page else str(weights)).resolve().name if weights else "mobilebert"
    task = task or (None if weights else "qa")
    return Path("-".join(part for part in (name, task, quantize) if part) + ".tflite")


def _print(report: ConvertReport, as_json: bool) -> None:
    from mobilebert_lite.cli.output import head_room

    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
        return
    click.echo(f"{report.output}: {report.bytes / 1e6:.2f} MB, {report.task}, in {report.seconds:.0f} s")
    for result in report.verification:
        click.echo(f"  {result.signature}: same answer as {report.provenance['verified_against']} on "
                   f"{result.agreement:.1%} of {result.texts} texts, mean relative error {result.error:.2g}")
    if scored := report.evaluation:
        click.echo(f"  {scored['metric']} {scored['candidate']['value']:.2f}, of the float model "
                   f"{scored['float']['value']:.2f}, on {scored['data']['examples']} examples")
    if room := head_room(report.provenance):
        click.echo(f"  {room}")
    click.echo(f"  needs TFLite {report.provenance['min_runtime_version']} or later")


def _search(request: ConvertRequest, gate: Gate, as_json: bool) -> None:
    """Print what was tried. Raises VerificationError when nothing passed."""
    from mobilebert_lite.cli.output import counted, stage
    from mobilebert_lite.conversion.search import search
    from mobilebert_lite.errors import VerificationError

    found = search(request, gate, stage, counted)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    else:
        click.echo(f"{'recipe':12} {found.metric:>10} {'MB':>8} {'ms':>8}")
        for one in found.candidates:
            notes = [*(["kept"] if one.recipe == found.kept else []), *(["Pareto"] if one.pareto else []),
                     *([one.reason] if one.reason else [])]
            figures = (f"{one.score:10.2f} {one.bytes / 1e6:8.2f} {one.milliseconds:8.1f}"
                       if one.score is not None and one.bytes is not None else f"{'–':>10} {'–':>8} {'–':>8}")
            click.echo(f"{one.recipe:12} {figures}  {', '.join(notes)}".rstrip())
    if found.kept is None:
        raise VerificationError(f"no recipe keeps {found.metric} within {gate.max_drop:g} points of the float model; "
                                "no file was written. Calibrate with texts of your own, or allow a larger --max-drop")
