"""mobilebert-lite: MobileBERT checkpoints into small, fast, faithful ``.tflite`` files.

The names in ``__all__`` are the public interface; docs/reference/python.md has examples. Each is imported on first use,
so ``import mobilebert_lite`` is light, and running a file needs no TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mobilebert_lite.version import __version__

if TYPE_CHECKING:
    from mobilebert_lite.architecture.config import PRESETS, MobileBertConfig
    from mobilebert_lite.architecture.form import Form
    from mobilebert_lite.architecture.weights import Weights, random_weights
    from mobilebert_lite.conversion.building import quantize
    from mobilebert_lite.conversion.lowering import convert_network
    from mobilebert_lite.conversion.pipeline import ConvertReport, ConvertRequest, convert
    from mobilebert_lite.converters.checkpoints import Checkpoint, load_checkpoint
    from mobilebert_lite.datasets.reading import builtin_examples, read_examples
    from mobilebert_lite.errors import MblError
    from mobilebert_lite.fusion.pipeline import fuse, fuse_last
    from mobilebert_lite.graph.signatures import Network
    from mobilebert_lite.inspection.report import inspect
    from mobilebert_lite.quantization.embedding import quantize_rows
    from mobilebert_lite.quantization.recipe import load_recipe
    from mobilebert_lite.running.model import Model
    from mobilebert_lite.running.runtime import Session
    from mobilebert_lite.text.tokenization import Tokenizer

__all__ = [
    "PRESETS",
    "Checkpoint",
    "ConvertReport",
    "ConvertRequest",
    "Form",
    "MblError",
    "MobileBertConfig",
    "Model",
    "Network",
    "Session",
    "Tokenizer",
    "Weights",
    "__version__",
    "builtin_examples",
    "convert",
    "convert_network",
    "fuse",
    "fuse_last",
    "inspect",
    "load_checkpoint",
    "load_recipe",
    "quantize",
    "quantize_rows",
    "random_weights",
    "read_examples",
]

# Module -> the public names that live there; the imports above say the same to type checkers.
_HOMES = {
    "conversion.building": ("quantize",),
    "architecture.config": ("PRESETS", "MobileBertConfig"),
    "converters.checkpoints": ("Checkpoint", "load_checkpoint"),
    "conversion.lowering": ("convert_network",),
    "datasets.reading": ("builtin_examples", "read_examples"),
    "errors": ("MblError",),
    "architecture.form": ("Form",),
    "fusion.pipeline": ("fuse", "fuse_last"),
    "graph.signatures": ("Network",),
    "inspection.report": ("inspect",),
    "running.model": ("Model",),
    "conversion.pipeline": ("ConvertReport", "ConvertRequest", "convert"),
    "quantization.embedding": ("quantize_rows",),
    "quantization.recipe": ("load_recipe",),
    "running.runtime": ("Session",),
    "text.tokenization": ("Tokenizer",),
    "architecture.weights": ("Weights", "random_weights"),
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
