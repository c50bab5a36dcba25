"""Command and option classes: sections in the help, options that need another one, advice for old spellings."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

F = TypeVar("F", bound=Callable[..., Any])

# Width of the column of options in the help; a longer option has a line of its own, as in click.
_COLUMN = 30

# Old spelling -> new ones; a command has one of them at most.
RENAMED: dict[str, tuple[str, ...]] = {
    "--runtime": ("--min-runtime", "--interpreter"),
    "--length": ("--seq-len",),
    "--choices": ("--num-choices",),
    "--clip": ("--max-grad-norm",),
    "--warmup": ("--warmup-ratio",),
    "--unknown": ("--token-dropout",),
    "--smoothing": ("--label-smoothing",),
    "--shift": ("--position-shift",),
    "--imitate": ("--distill",),
    "--teacher-share": ("--distill-weight",),
    "--devices": ("--distribute",),
    "--profiles": ("--known",),
}

# Ranges that say nothing: click shows them at the end of the brackets, or alone in them.
_EVIDENT = re.compile(r"; x>=[01](?=\])|  \[x>=[01]\]")
# Metavars of numbers.
_METAVARS = ((click.types.IntParamType, "N"), (click.types.FloatParamType, "NUMBER"))


class Option(click.Option):
    """An option in a section of the help.

    ``needs`` names options of the same command; without any of them, this option is a usage error.
    """

    section = "Other"

    def __init__(self, *args: Any, needs: str | Sequence[str] = (), **settings: Any) -> None:
        self.needs = (needs,) if isinstance(needs, str) else tuple(needs)
        if self.needs:
            settings["help"] = f"With {' or '.join(self.needs)}: {settings['help']}"
        super().__init__(*args, **settings)
        if self.metavar is None and not self.is_flag:
            self.metavar = next((word for kind, word in _METAVARS if isinstance(self.type, kind)), None)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Option and help text. Default and range share one pair of brackets, lower bounds of 0 and 1 are left out,
        and choices that are not in the metavar follow the help text."""
        record = super().get_help_record(ctx)
        if record is None:
            return None
        name, told = record[0], _EVIDENT.sub("", record[1].replace("]  [", "; ")).replace("  [", " [")
        words = getattr(getattr(self.type, "each", self.type), "choices", ())
        if not words or words[0] in name:
            return name, told
        told, bracket, extra = told.partition(" [")
        return name, f"{told} One of {', '.join(words)}.{bracket}{extra}"


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """``click.option`` with the class ``Option``."""
    return click.option(*names, cls=Option, **settings)


def section(title: str, *options: Callable[[Any], Any]) -> Callable[[F], F]:
    """A decorator that adds ``options`` under one heading of the help."""
    def decorate(command: F) -> F:
        found: list[click.Parameter] = getattr(command, "__click_params__", [])
        before = len(found)
        for one in reversed(options):
            command = one(command)
        added: list[click.Parameter] = getattr(command, "__click_params__", [])[before:]
        for parameter in added:
            if isinstance(parameter, Option):
                parameter.section = title
        return command

    return decorate


class Command(click.Command):
    """A command whose help shows its options in sections."""

    def sections(self, context: click.Context) -> dict[str, list[tuple[str, str]]]:
        """Heading -> (option, help) of each, in the order of the code; --help comes last."""
        found: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(context):
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context)):
                found.setdefault(getattr(parameter, "section", Option.section), []).append(record)
        return found

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections, aligned in one column."""
        sections = self.sections(context)
        width = min(_COLUMN, max(len(name) for records in sections.values() for name, _ in records))
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), told) for name, told in records])

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        """Parse as click does. Raises UsageError for an option without another one that it needs."""
        try:
            rest = super().parse_args(context, arguments)
        except click.NoSuchOption as error:
            raise _advised(error, self.params) from None
        if not context.resilient_parsing:
            self._check_needs(context)
        return rest

    def invoke(self, context: click.Context) -> Any:
        """Run the command. Whatever ends it, its temporary files are removed; what it prints goes to standard error
        where an output is standard output itself."""
        from mobilebert_lite.common.targets import descriptor
        from mobilebert_lite.common.temporary import janitor

        if any(isinstance(value, Path) and descriptor(value) == 1 for value in context.params.values()):
            sys.stdout = sys.stderr
        with janitor():
            return super().invoke(context)

    def _check_needs(self, context: click.Context) -> None:
        given = {name for one in self.params if _is_given(context, one) for name in one.opts}
        for one in self.params:
            if isinstance(one, Option) and one.needs and one.opts[0] in given and not given & set(one.needs):
                raise click.UsageError(f"{one.opts[0]} needs {' or '.join(one.needs)}", context)


def _is_given(context: click.Context, parameter: click.Parameter) -> bool:
    return context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE


def _advised(error: click.NoSuchOption, parameters: Iterable[click.Parameter]) -> click.UsageError:
    known = {name for one in parameters for name in one.opts}
    now = [name for name in RENAMED.get(error.option_name, ()) if name in known]
    if not now:
        return error
    return click.UsageError(f"No such option '{error.option_name}'; it is called '{now[0]}' now.", error.ctx)
