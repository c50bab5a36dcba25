"""docs/reference/commands.md: every command and option, from the command line itself.

    python scripts/command_reference.py
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from mobilebert_lite.cli import COMMANDS, cli
from mobilebert_lite.cli.command import Command

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "commands.md"
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
BEGINNING = """\
# Command reference

<!-- Written by scripts/command_reference.py; do not edit. -->

`mbl --help` lists the commands, and `mbl COMMAND --help` shows what stands here. `python -m mobilebert_lite` is the
same program. Your shell can [complete](completion.md) commands, options and words.

- An option has one meaning in all commands that have it.
- Words are accepted in any case: `--quantize INT8` is `--quantize int8`.
- Options marked `[,…]` take several values, separated by commas or with the option repeated.
- Results are printed to standard output, progress and errors to standard error. `--json` prints the result as JSON;
  `--report FILE` writes it.
- `mbl --debug COMMAND` adds tracebacks and the messages of native libraries.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the request failed; one line on standard error says why |
| 2 | the command line is wrong |
| 130, 143 | interrupted by Ctrl-C, ended by SIGTERM |

| environment variable | meaning |
|---|---|
| `MBL_INTERPRETER` | package that runs models, where `--interpreter` is not given |
| `MBL_BENCHMARK_MODEL` | `benchmark_model` binary for phones, where `--runner-binary` is not given |
"""


def commands() -> Iterator[tuple[str, Command]]:
    """Every command with its full name, those of groups too."""
    context = click.Context(cli, info_name="mbl")
    for name in COMMANDS:
        found = cli.get_command(context, name)
        if isinstance(found, click.Group):
            inner = click.Context(found, info_name=name, parent=context)
            yield from ((f"mbl {name} {each}", _own(found.get_command(inner, each)))
                        for each in found.list_commands(inner))
        else:
            yield f"mbl {name}", _own(found)


def page() -> str:
    """The page."""
    return "\n".join([BEGINNING, *(_described(name, command) for name, command in commands())])


def _own(command: click.Command | None) -> Command:
    assert isinstance(command, Command), command
    return command


def _described(name: str, command: Command) -> str:
    context = click.Context(command, info_name=name)
    lines = [f"## {name}", "", "```text", " ".join([name, *command.collect_usage_pieces(context)]), "```", "",
             _marked(inspect.cleandoc(command.help or "")), ""]
    for title, records in command.sections(context).items():
        rows = [f"| `{_cell(option)}` | {_cell(_marked(told))} |" for option, told in records if "--help" not in option]
        lines += [f"| {title} | |", "|---|---|", *rows, ""] if rows else []
    return "\n".join(lines)


def _marked(text: str) -> str:
    """``text`` with its options as code, where they are not already."""
    parts = text.split("`")
    return "`".join(_OPTION.sub(r"`\g<0>`", part) if i % 2 == 0 else part for i, part in enumerate(parts))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write the page, or the file that --output names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=PAGE)
    parser.parse_args().output.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
