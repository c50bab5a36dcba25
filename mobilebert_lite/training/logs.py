"""Scalars for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from mobilebert_lite.common.tf import tf


class Logs:
    """A file of events, written where ``active``."""

    def __init__(self, folder: Path, active: bool = True) -> None:
        self._writer: Any = tf.summary.create_file_writer(str(folder)) if active else None
        data = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
        self._metadata = tf.compat.v1.SummaryMetadata(plugin_data=data)

    def __enter__(self) -> Logs:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """One point of each curve. ``tf.summary.scalar`` would do the same, but only where TensorBoard is installed."""
        if self._writer is None:
            return
        with self._writer.as_default():
            for name, value in values.items():
                tf.summary.write(name if "/" in name else f"train/{name}", tf.constant(value, tf.float32), step=step,
                                 metadata=self._metadata)
        self._writer.flush()
