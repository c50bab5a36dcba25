"""What an interrupted evaluation has finished already."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from mobilebert_lite.common.json_text import decode
from mobilebert_lite.errors import DataError, OutputError


@dataclass(frozen=True)
class Outcome:
    """One finished example."""

    # Place among the examples that are evaluated.
    index: int
    prediction: Mapping[str, Any]
    # Milliseconds of each inference, and of all the work from text to answer.
    inferences: tuple[float, ...]
    total: float
    # Whether the end of a text was left out.
    cut: bool = False


class Journal:
    """A file of JSON lines beside the report: one outcome each, written as soon as it is known.

    The name holds a hash of ``key`` (model, data and options), so that a journal is only ever read by the evaluation
    that wrote it; another one begins its own. Without a report there is nothing to go on from, and no file.
    """

    def __init__(self, report: Path | None, key: Mapping[str, Any]) -> None:
        """Open or begin it. Raises DataError when it cannot be written, or another process writes it just now."""
        # Index -> outcome.
        self.finished: dict[int, Outcome] = {}
        self._file: IO[bytes] | None = None
        if report is None:
            return
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]
        self.path = report.with_name(f".{report.name}.{digest}.partial.jsonl")
        try:
            self._file = open(self.path, "a+b")  # noqa: SIM115 - it stays open until close()
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise DataError(f"another evaluation for {report} is at work; wait for it, or choose another --report"
                            ) from None
        except OSError as error:
            raise DataError(f"cannot write {self.path}: {error.strerror}") from None
        self._read(self._file)

    def _read(self, file: IO[bytes]) -> None:
        """Take what is there; a line that was cut off by the interruption, and all after it, is removed."""
        file.seek(0)
        good = 0
        for line in file:
            try:
                raw = decode(line.removesuffix(b"\n") if line.endswith(b"\n") else b"")
                outcome = Outcome(raw["index"], raw["prediction"], tuple(raw["inferences"]), raw["total"],
                                  bool(raw.get("cut")))
            except (ValueError, KeyError, TypeError):
                break
            self.finished[outcome.index] = outcome
            good += len(line)
        file.truncate(good)

    def add(self, outcome: Outcome) -> None:
        """One more; it survives the end of this process at any moment after."""
        if self._file is not None:
            try:
                self._file.write(json.dumps(asdict(outcome), ensure_ascii=False).encode() + b"\n")
                self._file.flush()
            except OSError as error:
                self.close()
                raise OutputError(f"cannot write {self.path}: {error.strerror}; what is in it is kept") from None
        self.finished[outcome.index] = outcome

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            with suppress(OSError):  # what it could not take before, it cannot take now
                self._file.close()
            self._file = None

    def remove(self) -> None:
        """All that was in it is in the report."""
        if hasattr(self, "path"):
            self.path.unlink(missing_ok=True)
