"""``mbl compress``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mobilebert_lite.cli import options
from mobilebert_lite.cli.command import option, section
from mobilebert_lite.cli.parameters import PATH, TASK, Location, one_of, several

# As compression.choice has them, which needs NumPy.
STRUCTURES = ("units", "heads", "blocks")


@options.command("compress")
@section(
    "Input",
    option("--weights", type=Location(), required=True, metavar="PATH|HUB_ID",
           help="Trained checkpoint: a folder, a file or a hub id."),
    option("--data", type=PATH, required=True, metavar="FILE",
           help="Texts as the model will meet them: JSON lines, SQuAD JSON or a table. They need no labels."),
    *options.data_options,
    option("--task", type=TASK, help="Task of the network. [default: the one that the checkpoint was trained for]"),
    options.revision(), options.format(), options.config(), options.vocabulary(), options.labels())
@section(
    "How much",
    option("--speedup", type=click.FloatRange(1, 100), metavar="TIMES",
           help="Multiplications of the full network over those of the smaller one, such as 1.3. [default: as many "
                "times fewer as --max-drop allows]"),
    several("--only", each=one_of("structure", *STRUCTURES), default=STRUCTURES, show_default=True,
            help="What may go: hidden units of feed-forward networks, attention heads, whole blocks. Without heads and "
                 "units, transformers reads the result too (`mbl export`)."),
    option("--texts", default=1000, show_default=True, type=click.IntRange(1),
           help="Use N examples of --data, evenly spaced over the file."),
    option("--seq-len", "length", type=click.IntRange(1), metavar="LENGTH",
           help="Sequence length that multiplications are counted for. [default: 384 for qa, 128 otherwise]"))
@section(
    "Checks",
    option("--eval", "evaluation", type=PATH, metavar="FILE", help="Labeled examples on which the score must hold."),
    option("--max-drop", needs="--eval", default=1.0, show_default=True, type=click.FloatRange(0), metavar="POINTS",
           help="points of the score that may be lost against the full network."),
    options.metric(needs="--eval", help="score to judge by, as in `mbl eval`. [default: by task]"),
    options.limit(needs="--eval", help="use only N examples, evenly spaced over the file."))
@section(
    "Output",
    options.output(required=True, metavar="DIR", help="Folder for the smaller checkpoint; it must be new or empty."),
    options.as_json(help="Print the report, which is also compression.json in the folder, to standard output."))
def command(as_json: bool, evaluation: Path | None, max_drop: float, metric: str | None, limit: int | None,
            **asked: Any) -> None:
    """Leave out the parts of a trained network that matter least, and fit the rest to make up for them.

    Nothing is trained and no labels are needed. `mbl convert`, `mbl train` and `mbl compress` read the result.
    """
    from mobilebert_lite.cli.output import counted, print_json, print_lines, stage

    if asked["speedup"] is None and evaluation is None:
        raise click.UsageError("give --speedup, or the score that must hold: --eval FILE")
    from mobilebert_lite.common.files import check_folder
    from mobilebert_lite.common.requirements import need_files, need_tensorflow
    from mobilebert_lite.converters import formats

    need_tensorflow()
    need_files((asked["data"], evaluation))
    check_folder(asked["output"])
    formats.check_location(asked["weights"], asked["config"])
    from mobilebert_lite.compression.limit import Limit
    from mobilebert_lite.compression.pipeline import CompressRequest, compress

    asked["reading"] = options.reading(asked)
    held = None if evaluation is None else Limit(evaluation, max_drop, metric, limit, asked["reading"])
    report = compress(CompressRequest(limit=held, **asked), stage, counted)
    if as_json:
        print_json(report)
        return
    print_lines(*_told(asked["output"], report))


def _told(output: Path, report: dict[str, Any]) -> list[str]:
    """The report in a few lines."""
    counts, blocks = report["multiplications"], report["blocks"]
    lines = [f"{output}: {counts['speedup']:.2f} times fewer multiplications ({counts['small'] / 1e6:,.0f} of "
             f"{counts['full'] / 1e6:,.0f} million at {report['length']} tokens), {report['parameters']['small']:,} of "
             f"{report['parameters']['full']:,} parameters, {blocks['small']} of {blocks['full']} blocks"]
    if "score" in report:
        score = report["score"]
        lines.append(f"  {score['metric']} {score['small']:.2f}, of the full network {score['full']:.2f}")
    for i, shape in enumerate(report["shapes"]):
        lines.append(f"  block {i}: {shape['attention_heads']} heads, feed-forward "
                     f"{', '.join(map(str, shape['feed_forward'])) or 'none'}")
    return lines
