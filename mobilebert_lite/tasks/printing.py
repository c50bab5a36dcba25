"""What `mbl run` prints of answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from mobilebert_lite.errors import RequestError

# What a model is asked for: names as the options of `mbl run`, None where one is not given.
Asked = Mapping[str, Any]
# Results as JSON values, and the lines that say the same.
Shown = tuple[Any, list[str]]


class NotAsked(RequestError):
    """An option that the task needs, and that was not given; a usage error of `mbl run`."""


def shown(found: Iterable[Any], line: Callable[[Any], str]) -> Shown:
    """Dataclasses ``found``, a line each."""
    found = list(found)
    return [asdict(one) for one in found], [line(one) for one in found]
