"""The value's bias goes into the attention's output bias.

The rows of a softmax P sum to 1, so P(V + 1bᵀ) = PV + 1bᵀ: after the output projection W_o, b adds the constant b·W_o.
"""

from __future__ import annotations

from mobilebert_lite.fusion.plan import Fused

NAME = "fold-value-bias"


def apply(fused: Fused) -> Fused:
    """Always applies."""
    tensors = dict(fused.tensors)
    for layer in fused.attentive:
        bias = tensors.pop(f"{layer}.attention.value.bias")
        name = f"{layer}.attention.output.bias"
        tensors[name] = tensors[name] + bias @ tensors[f"{layer}.attention.output.kernel"]
    return fused.changed(NAME, f"{len(fused.attentive)} value biases folded", tensors)
