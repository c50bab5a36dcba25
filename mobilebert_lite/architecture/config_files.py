"""A configuration from a file of either writer, or from a preset's name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mobilebert_lite.architecture.config import PRESETS, MobileBertConfig, from_huggingface, from_tensorflow1, read_json
from mobilebert_lite.architecture.config_names import HUGGINGFACE_ACTIVATIONS, TENSORFLOW_ACTIVATIONS

HUGGINGFACE, TENSORFLOW = "config.json", "bert_config.json"


def read_config(place: Path, tensorflow: bool) -> MobileBertConfig:
    """The configuration in the file ``place``, or the preset of that name where there is no such file.

    ``tensorflow``: whether the weights are those of TensorFlow's code. It says what the plain name "gelu" means, and
    which writer is taken where neither the file's name nor its keys tell. Raises ConfigError.
    """
    if (preset := preset_named(place)) is not None:
        return preset
    raw = read_json(place)
    read = from_tensorflow1 if _is_tensorflow(place.name, raw, tensorflow) else from_huggingface
    return read(raw, TENSORFLOW_ACTIVATIONS if tensorflow else HUGGINGFACE_ACTIVATIONS)


def preset_named(place: Path) -> MobileBertConfig | None:
    """The preset that ``place`` names; a file of that name comes first."""
    return None if place.is_file() else PRESETS.get(str(place).lower())


def _is_tensorflow(name: str, raw: Mapping[str, Any], otherwise: bool) -> bool:
    """Whose defaults hold for the keys that are left out. A writer's own mark counts for more than the file's name."""
    if "transformers_version" in raw:
        return False
    if name in (HUGGINGFACE, TENSORFLOW):
        return name == TENSORFLOW
    return otherwise and "model_type" not in raw
