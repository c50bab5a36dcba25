"""What a file costs on a core, without an emulator: its amounts of work times what each was counted to take.

``kernels.json`` has for each core and kind of work instructions and modelled cycles. ``benchmarks/suites/arm_fit.py``
fits them to what was counted for whole files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from mobilebert_lite.cost.amounts import amounts
from mobilebert_lite.cost.cores import CORES
from mobilebert_lite.errors import RequestError
from mobilebert_lite.tflite.container import read_entry
from mobilebert_lite.tflite.graph import Graphs

# Kind of work -> instructions and cycles of one.
Prices = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Cost:
    """Of one inference on one thread. Cycles are modelled: compare them with those of other files, and with nothing
    else (``cores.py``).
    """

    instructions: float
    cycles: float
    # Kind of work -> its cycles.
    kinds: dict[str, float]


def estimate(content: bytes, core: str, signature: str | None = None) -> Cost:
    """The cost of ``signature`` (None: the first) of the file ``content`` on ``core``, a name of ``cores.CORES``.

    Raises RequestError for an unknown core, ModelFileError for a signature that the file does not have.
    """
    if core not in CORES:
        raise RequestError(f"no costs are known of the core {core!r}; known are {', '.join(CORES)}")
    prices = kernel_prices()[core]
    spent = {kind: (prices[kind][0] * amount, prices[kind][1] * amount)
             for kind, amount in work_of(content, signature).items() if kind in prices}
    return Cost(sum(one[0] for one in spent.values()), sum(one[1] for one in spent.values()),
                {kind: cycles for kind, (_, cycles) in spent.items()})


def work_of(content: bytes, signature: str | None = None) -> Mapping[str, float]:
    """The amounts of work (``amounts.py``) of ``signature``, on a processor that multiplies float16."""
    graphs = Graphs.read(content)
    half = read_entry(content, "reduced_precision_support") == b"fp16accfp16"
    return amounts(graphs.entry(signature).subgraph if signature else graphs.subgraphs[0], half)


@cache
def kernel_prices() -> dict[str, Prices]:
    """Core -> the prices there."""
    text = files("mobilebert_lite.cost").joinpath("kernels.json").read_text("utf-8")
    found: dict[str, Prices] = json.loads(text)
    return found
