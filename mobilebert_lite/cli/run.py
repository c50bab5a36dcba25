"""``mbl run``."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import click


@click.command("run")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--question", help="A question; needs --context.")
@click.option("--context", help="The text to answer from; - reads it from standard input.")
@click.option("--text", help="A text to classify; - reads it from standard input.")
@click.option("--pair", help="The second text, for models of text pairs.")
@click.option("--top", type=click.IntRange(1), help="How many to print. [default: 1 answer, every label]")
@click.option("--max-answer-tokens", default=30, show_default=True, type=click.IntRange(1),
              help="Longest answer that is considered.")
@click.option("--null-threshold", default=0.0, show_default=True,
              help="How much better than the best answer 'no answer' must score to be given.")
@click.option("--no-null", is_flag=True, help="Always give an answer (models trained on SQuAD v1).")
@click.option("--stride", default=128, show_default=True, type=click.IntRange(1),
              help="Tokens between the windows over a long context.")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(1), help="For each inference.")
@click.option("--tokenizer", type=click.Choice(["reference", "phone"]), default="reference", show_default=True,
              help="phone: as the Task Library and MediaPipe split texts.")
@click.option("--runtime", help="ai-edge-litert or tflite-runtime; by default the first that is installed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(model: Path, question: str | None, context: str | None, text: str | None, pair: str | None, top: int | None,
            max_answer_tokens: int, null_threshold: float, no_null: bool, stride: int, threads: int,
            tokenizer: str, runtime: str | None, as_json: bool) -> None:
    """Answer a question or classify a text with MODEL, a .tflite that `mbl convert` made.

    Vocabulary, labels and lengths come from the file. Long contexts are read in windows.
    """
    if (question is None) != (context is None):
        raise click.UsageError("--question and --context go together")
    if (question is None) == (text is None):
        raise click.UsageError("give either --question and --context, or --text")
    from mobilebert_lite.model import Model

    loaded = Model(model, threads, runtime, tokenizer)
    if question is not None and context is not None:
        context = _or_stdin(context)
        answers = loaded.answer(question, context, max_answer_tokens=max_answer_tokens, stride=stride,
                                null_threshold=null_threshold, allow_null=not no_null)[:top or 1]
        rows = [dataclasses.asdict(answer) for answer in answers]
        lines = [f"{answer.text or '(no answer)'}\tscore {answer.score:.2f}\tprobability {answer.probability:.3f}"
                 + (f"\tat {answer.start}-{answer.end}" if answer.text else "") for answer in answers]
    else:
        labels = loaded.classify(_or_stdin(text or ""), pair)[:top]
        rows = [dataclasses.asdict(label) for label in labels]
        lines = [f"{label.name}\t{label.probability:.4f}" for label in labels]
    click.echo(json.dumps(rows, indent=2, ensure_ascii=False) if as_json else "\n".join(lines))


def _or_stdin(value: str) -> str:
    return sys.stdin.read() if value == "-" else value
