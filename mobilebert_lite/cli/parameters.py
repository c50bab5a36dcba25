"""Forms of options that several commands have, and the options that say where phones are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from mobilebert_lite.errors import MblError

F = TypeVar("F", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)


class KnownName(click.ParamType):
    """One word of a list, in any case. The list is asked for when a word is given, so that help stays quick."""

    name = "text"

    def __init__(self, what: str, words: Callable[[], Iterable[str]]) -> None:
        self.what, self.words = what, words

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> str:
        word, known = str(value).lower(), tuple(self.words())
        if word not in known:
            self.fail(f"unknown {self.what} {value!r}; known are {', '.join(known)}", param, context)
        return word

    def shell_complete(self, context: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(word) for word in self.words() if word.startswith(incomplete.lower())]


class Checked(click.ParamType):
    """What ``check`` knows, in lower case; it raises MblError for anything else."""

    name = "text"

    def __init__(self, check: Callable[[str], object]) -> None:
        self.check = check

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> str:
        try:
            self.check(str(value).lower())
        except MblError as error:
            self.fail(str(error), param, context)
        return str(value).lower()


def one_of(*words: str) -> click.Choice[str]:
    """One of few words, in any case."""
    return click.Choice(words, case_sensitive=False)


def _tasks() -> Iterable[str]:
    from mobilebert_lite.tasks import NAMES

    return NAMES


def _modes() -> Iterable[str]:
    from mobilebert_lite.quantization.recipe import MODES

    return MODES


def _formats() -> Iterable[str]:
    from mobilebert_lite.converters.formats import FORMATS

    return FORMATS


def _fusion_rules() -> Iterable[str]:
    from mobilebert_lite.fusion.pipeline import NAMES

    return (*NAMES, "all")


def _clients() -> Iterable[str]:
    from mobilebert_lite.doctor.diagnose import KNOWN

    return KNOWN


def _runtimes() -> Iterable[str]:
    from mobilebert_lite.running.runtime import RUNTIMES

    return RUNTIMES


def _check_mask(text: str) -> None:
    from mobilebert_lite.architecture.masking import parse_masking

    parse_masking(text)


def _check_version(text: str) -> None:
    from mobilebert_lite.tflite.op_versions import as_tuple

    as_tuple(text)


def _check_devices(names: str) -> None:
    from mobilebert_lite.benchmarks.phone.phones import ANY, HOST
    from mobilebert_lite.benchmarks.phone.profiles import find_profile

    for name in names.split(","):
        if name not in (HOST, ANY):
            find_profile(name)


TASK, MODE, FORMAT = KnownName("task", _tasks), KnownName("quantization", _modes), KnownName("format", _formats)
FUSION_RULE, CLIENT = KnownName("fusion rule", _fusion_rules), KnownName("client", _clients)
MASK, DEVICES = Checked(_check_mask), Checked(_check_devices)
# --runtime is a package where files are run, and a version of TFLite where they are made or examined.
RUNTIME, VERSION = KnownName("runtime", _runtimes), Checked(_check_version)


class Numbers(click.ParamType):
    """1,2,4: whole numbers; with words, those may stand in their place."""

    def __init__(self, least: int = 1, **words: int) -> None:
        self.least, self.words = least, words
        self.name = "N[,N…]" + "".join(f"|{word}" for word in words)

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            found = tuple(self.words[one] if one in self.words else int(one) for one in str(value).lower().split(","))
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
        if isinstance(value, tuple):
            return value
        if str(value).lower() in ("big", "all"):
            return str(value).lower()
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
