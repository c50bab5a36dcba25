"""Which configuration a TensorFlow checkpoint has: a file's, a preset's, or the one that its variables say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mobilebert_lite.architecture.config import MobileBertConfig, read_json
from mobilebert_lite.architecture.config_files import HUGGINGFACE, TENSORFLOW, preset_named, read_config
from mobilebert_lite.common.files import read_lines
from mobilebert_lite.converters.names.architectures import with_task
from mobilebert_lite.converters.tensorflow.inferred import KnownSizes, infer

LABELS = "labels.txt"


def beside(*folders: Path, names: Sequence[str] = (TENSORFLOW, HUGGINGFACE)) -> Path | None:
    """The configuration in the first of ``folders`` that has one of ``names``: those of the weights' own writer first.
    """
    places = [folder / name for folder in folders for name in names]
    return next((place for place in places if place.is_file()), None)


def choose(path: Path | None, prefix: Path, known: Callable[[], KnownSizes]) -> tuple[MobileBertConfig, list[str]]:
    """The configuration at ``path``, by that name, or inferred where it is None, and lines about it.

    Labels lie beside the weights at ``prefix``, or in the configuration. Raises ConfigError or DataError.
    """
    if path is None:
        config, notes = infer(known())
    elif (preset := preset_named(path)) is not None:
        words = known().size("embeddings.word", 0)
        config, notes = replace(preset, vocab_size=words), []
        if words != preset.vocab_size:
            notes = [f"the configuration is that of {path}, with {words} words in place of {preset.vocab_size}"]
    else:
        config, notes = with_task(read_config(path, tensorflow=True), read_json(path)), []
    labels = read_labels(prefix.parent / LABELS)
    return (config.with_labels(labels) if labels else config), notes


def read_labels(path: Path) -> tuple[str, ...]:
    """Names of the classes, one a line; none where there is no such file."""
    return read_lines(path) if path.is_file() else ()
