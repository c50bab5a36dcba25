"""``mbl convert``."""

from __future__ import annotations

import json
from pathlib import Path

import click

PATH = click.Path(path_type=Path)


class Lengths(click.ParamType):
    """384, 384,256,128, or auto:8: the lengths, and how many to choose (0: these)."""

    name = "LENGTH[,LENGTH…]|auto:K"

    def convert(self, value: object, param: click.Parameter | None,
                context: click.Context | None) -> tuple[tuple[int, ...], int]:
        if isinstance(value, tuple):
            return value
        try:
            if str(value).startswith("auto:"):
                count = int(str(value).removeprefix("auto:"))
                if 1 <= count <= 32:
                    return (), count
                self.fail(f"{value}: between 1 and 32 lengths can be chosen", param, context)
            return tuple(int(part) for part in str(value).split(",")), 0
        except ValueError:
            self.fail(f"{value!r} is neither whole numbers such as 384 or 384,256,128, nor auto:8", param, context)


@click.command("convert")
@click.option("--weights", metavar="PATH|HUB_ID", help="Checkpoint folder or hub id; the bundled demo without it.")
@click.option("--revision", help="Commit, tag or branch of the hub id.")
@click.option("--task", help="qa, classification or features; by default what the checkpoint has a head for.")
@click.option("--seq-len", "lengths", type=Lengths(), default=((), 0),
              help="Sequence lengths, one signature each; auto:K chooses K for the calibration texts. "
                   "[default: 384 for qa, 128 otherwise]")
@click.option("--quantize", default="int8", show_default=True, metavar="MODE",
              help="none, fp16, dynamic, int8, int8-full, int16x8 or int4.")
@click.option("--recipe", type=PATH, help="A recipe of your own (JSON) in place of a mode.")
@click.option("--calibration", type=PATH, help="Texts to calibrate with: JSON lines, SQuAD JSON or TSV.")
@click.option("--vocab", "vocabulary", type=PATH, help="Vocabulary, if not beside the weights.")
@click.option("--labels", type=PATH, help="Names of the classes, one a line.")
@click.option("--no-fuse", "without", multiple=True, metavar="RULE", help="Switch a fusion rule off, or all.")
@click.option("--runtime", metavar="VERSION", help="Oldest TFLite it must run in, such as 2.14. [default: current]")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(1), help="For calibration and checks.")
@click.option("--output", "-o", type=PATH, help="[default: mobilebert-TASK-MODE.tflite]")
@click.option("--report", type=PATH, help="Write a JSON report.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(output: Path | None, as_json: bool, task: str | None, quantize: str, recipe: Path | None,
            runtime: str | None, lengths: tuple[tuple[int, ...], int], **options: object) -> None:
    """Make a verified .tflite from a checkpoint.

    The file appears only when its outputs agree with the checkpoint's on texts held aside.
    """
    from mobilebert_lite.cli.output import head_room, progress
    from mobilebert_lite.quantization.recipe import load_recipe
    from mobilebert_lite.tasks import find_task

    # Wrong words are found before TensorFlow's seconds of import.
    if task is not None:
        find_task(task)
    load_recipe(quantize, recipe, runtime)
    from mobilebert_lite.pipeline import Request, convert

    if output is None:
        output = Path(f"mobilebert-{task or 'qa'}-{quantize}.tflite")
    report = convert(Request(output, task=task, quantize=quantize, recipe=recipe, runtime=runtime,
                             lengths=lengths[0], auto_lengths=lengths[1], **options), progress)  # type: ignore[arg-type]
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
        return
    click.echo(f"{report.output}: {report.bytes / 1e6:.2f} MB, {report.task}, in {report.seconds:.0f} s")
    for result in report.verification:
        click.echo(f"  {result.signature}: same answer on {result.agreement:.1%} of {result.texts} texts, "
                   f"mean relative error {result.error:.2g}")
    if room := head_room(report.provenance):
        click.echo(f"  {room}")
    click.echo(f"  needs TFLite {report.provenance['min_runtime_version']} or later")
