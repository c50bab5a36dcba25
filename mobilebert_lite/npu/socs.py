"""Processors with an NPU that files are compiled for: data in ``socs.toml``."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from mobilebert_lite.errors import RequestError

# Names of other vendors' processors and phones -> whose compiler they would need. No package registry serves these.
_ELSEWHERE = ((re.compile("pixel|tensor"), "Google Tensor"), (re.compile("mt[0-9]|dimensity"), "MediaTek"),
              (re.compile("exynos|e[0-9]{4}"), "Samsung Exynos"))

# The mode that every processor takes whole.
EVERYWHERE = "int8-full"


@dataclass(frozen=True)
class Soc:
    """A processor.

    name: what ``--npu`` takes.
    model: what the compiler calls it.
    title: what its vendor calls it.
    hexagon: the version of its NPU.
    floats: whether its NPU computes with floats, all of them in float16; others take integers alone.
    mode: the ``--quantize`` mode that ``--npu`` alone stands for.
    phones: phones that have it; ``--npu`` takes their names too.
    """

    name: str
    model: str
    title: str
    hexagon: int
    floats: bool
    mode: str
    phones: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.model} ({self.title}, Hexagon V{self.hexagon})"


def common_mode(asked: Iterable[Soc]) -> str:
    """The mode of a file for all of them; where theirs differ, the one that every processor takes whole."""
    modes = {soc.mode for soc in asked}
    return modes.pop() if len(modes) == 1 else EVERYWHERE


@cache
def socs() -> Mapping[str, Soc]:
    """All of them by name."""
    table = tomllib.loads(files("mobilebert_lite.npu").joinpath("socs.toml").read_text("utf-8"))
    return {name: Soc(name, one["model"], one["title"], one["hexagon"], one["floats"], one["mode"],
                      tuple(one.get("phones", ())))
            for name, one in table.items()}


@cache
def names() -> Mapping[str, Soc]:
    """Processors by their own names and those of phones."""
    return {**socs(), **{phone: soc for soc in socs().values() for phone in soc.phones}}


def find_soc(name: str) -> Soc:
    """The processor, or that of the phone, called ``name``. Raises RequestError for an unknown one."""
    known = names()
    word = re.sub("[ _-]", "", name.lower())
    if word in known:
        return known[word]
    vendor = next((vendor for pattern, vendor in _ELSEWHERE if pattern.match(word)), None)
    if vendor:
        raise RequestError(f"{name} has an NPU of {vendor}, whose compiler no package registry serves; files can be "
                           f"compiled for {', '.join(socs())}")
    close = difflib.get_close_matches(word, known, 1)
    raise RequestError(f"unknown NPU {name!r}; known are {', '.join(socs())}, and phones such as galaxys25"
                       + (f". Did you mean {close[0]}?" if close else ""))
