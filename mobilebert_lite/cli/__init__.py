"""The command line: one module per command, imported only when the command is called."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

import click

from mobilebert_lite.cli import signals
from mobilebert_lite.cli.output import escape_unprintable, hide_native_logs
from mobilebert_lite.errors import MblError, printable
from mobilebert_lite.version import __version__

# Command -> one-line help, so that `mbl --help` imports none of them.
COMMANDS = {
    "convert": "Convert a checkpoint to a verified .tflite file.",
    "compile": "Compile a .tflite file for NPUs, and verify it in their simulator.",
    "train": "Train a network, or fine-tune a checkpoint.",
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
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    if debug:
        arguments = ["--debug", *(argument for argument in arguments if argument != "--debug")]
    else:
        hide_native_logs()
    escape_unprintable()
    signals.watch()
    try:
        result: Any = cli.main(arguments, prog_name="mbl", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail_interrupted()
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: nothing to say
        sys.exit(1)
    except MblError as error:
        if debug:
            traceback.print_exc()
        _fail(str(error), error.exit_code)
    except OSError as error:  # commands name the files they fail on; what is left is our own output
        _discard_output()
        _fail(f"{error.filename or 'standard output'}: {error.strerror or error}", 1)
    except MemoryError:
        _fail("not enough memory; convert with fewer or shorter lengths (--seq-len)", 1)
    except Exception as error:
        if signals.interrupted():
            _fail_interrupted()
        if debug:
            traceback.print_exc()
        _fail(f"{type(error).__name__}: {error}. {FAULT}; run the command again with --debug, and report what it "
              "prints", 1)
    sys.exit(result if isinstance(result, int) else 0)


def _discard_output() -> None:
    """Keep the interpreter from failing again when it flushes standard output at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _fail_interrupted() -> None:
    message, code = signals.outcome()
    _fail(f"{message}; nothing was written", code)


def _fail(message: str, code: int) -> None:
    line = printable(" ".join(message.split()))
    if len(line) > _LONGEST_LINE:
        line = f"{line[:_LONGEST_LINE // 2]} … {line[-_LONGEST_LINE // 2 + 3:]}"
    click.echo(f"Error: {line}", err=True)
    sys.exit(code)
