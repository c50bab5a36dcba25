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
    from mobilebert_lite.benchmarks.bench import BenchRequest, bench
    from mobilebert_lite.benchmarks.reports.result import BenchReport
    from mobilebert_lite.conversion.building import quantize
    from mobilebert_lite.conversion.lowering import convert_network
    from mobilebert_lite.conversion.pipeline import convert
    from mobilebert_lite.conversion.plan import Plan, resolve
    from mobilebert_lite.conversion.request import ConvertReport, ConvertRequest
    from mobilebert_lite.converters.checkpoints import Checkpoint, load_checkpoint
    from mobilebert_lite.converters.export import ExportRequest, export
    from mobilebert_lite.datasets.reading import builtin_examples, read_examples
    from mobilebert_lite.doctor.diagnose import Diagnosis, diagnose
    from mobilebert_lite.doctor.fix import fix
    from mobilebert_lite.errors import MblError
    from mobilebert_lite.evaluation.compare import compare
    from mobilebert_lite.evaluation.evaluate import EvalRequest, EvalResult, evaluate
    from mobilebert_lite.fusion.pipeline import fuse, fuse_last
    from mobilebert_lite.graph.signatures import Network
    from mobilebert_lite.inspection.report import inspect
    from mobilebert_lite.quantization.embedding import quantize_rows
    from mobilebert_lite.quantization.recipe import load_recipe
    from mobilebert_lite.running.model import Model
    from mobilebert_lite.running.runtime import Session
    from mobilebert_lite.tasks import find_task
    from mobilebert_lite.text.tokenization import Tokenizer
    from mobilebert_lite.training.options import TrainOptions
    from mobilebert_lite.training.run import TrainResult, train

__all__ = ["PRESETS", "BenchReport", "BenchRequest", "Checkpoint", "ConvertReport", "ConvertRequest", "Diagnosis",
           "EvalRequest", "EvalResult", "ExportRequest", "Form", "MblError", "MobileBertConfig", "Model", "Network",
           "Plan", "Session", "Tokenizer", "TrainOptions", "TrainResult", "Weights", "__version__", "bench",
           "builtin_examples", "compare", "convert", "convert_network", "diagnose", "evaluate", "export", "find_task",
           "fix", "fuse", "fuse_last", "inspect", "load_checkpoint", "load_recipe", "quantize", "quantize_rows",
           "random_weights", "read_examples", "resolve", "train"]

# Module -> the public names that live there; the imports above say the same to type checkers.
_HOMES = {
    "architecture.config": ("PRESETS", "MobileBertConfig"),
    "architecture.form": ("Form",),
    "architecture.weights": ("Weights", "random_weights"),
    "benchmarks.bench": ("BenchRequest", "bench"),
    "benchmarks.reports.result": ("BenchReport",),
    "conversion.building": ("quantize",),
    "conversion.lowering": ("convert_network",),
    "conversion.pipeline": ("convert",),
    "conversion.plan": ("Plan", "resolve"),
    "conversion.request": ("ConvertReport", "ConvertRequest"),
    "converters.checkpoints": ("Checkpoint", "load_checkpoint"),
    "converters.export": ("ExportRequest", "export"),
    "datasets.reading": ("builtin_examples", "read_examples"),
    "doctor.diagnose": ("Diagnosis", "diagnose"),
    "doctor.fix": ("fix",),
    "errors": ("MblError",),
    "evaluation.compare": ("compare",),
    "evaluation.evaluate": ("EvalRequest", "EvalResult", "evaluate"),
    "fusion.pipeline": ("fuse", "fuse_last"),
    "graph.signatures": ("Network",),
    "inspection.report": ("inspect",),
    "quantization.embedding": ("quantize_rows",),
    "quantization.recipe": ("load_recipe",),
    "running.model": ("Model",),
    "running.runtime": ("Session",),
    "tasks": ("find_task",),
    "text.tokenization": ("Tokenizer",),
    "training.options": ("TrainOptions",),
    "training.run": ("TrainResult", "train"),
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
