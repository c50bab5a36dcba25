"""What a suite found, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mobilebert_lite.common.files import to_json, write_atomically


def save(path: Path | None, value: Any) -> None:
    """``value`` as JSON in the file that --json names, whose folder is made; without one, nothing."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, (to_json(value, indent=2) + "\n").encode())
