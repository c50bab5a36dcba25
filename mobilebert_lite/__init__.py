"""mobilebert-lite: MobileBERT checkpoints into small, fast, faithful ``.tflite`` files.

The names in ``__all__`` are what programs may rely on; docs/python.md shows them at work. Each is imported when it is
first used, so that ``import mobilebert_lite`` is light, and running a file needs no TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mobilebert_lite.building import quantise
    from mobilebert_lite.config import PRESETS, MobileBertConfig
    from mobilebert_lite.converters.checkpoints import Checkpoint, load_checkpoint
    from mobilebert_lite.converters.tflite import convert_network
    from mobilebert_lite.datasets import builtin_examples, read_examples
    from mobilebert_lite.errors import MblError
    from mobilebert_lite.form import Form
    from mobilebert_lite.fusion.pipeline import fuse, fuse_last
    from mobilebert_lite.graph.signatures import Network
    from mobilebert_lite.inspection import inspect
    from mobilebert_lite.model import Model
    from mobilebert_lite.pipeline import Report, Request, convert
    from mobilebert_lite.quantization.embedding import quantise_rows
    from mobilebert_lite.quantization.recipe import load_recipe
    from mobilebert_lite.runtime import Session
    from mobilebert_lite.tokenization import Tokenizer
    from mobilebert_lite.weights import Weights, random_weights

__version__ = "0.1.0"

__all__ = ["PRESETS", "Checkpoint", "Form", "MblError", "MobileBertConfig", "Model", "Network", "Report", "Request",
           "Session", "Tokenizer", "Weights", "builtin_examples", "convert", "convert_network", "fuse", "fuse_last",
           "inspect", "load_checkpoint", "load_recipe", "quantise", "quantise_rows", "random_weights", "read_examples"]

# Module -> the public names that live there; the imports above say the same to type checkers.
_HOMES = {
    "building": ("quantise",),
    "config": ("PRESETS", "MobileBertConfig"),
    "converters.checkpoints": ("Checkpoint", "load_checkpoint"),
    "converters.tflite": ("convert_network",),
    "datasets": ("builtin_examples", "read_examples"),
    "errors": ("MblError",),
    "form": ("Form",),
    "fusion.pipeline": ("fuse", "fuse_last"),
    "graph.signatures": ("Network",),
    "inspection": ("inspect",),
    "model": ("Model",),
    "pipeline": ("Report", "Request", "convert"),
    "quantization.embedding": ("quantise_rows",),
    "quantization.recipe": ("load_recipe",),
    "runtime": ("Session",),
    "tokenization": ("Tokenizer",),
    "weights": ("Weights", "random_weights"),
}
_HOME_OF = {name: f"{__name__}.{module}" for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
