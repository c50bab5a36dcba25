"""``mbl train``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mobilebert_lite.cli.parameters import FUSION_RULE, MODE, PATH, TASK, one_of


class Layers(click.ParamType):
    """2,4: whole numbers."""

    name = "LAYERS[,LAYERS…]"

    def convert(self, value: object, param: click.Parameter | None, context: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of whole numbers such as 2,4", param, context)


@click.command("train")
@click.option("--task", type=TASK, help="qa, classification or token-classification. [default: the checkpoint's]")
@click.option("--data", type=PATH, help="Examples to learn: SQuAD JSON, JSON lines, CSV, TSV or BIO.")
@click.option("--output", "-o", type=PATH, help="Folder for the checkpoint; it must not hold anything yet.")
@click.option("--eval", type=PATH, metavar="FILE", help="Examples to score on. [default: some of --data, held out]")
@click.option("--weights", metavar="PATH|HUB_ID|PRESET",
              help="Checkpoint to go on from; or uncased, multilingual, small or tiny: from scratch. [default: small]")
@click.option("--config", type=PATH, metavar="PATH|PRESET", help="Configuration of a network from scratch.")
@click.option("--vocab", "vocabulary", type=PATH, help="Vocabulary. [default: the checkpoint's, or made from --data]")
@click.option("--vocab-size", default=8000, show_default=True, help="Words of a vocabulary made from --data.")
@click.option("--cased", is_flag=True, help="It keeps capitals and accents.")
@click.option("--labels", type=PATH, help="Names of the classes, one a line. [default: those that occur]")
@click.option("--problem", default="single", show_default=True, type=one_of("single", "multi", "regression"),
              help="classification: one label, several (a,b) or numbers.")
@click.option("--seq-len", type=click.IntRange(8), help="Longest sequence. [default: 384 for qa, 128 otherwise]")
@click.option("--epochs", type=click.FloatRange(0, min_open=True), help="[default: by task; see docs/training.md]")
@click.option("--batch-size", default=32, show_default=True, type=click.IntRange(1), help="Over all devices together.")
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="The greatest. [default: by task]")
@click.option("--warmup", default=0.06, show_default=True, help="Share of the steps in which the rate rises.")
@click.option("--weight-decay", default=0.05, show_default=True, help="Of AdamW, for kernels.")
@click.option("--clip", default=1.0, show_default=True, help="Largest norm of the gradient; 0: no limit.")
@click.option("--dropout", type=float, help="Of hidden states. [default: the configuration's]")
@click.option("--unknown", type=float, help="Share of words hidden behind [UNK]. [default: 0.05 from scratch, else 0]")
@click.option("--smoothing", default=0.0, show_default=True, help="Share of a label that goes to all classes alike.")
@click.option("--shift", default=0.0, show_default=True, help="Share of batches that begin at a random position.")
@click.option("--stack", type=Layers(), default=(), help="From scratch: train with so many layers first.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of everything random.")
@click.option("--teacher", metavar="PATH|HUB_ID", help="Learn from this checkpoint too (distillation).")
@click.option("--imitate", multiple=True, default=("logits",), show_default=True,
              type=one_of("logits", "features", "attention"), help="What of the teacher; several times.")
@click.option("--teacher-share", default=0.7, show_default=True,
              help="Weight of the teacher's logits; labels have the rest.")
@click.option("--temperature", default=2.0, show_default=True, help="What both networks' logits are divided by.")
@click.option("--quantize", type=MODE, metavar="MODE",
              help="Quantization-aware: round as `mbl convert --quantize MODE` will.")
@click.option("--no-fuse", "without", type=FUSION_RULE, multiple=True, metavar="RULE",
              help="With --quantize: leave out a fusion rule.")
@click.option("--precision", default="auto", show_default=True, type=one_of("auto", "float32", "bfloat16"),
              help="auto: bfloat16 on GPUs that have it.")
@click.option("--jit/--no-jit", default=None, help="Compile with XLA. [default: for long trainings]")
@click.option("--threads", type=click.IntRange(1), help="[default: all cores]")
@click.option("--save-every", type=click.IntRange(1), metavar="STEPS", help="[default: 20 times a training]")
@click.option("--eval-every", type=click.IntRange(1), metavar="STEPS", help="[default: 10 times a training]")
@click.option("--patience", type=click.IntRange(1),
              help="Stop after so many evaluations without a better score. [default: go on to the end]")
@click.option("--metric", help="The score to judge by, as for `mbl eval`.")
@click.option("--strict", is_flag=True, help="Fail when something is wrong with the data.")
@click.option("--devices", default="auto", show_default=True,
              type=one_of("auto", "none", "mirrored", "workers"), help="See docs/training.md.")
@click.option("--resume", type=PATH, metavar="DIR", help="Go on with the training that was begun in DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json.")
@click.pass_context
def command(context: click.Context, /, resume: Path | None, as_json: bool, problem: str, **options: Any) -> None:
    """Train a network from scratch, or go on from a checkpoint.

    --task, --data and --output suffice. What is written converts with `mbl convert --weights`.
    """
    from mobilebert_lite.cli.output import counted, progress

    if resume is None and (options["data"] is None or options["output"] is None):
        raise click.UsageError("--data and --output are needed (or --resume)")
    if resume is not None and (given := _given(context)):
        raise click.UsageError(f"--resume goes on with the options of before; leave out {', '.join(given)}")
    from mobilebert_lite.architecture.form import PROBLEMS
    from mobilebert_lite.training.options import TrainOptions

    wanted = None if resume else TrainOptions(problem=PROBLEMS[problem], **options)
    from mobilebert_lite.training import run

    if resume is not None:
        wanted = run.saved_options(resume)
    assert wanted is not None
    result = run.train(wanted, resume is not None, progress, counted)
    report = result.report
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    click.echo(f"{result.output}: {report['metric']} {report['score']:.2f} after {report['step']:,} steps, "
               f"{report['seconds']:.0f} s")
    for name, value in report["metrics"].items():
        click.echo(f"  {name} {value:.2f}" if isinstance(value, float) else f"  {name} {value}")


def _given(context: click.Context) -> list[str]:
    """Options of a new training that stand on the command line."""
    from click.core import ParameterSource

    return [parameter.opts[0] for parameter in context.command.params
            if parameter.name not in ("resume", "as_json")
            and context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE]
