"""``mbl run``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mobilebert_lite.cli.parameters import RUNTIME, one_of


@click.command("run")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--question", help="A question; needs --context.")
@click.option("--context", help="The text to answer from; - reads it from standard input.")
@click.option("--text", help="A text to classify, tag, embed, or fill in at each [MASK]; - reads standard input.")
@click.option("--pair", help="The second text, for models of text pairs and of next sentences.")
@click.option("--choice", "choices", multiple=True, help="A way that --text may go on; give two or more.")
@click.option("--top", type=click.IntRange(1), help="How many to print. [default: 1 answer, 5 words, every label]")
@click.option("--max-answer-tokens", default=30, show_default=True, type=click.IntRange(1),
              help="Longest answer that is considered.")
@click.option("--null-threshold", default=0.0, show_default=True,
              help="How much better than the best answer 'no answer' must score to be given.")
@click.option("--no-null", is_flag=True, help="Always give an answer (models trained on SQuAD v1).")
@click.option("--stride", default=128, show_default=True, type=click.IntRange(1),
              help="Tokens between the windows over a long context.")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(1), help="For each inference.")
@click.option("--tokenizer", type=one_of("reference", "phone"), default="reference", show_default=True,
              help="phone: as the Task Library and MediaPipe split texts.")
@click.option("--runtime", type=RUNTIME, help="ai-edge-litert or tflite-runtime; by default the first that is "
                                              "installed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(model: Path, threads: int, tokenizer: str, runtime: str | None, as_json: bool,
            **asked: Any) -> None:
    """Answer a question, or read a text, with MODEL, a .tflite that `mbl convert` made.

    Vocabulary, labels and lengths come from the file. Long contexts are read in windows.
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
    from mobilebert_lite.tasks.printing import NotAsked

    loaded = Model(model, threads, runtime, tokenizer, isolated=True)
    needed = loaded.task.asks
    if any(asked[name] is None for name in needed):
        raise ModelFileError(f"this model is for {loaded.task.name}; give it "
                             + " and ".join(f"--{name}" for name in needed))
    for name in ("context", "text"):
        if asked[name] == "-":
            asked[name] = read_input()
    try:
        rows, lines = loaded.task.show(loaded, asked)
    except NotAsked as error:
        raise click.UsageError(str(error)) from None
    click.echo(json.dumps(rows, indent=2, ensure_ascii=False) if as_json else printable("\n".join(lines)))

