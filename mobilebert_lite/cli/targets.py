"""Types of options that name what files are for: NPUs, and clients."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from mobilebert_lite.cli.parameters import OneOf
from mobilebert_lite.errors import MblError


class Named(OneOf):
    """A word of a list, or another one that ``find`` accepts; it raises MblError otherwise."""

    def __init__(self, what: str, words: Callable[[], Iterable[str]], find: Callable[[str], str]) -> None:
        super().__init__(what, words)
        self.find = find

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """What ``find`` makes of the word in lower case."""
        try:
            return self.find(str(value).lower())
        except MblError as error:
            self.fail(str(error), param, ctx)


def _socs() -> Iterable[str]:
    from mobilebert_lite.npu.socs import socs

    return socs()


def _find_soc(name: str) -> str:
    from mobilebert_lite.npu.socs import find_soc

    return find_soc(name).name


class ClientName(OneOf):
    """A client, or npu:SOC, whose compiler is asked."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word in lower case."""
        word = str(value).lower()
        if not word.startswith("npu:"):
            return super().convert(value, param, ctx)
        return "npu:" + str(NPU.convert(word.removeprefix("npu:"), param, ctx))


def _clients() -> Iterable[str]:
    from mobilebert_lite.doctor.diagnose import KNOWN

    return KNOWN


NPU = Named("NPU", _socs, _find_soc)
CLIENT = ClientName("client", _clients)
