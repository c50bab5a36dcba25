"""Whether a time is a GPU's or an NPU's: runtimes fall back to the CPU without a word, so it is read from their logs.

A runtime names each delegate that took nodes of the graph. What no delegate takes, XNNPACK takes as well: it is the
CPU, whatever was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mobilebert_lite.benchmarks.reports.result import CPU

# Delegates that compute on the CPU.
_ON_CPU = re.compile(r"xnn|flex|ruy|neon|cpu|reference", re.IGNORECASE)
_REPLACED = re.compile(r"Replacing (\d{1,9}) out of (\d{1,9}) node\(s\) with delegate \(([^()]{1,100})\) node, "
                       r"yielding (\d{1,9}) partition")
# Of benchmark_model itself, which does not count nodes.
_APPLIED = re.compile(r"(?:Explicitly applied|Applied) (\w{1,40}) delegate")
_WHOLE = re.compile(r"completely executed by the delegate")
_PARTLY = re.compile(r"partially executed by the delegate w/ (\d{1,9}) delegate kernels")


@dataclass(frozen=True)
class Taken:
    """What one delegate took of the graph."""

    # As the runtime calls it: TfLiteXNNPackDelegate, TfLiteGpuDelegateV2, NNAPI …
    name: str
    # Of the graph, and those that it took; None where the runtime does not count.
    nodes: int | None = None
    delegated: int | None = None
    partitions: int | None = None

    @property
    def on_cpu(self) -> bool:
        """Whether that is the CPU after all."""
        return _ON_CPU.search(self.name) is not None


def read_line(line: str) -> Taken | None:
    """What a line of a log tells of a delegate, or None."""
    if found := _REPLACED.search(line):
        return Taken(found[3], int(found[2]), int(found[1]), int(found[4]))
    if found := _APPLIED.search(line):
        part = _PARTLY.search(line)
        return Taken(found[1], partitions=1 if _WHOLE.search(line) else int(part[1]) if part else None)
    return None


def of(accelerator: str, told: Sequence[Taken]) -> Taken | None:
    """What ``accelerator`` took, counted together where a runtime names several graphs; None where it took nothing."""
    fitting = [one for one in told if one.on_cpu == (accelerator == CPU) and one.delegated != 0]
    counted = [one for one in fitting if one.delegated is not None] or fitting
    if not counted:
        return None
    if counted[0].delegated is None:
        return counted[0]
    return Taken(", ".join(dict.fromkeys(one.name for one in counted)), sum(one.nodes or 0 for one in counted),
                 sum(one.delegated or 0 for one in counted), sum(one.partitions or 0 for one in counted))


def refusal(accelerator: str, told: Sequence[Taken], complaint: str = "") -> str:
    """Why a time is not ``accelerator``'s; empty where it is. ``complaint`` is what the runtime itself said."""
    if accelerator == CPU or of(accelerator, told) is not None:
        return ""
    instead = ", ".join(dict.fromkeys(one.name for one in told))
    what = f"{instead} took the graph, which is the CPU" if instead else "its log names no delegate that took the graph"
    return (f"nothing ran on the {accelerator}: {what}" + (f" ({complaint[:200]})" if complaint else "") +
            f"; a time of the CPU is not reported as one of the {accelerator}")


def shared(accelerator: str, told: Sequence[Taken]) -> str:
    """A sentence about what ``accelerator`` left to the CPU; empty where it took the whole graph."""
    taken = of(accelerator, told)
    if accelerator == CPU or taken is None:
        return ""
    if taken.nodes is not None and taken.delegated is not None and taken.delegated < taken.nodes:
        return (f"the {accelerator} ({taken.name}) took {taken.delegated} of {taken.nodes} nodes; the others ran on "
                "the CPU, and their time is part of the figures")
    if taken.nodes is None and taken.partitions != 1:
        return (f"the {accelerator} ({taken.name}) took the graph in {taken.partitions or 'some'} parts; the time "
                "between them on the CPU is part of the figures")
    return ""
