"""The bias of the bottleneck that query and key share goes into theirs.

q = (xW_a + b_a)W_q + b_q = (xW_a)W_q + (b_a·W_q + b_q), and the same for k, where the key's part is then dropped with
the rest of its bias. What is gained is small but free: the range of the shared activation loses its offset, and
TensorFlow's converter, which does not fold a bias into a dense layer that two others read, has nothing to add.
"""

from __future__ import annotations

from mobilebert_lite.fusion.plan import Fused

NAME = "fold-shared-bias"


def apply(fused: Fused) -> Fused:
    """Applies where query and key share a bottleneck of their own whose NoNorm has been folded."""
    scopes = [f"{layer}.bottleneck.attention" for layer in fused.attentive]
    if not scopes or any(f"{scope}.bias" not in fused.tensors for scope in scopes):
        return fused.refused(NAME, "query and key have no bottleneck of their own")
    if any(f"{scope}.norm.gamma" in fused.tensors for scope in scopes):
        return fused.refused(NAME, "a normalization stands between the two layers")
    tensors = dict(fused.tensors)
    for layer in fused.attentive:
        bias = tensors.pop(f"{layer}.bottleneck.attention.bias")
        for part in ("query", "key"):
            scope = f"{layer}.attention.{part}"
            tensors[f"{scope}.bias"] = tensors[f"{scope}.bias"] + bias @ tensors[f"{scope}.kernel"]
    return fused.changed(NAME, f"{len(fused.attentive)} shared biases folded into query and key", tensors)
