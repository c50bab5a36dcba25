"""Heads for whole texts read [CLS] alone, so the last block needs only that row.

Keys and values of the last block come from every position; its query, attention output, feed-forward networks and
output projection act on each position for itself, and only position 0 is read.
"""

from __future__ import annotations

from dataclasses import replace

from mobilebert_lite.fusion.plan import Fused

NAME = "cls-only"


def apply(fused: Fused) -> Fused:
    """Applies to tasks whose head reads one position: classification, next-sentence prediction, multiple choice."""
    if not fused.task.cls_only:
        return fused.refused(NAME, f"task {fused.task.name} reads every position")
    return fused.changed(NAME, "the last block computes one row after keys and values",
                         plan=replace(fused.plan, cls_only=True))
