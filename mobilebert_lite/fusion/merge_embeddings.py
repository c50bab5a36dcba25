"""Position and segment 0 become one constant; segment 1 remains as a difference.

position[i] + token_type[t] = (position[i] + token_type[0]) + t·(token_type[1] - token_type[0]) for t in {0, 1}.
One addition and no second gather.
"""

from __future__ import annotations

from mobilebert_lite.fusion.plan import Fused

NAME = "merge-embeddings"


def apply(fused: Fused) -> Fused:
    """Applies to models of one or two segments."""
    segments = fused.tensors["embeddings.token_type"]
    if len(segments) > 2:
        return fused.refused(NAME, f"{len(segments)} segments; the rule is for 2")
    tensors = {name: value for name, value in fused.tensors.items() if name != "embeddings.token_type"}
    tensors["embeddings.position"] = tensors["embeddings.position"] + segments[0]
    if len(segments) == 2:
        tensors["embeddings.segment_step"] = segments[1] - segments[0]
    return fused.changed(NAME, "position and segment 0 are one constant", tensors)
