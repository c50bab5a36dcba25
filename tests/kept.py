"""Values that another processor may have written, beside those of this one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any


def differences(kept: Any, made: Any, tolerances: Mapping[str, float], place: str = "") -> Iterator[str]:
    """Where parsed JSON differs.

    Numbers under the keys of ``tolerances`` may be that far apart, as a share of themselves or of 1, whichever is less
    strict. Everything else is equal, and equal in type: structure, order, texts, integers and other numbers.
    """
    if type(kept) is not type(made):
        yield f"{place}: {kept!r} is kept, {made!r} was made"
    elif isinstance(kept, dict):
        if list(kept) != list(made):
            yield f"{place}: the keys {list(kept)} are kept, {list(made)} were made"
            return
        for key in kept:
            yield from differences(kept[key], made[key], tolerances, f"{place}/{key}")
    elif isinstance(kept, list):
        if len(kept) != len(made):
            yield f"{place}: {len(kept)} are kept, {len(made)} were made"
            return
        for number, pair in enumerate(zip(kept, made, strict=True)):
            yield from differences(*pair, tolerances, f"{place}/{number}")
    elif isinstance(kept, float) and (tolerance := tolerances.get(place.rpartition("/")[2])):
        if not math.isclose(kept, made, rel_tol=tolerance, abs_tol=tolerance):
            yield f"{place}: {kept!r} is kept, {made!r} was made"
    elif kept != made:
        yield f"{place}: {kept!r} is kept, {made!r} was made"
