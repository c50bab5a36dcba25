"""NPUs that compute with integers alone, such as EdgeTPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mobilebert_lite.doctor.facts import Facts
from mobilebert_lite.doctor.findings import ERROR, WARNING, Check, Problem, some

KINDS = ()


def _floats(facts: Facts) -> Iterator[Problem]:
    ends = {port.tensor for port in (*facts.inputs, *facts.outputs)}
    floats = Counter(operator.name for operator in facts.first.operators
                     if any(tensor is not None and tensor.kind.startswith("FLOAT") and tensor not in ends
                            for tensor in (*operator.inputs, *operator.outputs)))
    if floats:
        counts = some(f"{count} {name}" for name, count in floats.most_common())
        yield Problem(ERROR if floats["FULLY_CONNECTED"] else WARNING, f"{sum(floats.values())} operators",
                      f"{counts} read or write float, which such an NPU leaves to the CPU",
                      "convert with --quantize int8-full or int16x8")


def _shapes(facts: Facts) -> Iterator[Problem]:
    if any(port.tensor.is_dynamic for port in facts.inputs):
        yield Problem(ERROR, "inputs", "dynamic shapes cannot be compiled for an NPU", "convert with --seq-len")


INTEGERS = Check("integers", "integer operators only, but for the inputs and outputs of the file", _floats)
CHECKS = (
    INTEGERS,
    Check("dynamic-shapes", "fixed shapes", _shapes),
)
