"""Quantization that runtimes compute wrongly, or slowly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from mobilebert_lite.doctor.facts import Facts
from mobilebert_lite.doctor.findings import ERROR, NOTE, WARNING, Problem, some
from mobilebert_lite.tflite.graph import Operator, Subgraph, Tensor

# Operators that compute with quantized numbers. A GATHER or a CAST may move bytes that have no scale.
_ARITHMETIC = ("FULLY_CONNECTED", "BATCH_MATMUL", "ADD", "SUB", "MUL", "SOFTMAX", "CONCATENATION", "MEAN", "TANH",
               "LOGISTIC", "GELU", "DEQUANTIZE")

# A step of an int8 score that changes its probability by more than e leaves no order among the scores that matter.
_COARSE_STEP = 1.0
# A constant that no calibration survives: scores are tens at most.
_HUGE = 1e3


def scales(facts: Facts) -> Iterator[Problem]:
    """A scale for every quantized operand of arithmetic."""
    bare = [f"{operator.place} ({tensor.name.split(';')[-1] or tensor.index})" for _, operator in facts.operators
            if operator.name in _ARITHMETIC
            for tensor in (*operator.inputs, *operator.outputs)
            if tensor is not None and tensor.quantized and not len(tensor.scales)]
    if bare:
        yield Problem(ERROR, some(bare), f"{len(bare)} quantized operands have no scale: kernels fail to prepare, or "
                      "take 0", "quantize again; `mbl convert --quantize int8`")
    wrong = [f"{operator.place} ({tensor.name.split(';')[-1] or tensor.index})" for _, operator in facts.operators
             for tensor in operator.outputs
             if tensor.quantized and not (np.isfinite(tensor.scales) & (tensor.scales > 0)).all()]
    if wrong:
        yield Problem(ERROR, some(wrong), f"{len(wrong)} scales are 0, negative or not finite", "quantize again")


def zero_points(facts: Facts) -> Iterator[Problem]:
    """int8 weights of dense layers symmetric: zero point 0. The same for int16 activations."""
    asymmetric = [operator.place for _, operator in facts.operators if operator.name == "FULLY_CONNECTED"
                  and (weights := _weights(operator)) is not None and weights.zero_points.any()]
    if asymmetric:
        yield Problem(ERROR, some(asymmetric), f"{len(asymmetric)} dense layers have weights with a zero-point ≠ 0: "
                      "kernels for float inputs take it for 0, XNNPACK leaves the layer to slower ones",
                      "quantize the weights symmetrically; `mbl convert --quantize int8|dynamic` does")
    shifted = [operator.place for _, operator in facts.operators for tensor in operator.outputs
               if tensor.kind == "INT16" and tensor.zero_points.any()]
    if shifted:
        yield Problem(ERROR, some(shifted), f"{len(shifted)} int16 activations have a zero-point ≠ 0, which kernels "
                      "refuse", "`mbl convert --quantize int16x8`")


def _weights(operator: Operator) -> Tensor | None:
    weights = operator.input(1)
    return weights if weights is not None and weights.kind in ("INT8", "INT4") else None


def mask_constant(facts: Facts) -> Iterator[Problem]:
    """The range of what the softmax reads fits scores, not the constant that masks padding."""
    coarse = Counter[str]()
    constants = [_most_negative(subgraph, operator) for subgraph, operator in _softmaxes(facts)]
    lowest = min((value for value in constants if value is not None), default=None)
    for subgraph, operator in _softmaxes(facts):
        for tensor in subgraph.same_values(operator.inputs[0]) if operator.inputs[0] else ():
            if tensor.kind == "INT8" and len(tensor.scales) == 1 and tensor.scales[0] > _COARSE_STEP:
                coarse[f"{float(tensor.scales[0]):.3g}"] += 1
                break
    named = "" if lowest is None else f" {lowest:.4g}"
    if coarse:
        steps = some(f"{step} ({count} times)" for step, count in coarse.most_common())
        yield Problem(ERROR, f"{sum(coarse.values())} SOFTMAX", f"the mask constant{named} destroys the int8 range of "
                      f"the scores: one step is {steps}, so attention cannot tell words apart",
                      "convert with `mbl convert` (--quantize int8, or --mask additive:-30 for a file of one's own)")
    elif lowest is not None and lowest < -_HUGE and not _ours(facts) and not any(
            tensor.quantized for _, operator in _softmaxes(facts) for tensor in operator.outputs):
        yield Problem(NOTE, "mask", f"the mask constant is {lowest:.4g}: harmless in float, but it destroys an int8 "
                      "range if the file is quantized with calibration", "`mbl convert --mask additive:-30`")


def _ours(facts: Facts) -> bool:
    return bool(facts.provenance)


def _softmaxes(facts: Facts) -> list[tuple[Subgraph, Operator]]:
    """Those of the attention; the one that gives probabilities at the end reads no mask."""
    return [(subgraph, operator) for subgraph, operator in facts.operators if operator.name == "SOFTMAX"
            and operator.inputs and operator.inputs[0] is not None and len(operator.inputs[0].shape) >= 3]


def _most_negative(subgraph: Subgraph, softmax: Operator) -> float | None:
    """The most negative number that is added to the scores of ``softmax``, or from which what is added is made."""
    found: list[float] = []
    stage = [softmax.inputs[0]]
    # (1 - mask)·constant is made in three steps behind the addition: ADD, MUL, SUB.
    for _ in range(3):
        makers = [subgraph.producer(tensor) for tensor in stage if tensor is not None]
        stage = [operand for maker in makers if maker is not None and maker.name in ("ADD", "MUL", "SUB", "SELECT_V2")
                 for operand in maker.inputs[:3]]
        found += [float(_values(operand).min()) for operand in stage if operand is not None and len(_values(operand))]
    return min(found, default=None)


def _values(tensor: Tensor) -> np.ndarray:
    """Float values of a constant of any of the usual formats."""
    values = tensor.values() if tensor.kind == "INT8" and len(tensor.scales) == 1 else None
    return tensor.floats() if values is None else values.ravel()


def partitions(facts: Facts) -> Iterator[Problem]:
    """No int8 BATCH_MATMUL or SOFTMAX, which XNNPACK does not take."""
    outside = Counter(operator.name for operator in facts.first.operators
                      if operator.name in ("BATCH_MATMUL", "SOFTMAX") and operator.inputs[0] is not None
                      and operator.inputs[0].kind in ("INT8", "INT16") and operator.input(0) is not None)
    if outside:
        counts = " and ".join(f"{count} {name}" for name, count in outside.items())
        yield Problem(WARNING, counts, "int8 BATCH_MATMUL and SOFTMAX are not delegated to XNNPACK: they cut the graph "
                      "at every attention and run in slow kernels. As it should be for NPUs, not for CPUs",
                      "convert with --quantize int8, which leaves attention in float")
