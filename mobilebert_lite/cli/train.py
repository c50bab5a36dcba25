"""``mbl train``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mobilebert_lite.cli import options
from mobilebert_lite.cli.command import option, section
from mobilebert_lite.cli.parameters import (
    PATH,
    PRESET,
    TRAINABLE_MODE,
    TRAINABLE_TASK,
    Location,
    WholeNumber,
    one_of,
    several,
)

# Of a share, of a share that may not be the whole, and of what may not be 0.
_SHARE, _PART, _POSITIVE = click.FloatRange(0, 1), click.FloatRange(0, 0.99), click.FloatRange(0, min_open=True)


@options.command("train")
@section(
    "Data",
    option("--task", type=TRAINABLE_TASK, help="Task to train. [default: the checkpoint's]"),
    option("--data", type=PATH, metavar="FILE",
           help="Training examples: SQuAD JSON, JSON lines, CSV, TSV or BIO; plain text (.txt) for fill-mask and "
                "next-sentence."),
    option("--eval", type=PATH, metavar="FILE",
           help="Labeled examples on which the score is measured. [default: a part of --data is held out, without "
                "copies of what is learnt from]"),
    *options.data_options,
    options.labels(help="Names of the classes, one per line. [default: those in the examples]"),
    options.problem(default="single", show_default=True),
    option("--seq-len", type=click.IntRange(8), metavar="LENGTH",
           help="Longest sequence in tokens. [default: 384 for qa, 128 otherwise]"),
    option("--folds", type=click.IntRange(2, 100), metavar="K",
           help="Cross-validation: score on all of --data, in K parts of which each is scored by a network trained on "
                "the others, then train on all of it."),
    option("--whole-words", is_flag=True, help="fill-mask: mask whole words, not single pieces."),
    option("--strict", is_flag=True, help="Fail instead of warning: when the data has a fault."))
@section(
    "Network",
    option("--weights", type=PRESET, metavar="PATH|HUB_ID|PRESET",
           help="Checkpoint to fine-tune; or uncased, multilingual, small or tiny, to train a new network from "
                "scratch. [default: small]"),
    options.config(help="Configuration of a new network. [default: by --weights]"),
    options.vocabulary(help="Vocabulary. [default: the checkpoint's, or made from --data]"),
    option("--vocab-size", default=8000, show_default=True, type=click.IntRange(100),
           help="Number of words in a vocabulary made from --data."),
    option("--cased", is_flag=True, help="Keep case and accents in a vocabulary made from --data."),
    option("--dropout", type=_PART, help="Dropout of hidden states. [default: the configuration's]"))
@section(
    "Optimization",
    option("--epochs", type=_POSITIVE, help="Passes over the data. [default: by task and number of examples]"),
    option("--batch-size", type=click.IntRange(1),
           help="Examples per step, over all devices together. [default: by number of examples]"),
    option("--learning-rate", type=_POSITIVE,
           help="Peak learning rate of AdamW. [default: by task and number of examples]"),
    option("--warmup-ratio", type=_SHARE, default=0.06, show_default=True,
           help="Share of the steps in which the learning rate rises to its peak."),
    option("--weight-decay", type=click.FloatRange(0), default=0.05, show_default=True,
           help="Weight decay of AdamW, applied to kernels."),
    option("--max-grad-norm", type=click.FloatRange(0), default=1.0, show_default=True,
           help="Gradient clipping: largest norm of the gradient; 0 turns it off."),
    option("--label-smoothing", type=_PART, default=0.0, show_default=True,
           help="Share of each label that is spread evenly over all classes."),
    option("--token-dropout", type=_PART,
           help="Share of words replaced by [UNK]. [default: 0.05 from scratch, 0 for a checkpoint]"),
    option("--position-shift", type=_SHARE, default=0.0, show_default=True,
           help="Share of batches whose positions begin at a random number, not at 0."),
    several("--stack", each=WholeNumber(), default=(), metavar="LAYERS[,…]",
            help="Progressive stacking, from scratch: numbers of layers to train with before all of them."),
    option("--patience", type=click.IntRange(1),
           help="Early stopping: stop after N evaluations without a better score. [default: train to the end]"),
    options.metric(),
    option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Random seed."))
@section(
    "Distillation",
    option("--teacher", type=Location(), metavar="PATH|HUB_ID",
           help="Checkpoint to distill knowledge from, besides the labels."),
    several("--distill", needs="--teacher", each=one_of("kind of distillation", "logits", "features", "attention"),
            default=("logits",), show_default=True, help="what to learn from the teacher."),
    option("--distill-weight", needs="--teacher", type=_SHARE, default=0.7, show_default=True,
           help="weight of the teacher's logits in the loss; the labels have the rest."),
    option("--temperature", needs="--teacher", type=click.FloatRange(0.1, 100), default=2.0, show_default=True,
           help="temperature that divides the logits of both networks."))
@section(
    "Quantization",
    option("--quantize", type=TRAINABLE_MODE,
           help="Quantization-aware training: round as `mbl convert --quantize` of this mode does."),
    options.no_fuse(needs="--quantize", help="fusion rules to leave out, the same as in `mbl convert`; all leaves out "
                                             "every rule."))
@section(
    "Resources",
    option("--precision", default="auto", show_default=True, type=one_of("precision", "auto", "float32", "bfloat16"),
           help="Number format of the computation; auto is bfloat16 on GPUs that have it, float32 otherwise."),
    option("--jit/--no-jit", default=None, help="Compile with XLA. [default: for long trainings]"),
    options.threads(default=None, show_default=False, help="Threads of TensorFlow. [default: all cores]"),
    option("--distribute", default="auto", show_default=True,
           type=one_of("distribution", "auto", "none", "mirrored", "workers"),
           help="Devices to train on: one (none), all GPUs of this machine (mirrored), several machines (workers), or "
                "all that are found (auto)."))
@section(
    "Output",
    options.output(metavar="DIR", help="Folder for the checkpoint; it must be new or empty."),
    option("--eval-every", type=click.IntRange(1), metavar="STEPS",
           help="Steps between evaluations. [default: 10 evaluations per training]"),
    option("--save-every", type=click.IntRange(1), metavar="STEPS",
           help="Steps between saved states. [default: 20 states per training]"),
    option("--resume", type=PATH, metavar="DIR", help="Resume the training in this folder, with its options."),
    options.as_json(help="Print metrics.json to standard output."))
@click.pass_context
def command(context: click.Context, /, resume: Path | None, as_json: bool, problem: str, **asked: Any) -> None:
    """Train a network from scratch, or fine-tune a checkpoint.

    --task, --data and --output are enough. `mbl convert --weights` converts the result.
    """
    from mobilebert_lite.cli.output import counted, print_json, print_lines, progress

    if resume is None and (asked["data"] is None or asked["output"] is None):
        raise click.UsageError("--data and --output are needed (or --resume)")
    if resume is not None and (given := _given(context)):
        raise click.UsageError(f"--resume keeps the options of the training; leave out {', '.join(given)}")
    from mobilebert_lite.common.requirements import need_files, need_tensorflow

    # What is wrong with the request is said before anything is imported that takes seconds.
    need_tensorflow()
    if resume is None:
        need_files((asked["data"], asked["eval"]))
    from mobilebert_lite.architecture.form import PROBLEMS
    from mobilebert_lite.training import preconditions, saved
    from mobilebert_lite.training.options import TrainOptions

    asked["reading"] = options.reading(asked)
    wanted = saved.saved_options(resume) if resume else TrainOptions(problem=PROBLEMS[problem], **asked)
    preconditions.check(wanted, resume is not None)
    from mobilebert_lite.training import run

    result = run.train(wanted, resume is not None, progress, counted)
    report = result.report
    if as_json:
        print_json(report)
        return
    folds = f" ± {report['score_deviation']:.2f} over {len(report['folds'])} folds" if "folds" in report else ""
    print_lines(f"{result.output}: {report['metric']} {report['score']:.2f}{folds} after {report['step']:,} steps, "
                f"{report['seconds']:.0f} s")
    for name, value in report["metrics"].items():
        print_lines(f"  {name} {value:.2f}" if isinstance(value, float) else f"  {name} {value}")


def _given(context: click.Context) -> list[str]:
    """Options of a new training that are on the command line."""
    from click.core import ParameterSource

    return [parameter.opts[0] for parameter in context.command.params
            if parameter.name not in ("resume", "as_json")
            and context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE]
