"""The MLPerf Mobile app's question answering task (squad.cc and single_model_pipeline.cc of mlcommons/mobile_app_open).

It knows nothing of names: everything goes by position.
"""

from __future__ import annotations

from collections.abc import Iterator

from mobilebert_lite.doctor import text_model
from mobilebert_lite.doctor.facts import QA, Facts
from mobilebert_lite.doctor.findings import ERROR, Check, Problem
from mobilebert_lite.doctor.task_library import positions

KINDS = (QA,)

# Its records hold 384 ids each, which are copied as they are.
LENGTH = 384


def _counts(facts: Facts) -> Iterator[Problem]:
    if len(facts.inputs) != 3 or len(facts.outputs) != 2:
        yield Problem(ERROR, "file", f"it has {len(facts.inputs)} inputs and {len(facts.outputs)} outputs; the app "
                      "ends itself unless they are 3 and 2", "convert with --task qa")


def _types(facts: Facts) -> Iterator[Problem]:
    kinds = {port.tensor.kind for port in facts.inputs}
    if not (kinds == {"INT32"} or kinds == {"FLOAT32"}):
        yield Problem(ERROR, "inputs", f"they are {', '.join(sorted(kind.lower() for kind in kinds))}; the app fills "
                      "int32 or float32, all alike", "convert with `mbl convert`: int32")
    for port in facts.outputs:
        if port.tensor.kind != "FLOAT32":
            yield Problem(ERROR, f"output {port.name}", f"it is {port.tensor.kind.lower()}; the app reads float32",
                          "convert with `mbl convert`, whose outputs are float32 in every mode")


def _shapes(facts: Facts) -> Iterator[Problem]:
    for port in (*facts.inputs, *facts.outputs):
        if port.tensor.shape != (1, LENGTH):
            yield Problem(ERROR, port.name, f"its shape is {list(port.tensor.shape)}; the app's samples are "
                          f"[1, {LENGTH}]", f"convert with --seq-len {LENGTH}")


def _order(facts: Facts) -> Iterator[Problem]:
    yield from positions(facts, ERROR, "the MLPerf app")


CHECKS = (
    Check("counts", "three inputs and two outputs", _counts),
    Check("types", "inputs int32 or float32, outputs float32", _types),
    Check("shapes", f"[1, {LENGTH}] all of them", _shapes),
    Check("order", "ids, mask, segment_ids; end, start", _order),
    Check("builtin-operators", "built-in operators only", text_model.builtin_operators),
)
