"""The command line: one module per command, imported only when the command is called."""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import Any

import click

from mobilebert_lite.cli import limits, signals, streams
from mobilebert_lite.cli.output import own_output, tell
from mobilebert_lite.common import keras
from mobilebert_lite.errors import MblError, OutputError, one_line
from mobilebert_lite.version import __version__

# Command -> one-line help, so that `mbl --help` imports none of them.
COMMANDS = {
    "convert": "Convert a checkpoint to a verified .tflite file.",
    "compile": "Compile a .tflite file for NPUs, and verify it in their simulator.",
    "train": "Train a network, or fine-tune a checkpoint.",
    "compress": "Make a trained network smaller, without training.",
    "export": "Convert a checkpoint to another checkpoint format.",
    "run": "Run a .tflite file on a question or a text.",
    "eval": "Score a .tflite file on labeled examples.",
    "inspect": "Show the content of a .tflite file, and who can load it.",
    "devices": "List attached phones.",
    "bench": "Measure latency and memory of .tflite files.",
    "android": "Put models into the Kotlin demo app.",
}

# An error that no user caused.
FAULT = "This is a fault of mbl"
# Longest error, in characters; the beginning says what is wrong, the end what to do.
_LONGEST_LINE = 1990


class _Lazy(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"mobilebert_lite.cli.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mbl")
@click.option("--debug", is_flag=True, help="Show tracebacks and the native libraries' own messages.")
def cli(debug: bool) -> None:
    """Put MobileBERT on a phone: convert, train, run, score, inspect and benchmark models."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit codes: 0 done, 1 the request failed (one line on stderr), 2 usage error, 130 SIGINT,
    143 SIGTERM."""
    if arguments is None:
        arguments = sys.argv[1:]
        keras.leave_out()  # not where others call this, who may use it
    debug = "--debug" in arguments
    if debug:
        arguments = ["--debug", *(argument for argument in arguments if argument != "--debug")]
    try:
        streams.prepare(debug)
        code = limits.guarded(lambda: _run(arguments, debug))
        with own_output():
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has gone: nothing to say
        streams.discard_output()
        code = 1
    except (OutputError, OSError) as error:  # of standard output, or there are no files or processes to begin with
        streams.discard_output()
        code = _say(str(error) if isinstance(error, OutputError) else limits.blamed(error), 1)
    except KeyboardInterrupt:  # in the midst of ending
        code = _say_interrupted()
    signals.rest()
    sys.exit(code)


def _run(arguments: list[str], debug: bool) -> int:
    """The exit code of a command. Raises nothing but BrokenPipeError and KeyboardInterrupt."""
    try:
        signals.watch()
        result: Any = cli.main(arguments, prog_name="mbl", standalone_mode=False)
    except click.ClickException as error:
        error.message = one_line(" ".join(error.message.split()))  # type: ignore[misc]
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _say_interrupted()
    except BrokenPipeError:
        raise
    except Exception as error:
        if debug:
            traceback.print_exc()
        if isinstance(error, MblError):
            return _say(limits.blamed(error) or str(error), error.exit_code)
        if signals.interrupted():
            return _say_interrupted()
        return _say(limits.blamed(error) or f"{type(error).__name__}: {error}. {FAULT}; run the command again with "
                    "--debug, and report what it prints", 1)
    return result if isinstance(result, int) else 0


def _say_interrupted() -> int:
    message, code = signals.outcome()
    return _say(f"{message}; nothing was written", code)


def _say(message: str, code: int) -> int:
    line = one_line(" ".join(message.split()))
    if len(line) > _LONGEST_LINE:
        line = f"{line[:_LONGEST_LINE // 2]} … {line[-_LONGEST_LINE // 2 + 3:]}"
    tell(f"Error: {line}")
    return code
