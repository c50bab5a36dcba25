"""Types of options: words of a list, versions, numbers, lists of them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from mobilebert_lite.cli.command import F, option
from mobilebert_lite.errors import MblError

PATH = click.Path(path_type=Path)


class Location(click.ParamType):
    """A path, a hub id, or one of ``words``, in any case. Shells complete words and paths."""

    name = "path"

    def __init__(self, words: Callable[[], Iterable[str]] = lambda: ()) -> None:
        self.words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """A word in lower case, unless a file or folder has that name; anything else as it is."""
        word = str(value).lower()
        return word if word in self.words() and not Path(value).exists() else str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The words that begin with ``incomplete``, otherwise files and folders."""
        found = [CompletionItem(word) for word in self.words() if incomplete and word.startswith(incomplete.lower())]
        return found or [CompletionItem(incomplete, type="file")]


class OneOf(click.Choice[str]):
    """One word of a list, in any case. The list is computed when it is needed, because that may import much."""

    name = "word"

    def __init__(self, what: str, words: Callable[[], Iterable[str]],
                 shown: Callable[[], Iterable[str]] | None = None) -> None:
        """``what``: the noun for errors. ``shown``: the words in the help, if ``words`` has other names for them."""
        self.what, self.words, self.shown, self.case_sensitive = what, words, shown or words, False

    @property
    def choices(self) -> tuple[str, ...]:  # type: ignore[override]
        """All words, in the order in which help lists them."""
        return tuple(self.words())

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """``[one|other]``."""
        return f"[{'|'.join(self.shown())}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word in lower case."""
        word, known = str(value).lower(), self.choices
        if word not in known:
            self.fail(f"unknown {self.what} {str(value)!r}; known are {', '.join(known)}{_suggestion(word, known)}",
                      param, ctx)
        return word

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The words that begin with ``incomplete``."""
        return [CompletionItem(word) for word in self.choices if word.startswith(incomplete.lower())]


def _suggestion(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, known, 1)
    return f". Did you mean {close[0]}?" if close else ""


class WholeNumber(click.ParamType):
    """A whole number, or a word that stands for one."""

    name = "number"

    def __init__(self, least: int = 1, **words: int) -> None:
        self.least, self.words = least, words

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """``N|word``."""
        return "|".join(("N", *self.words))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; words in any case."""
        if (word := str(value).lower()) in self.words:
            return self.words[word]
        try:
            number = int(word)
        except ValueError:
            self.fail(f"{str(value)!r}: whole numbers such as 1,2,4 are needed"
                      + "".join(f", or {one}" for one in self.words), param, ctx)
        if number < self.least:
            self.fail(f"{str(value)!r}: each must be {self.least} or more", param, ctx)
        return number


class Several(click.ParamType):
    """Values of one type with commas between them."""

    def __init__(self, each: OneOf | WholeNumber) -> None:
        self.each, self.name = each, each.name

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """``[one|other][,…]``."""
        return f"{self.each.get_metavar(param, ctx)}[,…]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """The values of the parts."""
        return tuple(self.each.convert(part, param, ctx) for part in str(value).split(","))

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The values that complete the part after the last comma."""
        before, comma, last = incomplete.rpartition(",")
        return [CompletionItem(before + comma + one.value) for one in self.each.shell_complete(ctx, param, last)]


def several(*names: str, each: OneOf | WholeNumber, **settings: Any) -> Callable[[F], F]:
    """An option that takes several values, separated by commas or with the option repeated; duplicates are dropped."""
    def join(ctx: click.Context, param: click.Parameter, values: Iterable[tuple[Any, ...]]) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(one for part in values for one in part))

    return option(*names, type=Several(each), multiple=True, callback=join, **settings)


