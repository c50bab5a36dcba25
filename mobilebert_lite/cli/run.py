"""``mbl run``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobilebert_lite.cli import options, signals
from mobilebert_lite.cli.command import option, section
from mobilebert_lite.cli.lines import fields, opened, prompted
from mobilebert_lite.cli.output import print_json, print_lines, progress, read_input, tell
from mobilebert_lite.cli.parameters import PATH
from mobilebert_lite.errors import AnswerError, DataError, ModelFileError, RequestError

if TYPE_CHECKING:
    from mobilebert_lite.running.model import Model
    from mobilebert_lite.running.runtime import Session

# Between lines of progress.
_SECONDS = 10.0
# What is wrong with one text and leaves the model able to read others.
_OF_ONE_TEXT = (DataError, RequestError, AnswerError)


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
    option("--input", "lines", type=PATH, metavar="FILE",
           help="Many inputs, one a line: texts, or JSON objects with the names of the options above; - reads standard "
                "input. Prints a JSON object for each."),
    options.tokenizer())
@section(
    "Answers",
    options.stride(), options.max_answer_tokens(), options.null_threshold(),
    option("--no-null", is_flag=True,
           help="Question answering: always give an answer, as models trained on SQuAD 1.1 need it."),
    options.word_pieces())
@section("Zero-shot classification", *options.zero_shot())
@section("Resources", options.threads(), options.interpreter(), options.npu())
@section(
    "Output",
    option("--top", type=click.IntRange(1), help="Print the N best. [default: 1 answer, 5 words, every label]"),
    options.as_json())
def command(model: Path, threads: int, tokenizer: str, runtime: str | None, npu: str | None, as_json: bool,
            lines: Path | None, **asked: Any) -> int:
    """Run MODEL, a .tflite file made by `mbl convert`, on a question or a text, on many, or at a prompt.

    Vocabulary, labels and sequence lengths come from the file. Long contexts are read in overlapping windows. On a
    terminal, without any text, the command asks for texts until Ctrl-D.
    """
    prompt = _check(asked, lines)
    from mobilebert_lite.running.isolation import helper

    if npu is None:
        helper.prepare()
    from mobilebert_lite.running.model import Model

    for name in ("context", "text"):
        if asked[name] == "-":
            asked[name] = read_input()
    loaded = Model(model, threads, runtime=runtime, tokenizer=tokenizer, isolated=True, session=_simulated(npu))
    try:
        if lines is not None:
            return _answer_lines(loaded, lines, asked)
        return _answer_prompts(loaded, asked, as_json) if prompt else _answer_one(loaded, asked, as_json)
    except KeyboardInterrupt:
        if lines is None and not prompt:
            raise
        tell("")
        return signals.outcome()[1]  # an end that was asked for needs no error


def _simulated(npu: str | None) -> Callable[[bytes], Session] | None:
    """What opens the file in a simulator, which is said."""
    if npu is None:
        return None
    from mobilebert_lite.npu.session import opener
    from mobilebert_lite.npu.socs import find_soc

    progress(f"simulated: {find_soc(npu)}")
    return opener(npu)


def _check(asked: Mapping[str, Any], lines: Path | None) -> bool:
    """Whether texts come from a prompt. Raises UsageError for options that do not go together."""
    question, context, text = (asked[name] is not None for name in ("question", "context", "text"))
    if lines is not None:
        if text or (question and context) or (asked["context"] == "-" == str(lines)):
            raise click.UsageError("--input has the texts; leave out --text, and --question or --context")
        return False
    if sys.stdin is not None and sys.stdin.isatty() and not (question or text):
        return True
    if question != context:
        raise click.UsageError("--question and --context go together")
    if question == text:
        raise click.UsageError("give either --question and --context, or --text, or --input FILE")
    return False


def _answer_one(model: Model, asked: dict[str, Any], as_json: bool) -> int:
    from mobilebert_lite.tasks.printing import NotAsked

    _require(model, asked, "--")
    try:
        rows, told = _answer(model, asked)
    except NotAsked as error:
        raise click.UsageError(str(error)) from None
    _show(rows, told, _cut(model), as_json)
    return 0


def _answer_lines(model: Model, path: Path, asked: Mapping[str, Any]) -> int:
    """A JSON object for each line of ``path``; 1 when a line has no answer."""
    where = "standard input" if str(path) == "-" else path
    done = failed = cut = 0
    shown = time.monotonic()
    with opened(path) as stream:
        for number, line in fields(stream, _plain(model, asked)):
            found: dict[str, Any] = {"line": number}
            try:
                if isinstance(line, DataError):
                    raise line
                if "id" in line:
                    found["id"] = line.pop("id")
                wanted = {**asked, **line}
                _require(model, wanted, "")
                found["result"] = _answer(model, wanted)[0]
            except _OF_ONE_TEXT as error:
                failed += 1
                found["error"] = str(error)
                tell(f"Error: {where}, line {number}: {error}")
            if model.take_cut():
                cut += 1
                found["cut"] = True
            done += 1
            print_json(found, None)
            if time.monotonic() - shown > _SECONDS:
                shown = time.monotonic()
                progress(f"{done} lines")
    progress(f"{done} lines" + (f", {failed} without an answer" if failed else "")
             + (f", {cut} cut: longer than the {model.longest} tokens that the model reads" if cut else ""))
    return int(failed > 0)


def _answer(model: Model, asked: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """The answers as JSON and as lines, of the task or, with labels, of a model for NLI."""
    from mobilebert_lite.tasks.classification.printer import show_zero_shot

    return (show_zero_shot if asked["labels"] else model.task.show)(model, asked)


def _plain(model: Model, asked: Mapping[str, Any]) -> str | None:
    """What lines of text are; None where that is open."""
    missing = [name for name in model.task.asks if asked[name] is None]
    return missing[0] if len(missing) == 1 else None


def _answer_prompts(model: Model, asked: Mapping[str, Any], as_json: bool) -> int:
    """What is typed, until it ends."""
    tell(f"{model.task.name}: {model.task.purpose}. Ctrl-D ends.")
    for typed in prompted(model.task.prompts, asked):
        try:
            rows, told = _answer(model, {**asked, **typed})
        except _OF_ONE_TEXT as error:
            tell(f"Error: {error}")
            continue
        _show(rows, told, _cut(model), as_json)
    return 0


def _require(model: Model, asked: Mapping[str, Any], dashes: str) -> None:
    """Raise RequestError when what the task cannot do without is not ``asked``."""
    if any(asked[name] is None for name in model.task.asks):
        wanted = " and ".join(f"{dashes}{name}" for name in model.task.asks)
        raise (ModelFileError if dashes else RequestError)(f"this model is for {model.task.name}; give it {wanted}")


def _cut(model: Model) -> bool:
    """Whether the text was cut, which is said."""
    cut = model.take_cut()
    if cut:
        what = "question" if "question" in model.task.asks else "text"
        tell(f"Warning: the {what} is longer than the model reads (its longest sequence has {model.longest} tokens): "
             f"the end of the {what} was left out")
    return cut


def _show(rows: Any, told: list[str], cut: bool, as_json: bool) -> None:
    if cut:
        _mark(rows)
    if as_json:
        print_json(rows)
    else:
        print_lines(*told)


def _mark(rows: Any) -> None:
    """Say in each of the results that its text was cut."""
    if isinstance(rows, dict):
        rows["cut"] = True
    for row in rows if isinstance(rows, list) else ():
        _mark(row)
