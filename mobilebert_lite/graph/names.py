"""Names that a file's signatures carry."""

from __future__ import annotations

# In the order of the file.
INPUTS = ("ids", "mask", "segment_ids")


def signature_name(task: str, length: int) -> str:
    """``qa_384``: how the signature of a task at a length is called."""
    return f"{task}_{length}"