class Checked(click.ParamType):
    """A text that ``check`` accepts, in lower case; ``check`` raises MblError otherwise. Shells complete ``words``."""

    name = "text"

    def __init__(self, check: Callable[[str], object], words: Callable[[], Iterable[str]] = lambda: ()) -> None:
        self.check, self.words = check, words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text in lower case."""
        try:
            self.check(str(value).lower())
        except MblError as error:
            self.fail(str(error), param, ctx)
        return str(value).lower()

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The words that begin with ``incomplete``."""
        return [CompletionItem(word) for word in self.words() if word.startswith(incomplete.lower())]


def one_of(what: str, *words: str) -> OneOf:
    """One of a few words, in any case; ``what`` is the noun for errors."""
    return OneOf(what, lambda: words)


def _tasks() -> Iterable[str]:
    from mobilebert_lite.tasks import NAMES

    return NAMES


def _presets() -> Iterable[str]:
    from mobilebert_lite.architecture.config import PRESETS

    return PRESETS


def _own_tasks() -> Iterable[str]:
    from mobilebert_lite.tasks import TASKS

    return TASKS


def _trainable() -> Iterable[str]:
    from mobilebert_lite.tasks import NAMES, TRAINABLE, find_task

    return [name for name in NAMES if find_task(name).name in TRAINABLE]


def _trained() -> Iterable[str]:
    from mobilebert_lite.tasks import TRAINABLE

    return TRAINABLE


def _trainable_modes() -> Iterable[str]:
    """Modes that quantize activations with ranges from calibration."""
    from mobilebert_lite.quantization.recipe import MODES, load_recipe

    return [mode for mode in MODES if load_recipe(mode).needs_calibration]


def _modes() -> Iterable[str]:
    from mobilebert_lite.quantization.recipe import MODES

    return MODES


def _formats() -> Iterable[str]:
    from mobilebert_lite.converters.formats import FORMATS

    return FORMATS


def _fusion_rules() -> Iterable[str]:
    from mobilebert_lite.fusion.pipeline import NAMES

    return (*NAMES, "all")


def _interpreters() -> Iterable[str]:
    from mobilebert_lite.running.runtime import RUNTIMES

    return RUNTIMES


def _metrics() -> Iterable[str]:
    """Metrics of all tasks; the model decides which of them it has."""
    from mobilebert_lite.tasks import TASKS
    from mobilebert_lite.tasks.scoring import Scorer

    for task in TASKS.values():
        task.load_scorer()
    kinds = list(Scorer.__subclasses__())
    for kind in kinds:  # which grows
        kinds += kind.__subclasses__()
    return sorted({name for kind in kinds for name in kind.headlines})


def _devices() -> Iterable[str]:
    from mobilebert_lite.benchmarks.phone.phones import ANY, HOST
    from mobilebert_lite.benchmarks.phone.profiles import profiles

    return (HOST, ANY, *profiles())


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


class TrainableTask(OneOf):
    """A task that `mbl train` teaches; others are refused as such, and not as unknown."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word in lower case."""
        if (word := str(value).lower()) in _tasks() and word not in self.choices:
            from mobilebert_lite.tasks import find_task

            task = find_task(word)
            self.fail(f"models for {task.name} cannot be trained here; {task.trained_elsewhere}", param, ctx)
        return super().convert(value, param, ctx)


TASK, TRAINABLE_TASK = OneOf("task", _tasks, _own_tasks), TrainableTask("task", _trainable, _trained)
MODE, TRAINABLE_MODE = OneOf("quantization", _modes), OneOf("quantization", _trainable_modes)
PRESET, FORMAT = Location(_presets), OneOf("format", _formats)
FUSION_RULE, METRIC = OneOf("fusion rule", _fusion_rules), OneOf("metric", _metrics)
INTERPRETER, PROBLEM = OneOf("interpreter", _interpreters), one_of("problem", "single", "multi", "regression")
POOLING = one_of("pooling", "mean", "cls", "max")
MASK, DEVICES, VERSION = Checked(_check_mask), Checked(_check_devices, _devices), Checked(_check_version)


class Cpus(click.ParamType):
    """Cores: big, all, or numbers such as 4-7 or 0,2."""

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
    """A percentage, 5% or 5, as a share."""

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
