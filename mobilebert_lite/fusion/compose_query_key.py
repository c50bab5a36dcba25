"""Query and key skip their shared bottleneck.

q = (xW_a + b_a)W_q + b_q = x(W_a·W_q) + (b_a·W_q + b_q), and the same for k: once NoNorm is gone nothing stands between
the two dense layers. 512→128→(128, 128) costs 98 thousand multiplications a token, 512→(128, 128) costs 131 thousand,
3 % of a block; in exchange one layer and one rounding of its output to int8 disappear from the path to the softmax,
which is the most sensitive place of the network.
"""

from __future__ import annotations

from mobilebert_lite.fusion.plan import Fused

NAME = "compose-query-key"


def apply(fused: Fused) -> Fused:
    """Applies where query and key share a bottleneck of their own and its NoNorm has been folded."""
    config = fused.config
    if not (config.use_bottleneck and config.key_query_shared_bottleneck) or config.use_bottleneck_attention:
        return fused.refused(NAME, "query and key have no bottleneck of their own")
    if any(f"{layer}.bottleneck.attention.norm.gamma" in fused.tensors for layer in fused.layers):
        return fused.refused(NAME, "a normalisation stands between the two layers")
    tensors = dict(fused.tensors)
    for layer in fused.layers:
        kernel = tensors.pop(f"{layer}.bottleneck.attention.kernel")
        bias = tensors.pop(f"{layer}.bottleneck.attention.bias")
        for part in ("query", "key"):
            scope = f"{layer}.attention.{part}"
            tensors[f"{scope}.bias"] = bias @ tensors[f"{scope}.kernel"] + tensors.get(f"{scope}.bias", 0.0)
            tensors[f"{scope}.kernel"] = kernel @ tensors[f"{scope}.kernel"]
    return fused.changed(NAME, f"{len(fused.layers)} shared bottlenecks composed into query and key", tensors)
