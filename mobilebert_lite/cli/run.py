"""``mbl run``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mobilebert_lite.cli import options
from mobilebert_lite.cli.command import option, section
from mobilebert_lite.cli.parameters import PATH


@options.command("run")
@click.argument("model", type=PATH)
@section(
    "Input",
    option("--question", metavar="TEXT", help="Question to answer from --context."),
    option("--context", metavar="TEXT", help="Text that holds the answer; - reads standard input."),
    option("--text", metavar="TEXT",
           help="Text to classify, tag or embed, or whose [MASK] words to fill in; - reads standard input."),
    option("--pair", metavar="TEXT", help="Second text, for models of text pairs and of next sentences."),
    option("--choice", "choices", metavar="TEXT", multiple=True,
           help="A possible continuation of --text; repeat the option for each."),
    options.tokenizer())
@section(
    "Answers",
    options.stride(), options.max_answer_tokens(), options.null_threshold(),
    option("--no-null", is_flag=True,
           help="Question answering: always give an answer, as models trained on SQuAD 1.1 need it."))
@section("Zero-shot classification", *options.zero_shot())
@section("Resources", options.threads(), options.interpreter())
@section(
    "Output",
    option("--top", type=click.IntRange(1), help="Print the N best. [default: 1 answer, 5 words, every label]"),
    options.as_json())
def command(model: Path, threads: int, tokenizer: str, runtime: str | None, as_json: bool,
            **asked: Any) -> None:
    """Run MODEL, a .tflite file made by `mbl convert`, on a question or a text.

    Vocabulary, labels and sequence lengths come from the file. Long contexts are read in overlapping windows.
    """
    if (asked["question"] is None) != (asked["context"] is None):
        raise click.UsageError("--question and --context go together")
    if (asked["question"] is None) == (asked["text"] is None):
        raise click.UsageError("give either --question and --context, or --text")
    from mobilebert_lite.cli.output import read_input
    from mobilebert_lite.running.isolation import helper

    helper.prepare()
    from mobilebert_lite.errors import ModelFileError, printable
    from mobilebert_lite.running.model import Model
    from mobilebert_lite.tasks.classification.printer import show_zero_shot
    from mobilebert_lite.tasks.printing import NotAsked

    loaded = Model(model, threads, runtime=runtime, tokenizer=tokenizer, isolated=True)
    needed = loaded.task.asks
    if any(asked[name] is None for name in needed):
        raise ModelFileError(f"this model is for {loaded.task.name}; give it "
                             + " and ".join(f"--{name}" for name in needed))
    for name in ("context", "text"):
        if asked[name] == "-":
            asked[name] = read_input()
    try:
        rows, lines = (show_zero_shot if asked["labels"] else loaded.task.show)(loaded, asked)
    except NotAsked as error:
        raise click.UsageError(str(error)) from None
    click.echo(json.dumps(rows, indent=2, ensure_ascii=False) if as_json else printable("\n".join(lines)))


