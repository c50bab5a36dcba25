"""Names that a file's signatures carry."""

from __future__ import annotations


def signature_name(task: str, length: int) -> str:
    """``qa_384``: how the signature of a task at a length is called."""
    return f"{task}_{length}"
