"""Options of commands that measure: their forms, and those that say where phones are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)


class Numbers(click.ParamType):
    """1,2,4: whole numbers; with words, those may stand in their place."""

    def __init__(self, least: int = 1, **words: int) -> None:
        self.least, self.words = least, words
        self.name = "N[,N…]" + "".join(f"|{word}" for word in words)

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            found = tuple(self.words[one] if one in self.words else int(one) for one in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r}: whole numbers such as 1,2,4 are needed", param, context)
        if any(one < self.least and one not in self.words.values() for one in found):
            self.fail(f"{value!r}: each must be {self.least} or more", param, context)
        return tuple(dict.fromkeys(found))


class Cpus(click.ParamType):
    """big, all, or numbers such as 4-7 or 0,2."""

    name = "big|all|N-M"

    def convert(self, value: Any, param: click.Parameter | None,
                context: click.Context | None) -> tuple[int, ...] | str:
        if isinstance(value, tuple) or value in ("big", "all"):
            return value
        found: list[int] = []
        try:
            for part in str(value).split(","):
                first, _, last = part.partition("-")
                found += range(int(first), int(last or first) + 1)
        except ValueError:
            found = []
        if not found or min(found) < 0 or max(found) > 1023:
            self.fail(f"{value!r} is neither big, all, nor numbers of processors such as 4-7", param, context)
        return tuple(sorted(set(found)))


class Percent(click.ParamType):
    """5% or 5: a share."""

    name = "PERCENT"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            number = float(str(value).removesuffix("%"))
        except ValueError:
            number = -1.0
        if not 0 <= number < 1000:
            self.fail(f"{value!r} is no percentage such as 5%", param, context)
        return number / 100


def phone_options(command: F) -> F:
    """--connect, --adb-server and --adb-port; see ``adb_servers``."""
    for option in (
            click.option("-P", "--adb-port", "port", type=click.IntRange(1, 65535), metavar="PORT",
                         help="Port of adb servers that are given without one.  [default: 5037]"),
            click.option("-H", "--adb-server", "servers", multiple=True, metavar="HOST[:PORT]",
                         help="Phones of another machine's adb server; several make a farm. [default: this machine]"),
            click.option("--connect", multiple=True, metavar="HOST:PORT",
                         help="Attach this phone over the network before.")):
        command = option(command)
    return command


def adb_servers(servers: tuple[str, ...], port: int | None) -> tuple[str, ...]:
    """Each server with a port where one was given for all; ``:PORT`` alone is this machine's."""
    if port is None:
        return servers
    return tuple(one if ":" in one else f"{one}:{port}" for one in servers or ("",))
