"""LiteRT and TFLite on the CPU: the interpreter itself, with XNNPACK.

Contract: the kernels under tensorflow/lite/kernels, versions by runtime_version.cc, delegation by
delegates/xnnpack/xnnpack_delegate.cc.
"""

from __future__ import annotations

from collections.abc import Iterator

from mobilebert_lite.doctor import quantized, runtimes
from mobilebert_lite.doctor.facts import Facts
from mobilebert_lite.doctor.findings import ERROR, SIGNATURE, WARNING, Check, Problem, some

KINDS = ()


def _custom(facts: Facts) -> Iterator[Problem]:
    for subgraph in facts.subgraphs:
        names = sorted({operator.name for operator in subgraph.operators if operator.custom})
        flex = [name for name in names if name.startswith("Flex")]
        where = f"subgraph {subgraph.index}"
        # A subgraph is prepared when it is asked for; the others of the file run all the same.
        severity = ERROR if subgraph.index == 0 else WARNING
        if flex:
            yield Problem(severity, where, f"Flex operators ({some(flex)}) need the Select TensorFlow runtime, tens of "
                          "MB in an app", "convert without SELECT_TF_OPS; `mbl convert` uses built-in operators")
        if rest := [name for name in names if name not in flex]:
            yield Problem(severity, where, f"custom operators ({some(rest)}) must be registered by the app",
                          "link them, or convert without --text-input")


def signature(facts: Facts) -> Iterator[Problem]:
    entries = facts.graphs.entries
    if not entries:
        yield Problem(WARNING, "signatures", "there is none: inputs and outputs must be bound by position, and "
                      "CompiledModel and getSignatureRunner find nothing by name", "add serving_default", SIGNATURE)
    elif facts.first not in {entry.subgraph for entry in entries}:
        yield Problem(WARNING, "signatures", "none is of subgraph 0, which clients without signatures run",
                      "add serving_default", SIGNATURE)


def _dynamic(facts: Facts) -> Iterator[Problem]:
    if names := [port.name for port in facts.inputs if port.tensor.is_dynamic]:
        yield Problem(WARNING, some(names), "their shapes are dynamic: the app must resize them, and "
                      "memory and delegates are planned anew for every length", "convert with --seq-len")


def _input_types(facts: Facts) -> Iterator[Problem]:
    for port in facts.inputs:
        if port.tensor.kind == "INT64":
            yield Problem(WARNING, f"input {port.name}", "it is int64: twice the bytes, casts before every gather, and "
                          "no client of texts writes it", "convert from int32 inputs, as `mbl convert` does")


CHECKS = (
    Check("runtime", "every operator version is in the runtime asked for (--runtime)", runtimes.loads),
    Check("under-stamped", "no operator version too low for its operands", runtimes.under_stamped),
    Check("wrong-before", "no runtime that loads the file computes an operator wrongly", runtimes.wrong_before),
    Check("over-stamped", "no operator version so high that runtimes refuse the file without need",
          runtimes.over_stamped),
    Check("stated-runtime", "min_runtime_version says what the operators need", runtimes.stated_runtime),
    Check("outside-buffers", "weights inside the flatbuffer", runtimes.outside_buffers),
    Check("custom-operators", "built-in operators only", _custom),
    Check("signature", "a signature of the first subgraph", signature),
    Check("dynamic-shapes", "fixed shapes", _dynamic),
    Check("input-type", "no int64 inputs", _input_types),
    Check("scales", "a scale for every quantized operand", quantized.scales),
    Check("zero-point", "dense weights and int16 activations symmetric: zero point 0", quantized.zero_points),
    Check("mask-constant", "the constant that masks padding does not set the int8 range of the scores",
          quantized.mask_constant),
    Check("partitions", "no int8 BATCH_MATMUL or SOFTMAX, which XNNPACK leaves out", quantized.partitions),
)
