"""``mbl run``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobilebert_lite.cli import options
from mobilebert_lite.cli.command import option, section
from mobilebert_lite.cli.parameters import PATH

if TYPE_CHECKING:
    from mobilebert_lite.running.model import Model

# What a model is asked for: names as the options below, and `top`.
Asked = dict[str, Any]
# Results as JSON values, and the lines that say the same.
Shown = tuple[Any, list[str]]


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

    loaded = Model(model, threads, runtime, tokenizer, isolated=True)
    needed = "question" if loaded.task.name == "qa" else "text"
    if asked[needed] is None:
        raise ModelFileError(f"this model is for {loaded.task.name}; give it "
                             + ("--question and --context" if needed == "question" else "--text"))
    for name in ("context", "text"):
        if asked[name] == "-":
            asked[name] = read_input()
    rows, lines = SHOWN[loaded.task.name](loaded, asked)
    click.echo(json.dumps(rows, indent=2, ensure_ascii=False) if as_json else printable("\n".join(lines)))


def _answers(model: Model, asked: Asked) -> Shown:
    answers = model.answer(asked["question"], asked["context"], max_answer_tokens=asked["max_answer_tokens"],
                           stride=asked["stride"], null_threshold=asked["null_threshold"],
                           allow_null=not asked["no_null"])[:asked["top"] or 1]
    return [dataclasses.asdict(answer) for answer in answers], [
        f"{answer.text or '(no answer)'}\tscore {answer.score:.2f}\tprobability {answer.probability:.3f}"
        + (f"\tat {answer.start}-{answer.end}" if answer.text else "") for answer in answers]


def _classes(model: Model, asked: Asked) -> Shown:
    from mobilebert_lite.architecture.form import REGRESSION

    if model.task.form.problem_type == REGRESSION:
        numbers = model.predict(asked["text"], asked["pair"])
        return [dataclasses.asdict(number) for number in numbers], [
            f"{number.name}\t{number.value:.4f}" for number in numbers]
    return _labels(model.classify(asked["text"], asked["pair"]), asked)


def _labels(labels: list[Any], asked: Asked) -> Shown:
    labels = labels[:asked["top"]]
    return [dataclasses.asdict(label) for label in labels], [
        f"{label.name}\t{label.probability:.4f}" for label in labels]


def _next_sentence(model: Model, asked: Asked) -> Shown:
    if asked["pair"] is None:
        raise click.UsageError("this model judges whether --pair follows --text; give both")
    return _labels(model.follows(asked["text"], asked["pair"]), asked)


def _choices(model: Model, asked: Asked) -> Shown:
    if len(asked["choices"]) < 2:
        raise click.UsageError("this model chooses how --text goes on; give --choice twice or more")
    found = model.choose(asked["text"], asked["choices"])[:asked["top"]]
    return [dataclasses.asdict(choice) for choice in found], [
        f"{choice.text}\t{choice.probability:.4f}" for choice in found]


def _entities(model: Model, asked: Asked) -> Shown:
    found = model.entities(asked["text"])[:asked["top"]]
    return [dataclasses.asdict(entity) for entity in found], [
        f"{entity.label}\t{entity.text}\tprobability {entity.probability:.3f}\tat {entity.start}-{entity.end}"
        for entity in found] or ["(no entities)"]


def _words(model: Model, asked: Asked) -> Shown:
    gaps = model.fill_mask(asked["text"], asked["pair"], asked["top"] or 5)
    blocks = [[f"{word.token}\t{word.probability:.4f}\t{word.text}" for word in words] for words in gaps]
    return [[dataclasses.asdict(word) for word in words] for words in gaps], [
        line for i, block in enumerate(blocks) for line in (block if i == 0 else ["", *block])]


def _vectors(model: Model, asked: Asked) -> Shown:
    vectors = model.embed(asked["text"], asked["pair"])
    return {name: value.tolist() for name, value in vectors.items()}, [
        f"{name} {list(value.shape)}, of length {float((value.astype(float) ** 2).sum() ** 0.5):.4f}"
        for name, value in vectors.items()] + ["--json prints the values"]


# Task -> what it answers.
SHOWN: dict[str, Callable[[Any, Asked], Shown]] = {
    "qa": _answers, "classification": _classes, "token-classification": _entities, "multiple-choice": _choices,
    "next-sentence": _next_sentence, "fill-mask": _words, "pretraining": _words, "features": _vectors}
