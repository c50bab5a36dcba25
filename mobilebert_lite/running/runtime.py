"""Running a ``.tflite``: LiteRT where it is installed, tflite-runtime otherwise. TensorFlow is not needed."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from mobilebert_lite.errors import DependencyError, ModelFileError
from mobilebert_lite.running.delegation import nodes_of

# Package -> module with the Interpreter, in order of preference.
RUNTIMES = {"ai-edge-litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}


def load_runtime(name: str | None = None) -> tuple[str, ModuleType]:
    """The runtime package and its interpreter module.

    ``name`` (or the environment variable MBL_RUNTIME) asks for one of RUNTIMES. Raises DependencyError when it is
    not installed.
    """
    name = name or os.environ.get("MBL_RUNTIME")
    if name and name not in RUNTIMES:
        raise DependencyError(f"unknown runtime {name!r}; known are {', '.join(RUNTIMES)}")
    for package in [name] if name else RUNTIMES:
        try:
            return package, importlib.import_module(RUNTIMES[package])
        except ImportError:
            continue
    raise DependencyError(f"no TFLite runtime: pip install {name or 'ai-edge-litert'}")


class Session:
    """A model loaded into an interpreter, called by signature with named inputs and outputs."""

    def __init__(self, content: bytes, threads: int = 1, runtime: str | None = None,
                 custom_operators: Sequence[Any] = ()) -> None:
        """``custom_operators`` are the registerers of those that the file needs besides the built-in ones.

        Raises ModelFileError with the runtime's reason when it refuses the file.
        """
        self.runtime, module = load_runtime(runtime)
        try:
            self._interpreter: Any = module.InterpreterWithCustomOps(
                custom_op_registerers=list(custom_operators), model_content=content, num_threads=threads
            ) if custom_operators else module.Interpreter(model_content=content, num_threads=threads)
            self.signatures: dict[str, Any] = self._interpreter.get_signature_list()
        except (ValueError, RuntimeError) as error:
            raise ModelFileError(f"{self.runtime} refuses the model: {_first_line(error)}") from None
        self._runners: dict[str, Any] = {}

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name. Raises ModelFileError for an unknown signature or inputs that do not fit it."""
        if signature not in self.signatures:
            raise ModelFileError(f"the model has no signature {signature!r}; it has {', '.join(self.signatures)}")
        try:
            if signature not in self._runners:
                self._runners[signature] = self._interpreter.get_signature_runner(signature)
            result: dict[str, np.ndarray] = self._runners[signature](**inputs)
        except (ValueError, RuntimeError, TypeError) as error:
            raise ModelFileError(f"{self.runtime} cannot run {signature}: {_first_line(error)}") from None
        return result

    def nodes(self) -> dict[str, Any]:
        """What the first subgraph executes (``delegation.nodes_of``). To be asked before anything is run.

        Raises ModelFileError when the runtime cannot prepare it.
        """
        try:
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelFileError(f"{self.runtime} cannot prepare the model: {_first_line(error)}") from None
        return nodes_of(self._interpreter)

    def close(self) -> None:
        """Let go of the interpreter."""
        self._interpreter, self._runners = None, {}


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
